"""A layer may look across the rows of a sample: a trial `conv1d`, which specc does not have yet.

It brings one pair of operations with a line each for NumPy, as a contributor would add them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from specc.compiler import Request, compile_source
from specc.emit.language import ATOM, Text
from specc.ir.formulas import linear
from specc.ir.value import OPS, Op, Rows, Value, apply, rows_of, width_of
from specc.library.network.initializers import Fans
from specc.library.network.layers import Initializer, Layer, Parameter, Shape
from specc.library.vocabulary import VOCABULARY, Size, entry, use
from specc.model.on_rows import kept_of
from specc.targets.numpy import operations
from tests.cases.modules import checked, raw_module, source

SPEC = """
model trial
input x: real[3,8]
target y: real[2]
layers {
  conv1d(4, 3)
  tanh
  conv1d(2, 2)
  flatten
  linear(2)
}
loss mse
optimizer sgd(lr=0.1)
train(epochs=1, batch_size=4, seed=0)
"""

NUMPY_LINES = {
    "windows": "np.concatenate([{0}.reshape(-1, {times}, {width})[:, i : i + {steps}]"
    " for i in range({kernel})], axis=2).reshape(-1, {kernel} * {width})",
    "spread_windows": "sum(np.pad({0}.reshape(-1, {steps}, {kernel}, {width})[:, :, i],"
    " ((0, 0), (i, {kernel} - 1 - i), (0, 0))) for i in range({kernel}))"
    ".reshape(-1, {width})",
}


def windows(x: Value, kernel: int) -> Value:
    """Return the windows of a sequence, one a row: (batch T, C) -> (batch steps, kernel C)."""
    times = rows_of(x.shape)
    sizes = {"times": times, "steps": times - kernel + 1, "width": width_of(x.shape)}
    return apply("windows", x, kernel=kernel, **sizes)


@dataclass(frozen=True)
class Conv1d(Layer):
    """Cross-correlation along the last axis; weight is (channels, kernel * in)."""

    channels: Size
    kernel: Size
    weight: Initializer = use("initializer", "xavier_uniform")
    bias: Initializer = use("initializer", "zeros")

    along = 0

    def output_shape(self, shape: Shape) -> Shape:
        return (self.channels, shape[1] - self.kernel + 1)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        fans = Fans(self.kernel * shape[0], self.kernel * self.channels)
        weight = Parameter((self.channels, self.kernel * shape[0]), self.weight, fans)
        return {"weight": weight, "bias": Parameter((self.channels,), self.bias, fans)}

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        return linear(windows(x, self.kernel), given["weight"], given["bias"])


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the layer, its operations, and their lines in NumPy."""
    rows = {
        "windows": Op(
            lambda x, times, steps, width, kernel: (
                (Rows(rows_of(x.shape) // times * steps), kernel * width),
                "real",
            ),
            lambda dy, y, x, **sizes: (apply("spread_windows", dy, **sizes),),
        ),
        "spread_windows": Op(
            lambda dy, times, steps, width, kernel: (
                (Rows(rows_of(dy.shape) // steps * times), width),
                "real",
            )
        ),
    }
    for name, row in rows.items():
        monkeypatch.setitem(OPS, name, row)
    lines = {name: Text(line, ATOM, (ATOM,)) for name, line in NUMPY_LINES.items()}
    numpy: Any = replace(operations.NUMPY, tensor={**operations.NUMPY.tensor, **lines})
    monkeypatch.setattr(operations, "NUMPY", numpy)
    monkeypatch.setitem(VOCABULARY, "layer", dict(VOCABULARY["layer"]))
    entry("layer")(Conv1d)


def convolved(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """torch's convolution, by a weight whose rows are windows of channels last."""
    channels, size = weight.shape
    kernel = weight.reshape(channels, size // x.shape[1], x.shape[1]).mT
    return torch.nn.functional.conv1d(x, kernel, bias)


@pytest.mark.usefixtures("trial")
def test_a_trial_convolution_compiles_on_numpy_and_agrees_with_autograd() -> None:
    made = compile_source(source(SPEC), Request(target="numpy"))
    assert made.text is not None and not made.diagnostics
    model = raw_module(made.text).Model(dtype=np.float64)
    chance = np.random.default_rng(0)
    x, y = chance.normal(size=(5, 3, 8)), chance.normal(size=(5, 2))
    loss, gradients = model.loss_and_gradients(x, y, input_gradient=True)

    p = {name: torch.tensor(value) for name, value in model.state_dict().items()}
    p["x"] = torch.tensor(x)
    for tensor in p.values():
        tensor.requires_grad_()
    hidden = torch.tanh(convolved(p["x"], p["conv1d1.weight"], p["conv1d1.bias"]))
    hidden = convolved(hidden, p["conv1d2.weight"], p["conv1d2.bias"]).flatten(1)
    prediction = torch.nn.functional.linear(
        hidden, p["linear1.weight"], p["linear1.bias"]
    )
    expected = torch.nn.functional.mse_loss(prediction, torch.tensor(y))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-13)
    for name, tensor in p.items():
        np.testing.assert_allclose(gradients[name], tensor.grad, rtol=1e-11, atol=1e-13)


@pytest.mark.usefixtures("trial")
def test_what_is_kept_is_read_off_the_rows_of_the_sample() -> None:
    first = checked(SPEC).nodes[0]
    assert kept_of(first) == ("columns", "of_columns")
