"""Features that are large against their spread, such as times in seconds since 1970.

float32 tells 218 seconds of 2023 apart into three. A network that standardizes takes samples in
float64, and subtracts the mean before it rounds.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.cases.modules import module_of_spec

D, F = torch.float64, torch.float32
START = 1_700_000_000.0
SPEC = """model clock
input x: real[2]
target y: real[1]
layers { standardize linear(8) tanh linear(1) }
loss mse
optimizer adam(lr=0.02)
train(epochs=60, batch_size=32)
metric r2
"""


def samples(count: int = 218) -> tuple[Tensor, Tensor]:
    """Seconds, one after the other, beside a feature of size 1; a target of both."""
    second = torch.arange(count, dtype=D)
    x = torch.stack([START + second, torch.cos(second)], dim=1)
    return x, torch.sin(second / 40).reshape(-1, 1) + 0.1 * x[:, 1:]


def made(target: str, dtype: torch.dtype = F, spec: str = SPEC) -> Any:
    return module_of_spec(spec, target=target).Model(dtype=dtype)


def test_samples_are_standardized_before_they_are_rounded(target: str) -> None:
    x, y = samples()
    net, double = made(target), made(target, D)
    net.fit(x, y.to(F), epochs=60)
    double.fit(x, y, epochs=60)
    assert net.evaluate(x, y.to(F))["r2"] > 0.99
    kept = net.buffers
    mean, std, offset = (
        kept[f"standardize1.{name}"].double() for name in ("mean", "std", "offset")
    )
    torch.testing.assert_close(mean - offset * std, x.mean(dim=0), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        net.predict(x).double(), double.predict(x), rtol=0.01, atol=0.01
    )
    assert len(net.predict(x).unique()) > 200
    rounded = net.predict(x.to(F))
    assert len(rounded[:, 0].unique()) > 200  # by the other feature
    torch.testing.assert_close(
        net.predict(x.to(F).double()), rounded, rtol=1e-4, atol=1e-5
    )


def test_what_is_constant_up_to_rounding_is_divided_by_one(target: str) -> None:
    """0.1 + 0.2 beside 0.3, as scikit-learn has it; a spread a little larger is one."""
    x, y = samples(40)
    x[:, 1] = 0.3
    x[::2, 1] = 0.1 + 0.2
    net = made(target)
    net.fit(x, y.to(F), epochs=1)
    assert net.buffers["standardize1.std"][1] == 1
    x[::2, 1] = 0.3 + 1e-13
    net.fit(x, y.to(F), epochs=1, remeasure=True)
    std = net.buffers["standardize1.std"][1].double().item()
    assert std == pytest.approx(0.5e-13, rel=1e-3)


WITHOUT_BIAS = SPEC.replace("linear(8)", "linear(8, bias=none)")


@pytest.mark.parametrize("spec", [SPEC, WITHOUT_BIAS])
def test_every_call_takes_both_types(target: str, spec: str) -> None:
    """What is exact in float32 gives the same in either type."""
    x, y = samples(40)
    x[:, 0] = (x[:, 0] / 128).round() * 128
    x[:, 1] = x[:, 1].to(F).double()
    y = y.to(F)
    one, two = made(target, spec=spec), made(target, spec=spec)
    for net, given in ((one, x), (two, x.to(F))):
        net.fit(given, y, x.to(F), y, epochs=2)
        net.train_step(given, y, 0.01)
    found = [
        (
            net.forward(given),
            net.predict(given),
            net.loss(given, y),
            net.evaluate(given, y)["loss"],
            *net.loss_and_gradients(given, y, input_gradient=True)[1].values(),
        )
        for net, given in ((one, x), (two, x.to(F)))
    ]
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=2e-6)
    assert found[0][-1].dtype == F


def test_a_float64_model_takes_float32(target: str) -> None:
    x, y = samples(40)
    net = made(target, D)
    net.fit(x.to(F), y, epochs=2)
    assert torch.equal(net.predict(x.to(F)), net.predict(x.to(F).double()))
    assert net.train_step(x.to(F), y, 0.01) > 0


def test_other_types_are_refused(target: str) -> None:
    x, y = samples(40)
    net = made(target)
    for wrong in (x.long(), x.half()):
        with pytest.raises(
            ValueError, match=r"x: expected \S*float32 or \S*float64, found"
        ):
            net.predict(wrong)
    with pytest.raises(ValueError, match="y: expected"):
        net.fit(x, y)


def test_the_mean_goes_from_model_to_model(tmp_path: Path, target: str) -> None:
    x, y = samples()
    double, net = made(target, D), made(target)
    double.fit(x, y, epochs=20)
    net.load_state_dict(double.state_dict())
    torch.testing.assert_close(
        net.predict(x).double(), double.predict(x), rtol=1e-4, atol=1e-4
    )
    net.save(tmp_path / "net.safetensors")
    again = made(target, D)
    again.load(tmp_path / "net.safetensors")
    torch.testing.assert_close(
        again.predict(x), double.predict(x), rtol=1e-4, atol=1e-4
    )
    state = {k: v for k, v in double.state_dict().items() if not k.endswith(".offset")}
    net.load_state_dict(state)  # of a version without that part
    torch.testing.assert_close(
        net.predict(x).double(), double.predict(x), rtol=1e-4, atol=1e-4
    )


def test_training_goes_on_bit_for_bit(tmp_path: Path, target: str) -> None:
    x, y = samples()
    whole, parts = made(target), made(target)
    whole.fit(x, y.to(F), epochs=6)
    path = tmp_path / "run.safetensors"
    parts.fit(x, y.to(F), epochs=6, until=3, checkpoint=path)
    parts = made(target)
    parts.fit(x, y.to(F), epochs=6, checkpoint=path, resume=True)
    assert torch.equal(whole.predict(x), parts.predict(x))


@pytest.mark.parametrize("spec", [SPEC, WITHOUT_BIAS])
def test_as_module_takes_float64(spec: str) -> None:
    x, y = samples()
    net = made("torch", spec=spec)
    net.fit(x, y.to(F), epochs=5)
    module = net.as_module().eval()
    given = x.clone().requires_grad_()
    module(given).sum().backward()
    assert torch.equal(module(x), net.predict(x))
    assert given.grad is not None and given.grad.dtype == D
    assert torch.equal(pickle.loads(pickle.dumps(net)).predict(x), net.predict(x))


def test_a_shipped_library_takes_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from specc.run.emitted import imported
    from tests.cases.modules import write_module

    path = write_module(tmp_path, SPEC, "c")
    module = imported(path)
    assert len(module.build()) == 3
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("SPECC_CACHE", str(tmp_path / "none"))
    x, y = (numbers.numpy() for numbers in samples())
    net = imported(path).Model()
    net.fit(x, y.astype(np.float32), epochs=60)
    assert net.evaluate(x, y.astype(np.float32))["r2"] > 0.99
