"""Wide layers in float32 go through oneDNN, but on Intel; all else takes torch's product.

Plain SGD has no gradients in memory: its backward pass writes the update.
The truth is the same network in float64, whose gradients emitted/mathematics measures.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.cases.modules import compiled, load, module_of_spec
from tests.cases.samples import samples

BATCH = 128

SPEC = """model wide
input x: real[300]
target y: {target}
layers {{ linear(256) {first} linear(200, bias={bias}) {second} linear(10) }}
loss {loss}
optimizer sgd(lr=0.1, momentum=0.9)
"""
PLAIN = "sgd(lr=0.1)"
CASES = {
    "relu": SPEC.format(
        first="relu", second="relu", bias="zeros", target="int[]", loss="cross_entropy"
    ),
    "tanh": SPEC.format(
        first="tanh", second="tanh", bias="zeros", target="real[10]", loss="mse"
    ),
    "neither": SPEC.format(
        first="sigmoid", second="relu", bias="none", target="real[10]", loss="mse"
    ),
}
CASES |= {
    f"{case}, plain": text.replace("sgd(lr=0.1, momentum=0.9)", PLAIN)
    for case, text in CASES.items()
}


class Counted:
    """A kernel that tells how often it was called."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.calls = 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self.kernel(*arguments)


def gradients(module: ModuleType, dtype: torch.dtype) -> dict[str, Tensor]:
    """dL/d(everything) of one batch, in float64."""
    x, y = samples(module, BATCH, torch.float64)
    y = y if y.dtype == torch.int64 else y.to(dtype)
    model = module.Model(seed=3, dtype=dtype)
    truth = module.Model(seed=3, dtype=torch.float32).state_dict()
    model.load_state_dict(truth)  # the same numbers, whatever the precision
    _, found = model.loss_and_gradients(x.float().to(dtype), y, input_gradient=True)
    return {name: gradient.double() for name, gradient in found.items()}


def error(found: dict[str, Tensor], truth: dict[str, Tensor]) -> float:
    """The largest error of a gradient, in parts of its largest number."""
    return max(
        float((found[name] - t).abs().max() / t.abs().max())
        for name, t in truth.items()
    )


@pytest.mark.parametrize("case", CASES)
def test_both_kernels_are_as_right_as_float32_can_be(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of_spec(CASES[case])
    truth = gradients(module, torch.float64)
    counted = Counted(module.fused_linear())
    monkeypatch.setattr(module, "FUSED_LINEAR", counted)
    assert error(gradients(module, torch.float32), truth) < 1e-5
    assert counted.calls >= 3, "the wide products of a step"
    monkeypatch.setattr(module, "FUSED_LINEAR", None)
    assert error(gradients(module, torch.float32), truth) < 1e-5


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: a product that is off by a thousandth."""
    module = module_of_spec(CASES["relu"])
    truth, kernel = gradients(module, torch.float64), module.fused_linear()
    monkeypatch.setattr(module, "FUSED_LINEAR", lambda *a: kernel(*a) * 1.001)
    assert error(gradients(module, torch.float32), truth) > 1e-5


def test_small_batches_and_float64_take_torchs_own_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = module_of_spec(CASES["relu"])
    counted = Counted(module.fused_linear())
    monkeypatch.setattr(module, "FUSED_LINEAR", counted)
    x, y = samples(module, 2, torch.float32)
    module.Model().train_step(x, y, 0.1)
    gradients(module, torch.float64)
    assert counted.calls == 0


def test_a_torch_without_the_kernel_is_noticed_at_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = module_of_spec(CASES["relu"])
    assert module.fused_linear() is not None
    for problem in (AttributeError, NotImplementedError, RuntimeError):

        class Missing:
            def __getattr__(self, name: str, problem: Any = problem) -> Any:
                raise problem(name)

        monkeypatch.setattr(module.torch.ops, "mkldnn", Missing(), raising=False)
        assert module.fused_linear() is None


@pytest.mark.parametrize(
    "cpu, chosen", [("Intel Xeon", False), ("AMD EPYC", True), ("", True)]
)
def test_the_processor_decides_which_kernel_is_taken(
    cpu: str, chosen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"cpu_name": cpu}, raising=False
    )
    module = load(f"{compiled(CASES['relu'])}\n# imported on {cpu}\n")
    assert (module.FUSED_LINEAR is not None) == chosen
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not module.is_intel(), "an older torch does not tell"


@pytest.mark.parametrize("kernel", ["oneDNN", "torch"])
@pytest.mark.parametrize("case", [case for case in CASES if "plain" in case])
def test_a_step_that_backward_writes_is_one_of_sgd(
    case: str, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """theta - lr gradient, from the gradients that the same module finds; those stay."""
    module = module_of_spec(CASES[case])
    found = module.fused_linear() if kernel == "oneDNN" else None
    monkeypatch.setattr(module, "FUSED_LINEAR", found)
    x, y = samples(module, BATCH, torch.float32)
    model = module.Model(seed=2)
    loss, gradients = model.loss_and_gradients(x, y)
    expected = {n: p - 0.3 * gradients[n] for n, p in model.state_dict().items()}
    assert float(model.train_step(x, y, 0.3)) == pytest.approx(loss, rel=1e-6)
    assert error(model.parameters, expected) < 1e-6
    assert error(model.gradients, gradients) == 0


@pytest.mark.parametrize("kernel", ["oneDNN", "torch"])
def test_gradients_do_not_keep_what_was_not_finite(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A factor 0 would keep NaN; what it stands for is that the old values are not read."""
    module = module_of_spec(CASES["relu, plain"])
    found = module.fused_linear() if kernel == "oneDNN" else None
    monkeypatch.setattr(module, "FUSED_LINEAR", found)
    x, y = samples(module, BATCH, torch.float32)
    model = module.Model(seed=2)
    _, expected = model.loss_and_gradients(x, y)
    model.flat_gradients.fill_(float("nan"))
    _, again = model.loss_and_gradients(x, y)
    assert error(again, expected) == 0


def test_a_layer_that_changes_before_it_passes_on_is_found() -> None:
    """A planted fault: the update of a layer moved before the product that reads it."""
    text = compiled(CASES["relu, plain"])
    lines = text.split("\n")
    product = next(
        i for i, t in enumerate(lines) if "add_product(g.linear2_weight" in t
    )
    passed = next(i for i, t in enumerate(lines) if "dense(s.d_linear2, p.l" in t)
    assert passed < product
    broken = lines.copy()
    broken.insert(passed, broken.pop(product))
    steps = []
    for source in (text, "\n".join(broken)):
        module = load(source)
        x, y = samples(module, BATCH, torch.float32)
        model = module.Model(seed=2)
        _, gradients = model.loss_and_gradients(x, y)
        expected = {n: p - 0.3 * gradients[n] for n, p in model.state_dict().items()}
        model.train_step(x, y, 0.3)
        steps.append(error(model.parameters, expected))
    assert steps[0] < 1e-6 < 1e-3 < steps[1]


@pytest.mark.parametrize("case, momentum", [("relu", 0.9), ("relu, plain", 0.0)])
def test_a_wide_network_learns(case: str, momentum: float) -> None:
    """Ten steps on one batch, beside torch.nn in float32."""
    module = module_of_spec(CASES[case])
    x, y = samples(module, BATCH, torch.float32)
    model = module.Model(seed=1)
    net = nn.Sequential(
        nn.Linear(300, 256),
        nn.ReLU(),
        nn.Linear(256, 200),
        nn.ReLU(),
        nn.Linear(200, 10),
    )
    names = [name for name, _ in net.named_parameters()]
    state = dict(zip(names, model.state_dict().values(), strict=True))
    net.load_state_dict(state)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=momentum)
    for _ in range(10):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        found = model.train_step(x, y, 0.1)
        assert float(found) == pytest.approx(float(loss.detach()), rel=1e-4)
