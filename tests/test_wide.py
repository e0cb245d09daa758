"""Wide layers in float32 go through oneDNN; float64 and other devices take torch's product.

The truth is the same network in float64, whose gradients test_gradients.py measures.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.modules import module_of_spec
from tests.samples import samples

BATCH = 128

SPEC = """model wide
input x: real[300]
target y: {target}
layers {{ linear(256) {first} linear(200, bias={bias}) {second} linear(10) }}
loss {loss}
optimizer sgd(lr=0.1, momentum=0.9)
"""
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
    counted = Counted(module.FUSED_LINEAR)
    monkeypatch.setattr(module, "FUSED_LINEAR", counted)
    assert error(gradients(module, torch.float32), truth) < 1e-5
    assert counted.calls >= 3, "the wide products of a step"
    monkeypatch.setattr(module, "FUSED_LINEAR", None)
    assert error(gradients(module, torch.float32), truth) < 1e-5


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: a product that is off by a thousandth."""
    module = module_of_spec(CASES["relu"])
    truth, kernel = gradients(module, torch.float64), module.FUSED_LINEAR
    monkeypatch.setattr(module, "FUSED_LINEAR", lambda *a: kernel(*a) * 1.001)
    assert error(gradients(module, torch.float32), truth) > 1e-5


def test_small_batches_and_float64_take_torchs_own_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = module_of_spec(CASES["relu"])
    counted = Counted(module.FUSED_LINEAR)
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


def test_a_wide_network_learns() -> None:
    """Ten steps on one batch, beside torch.nn in float32."""
    module = module_of_spec(CASES["relu"])
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
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(10):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        found = model.train_step(x, y, 0.1)
        assert float(found) == pytest.approx(float(loss.detach()), rel=1e-4)
