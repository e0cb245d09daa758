"""Activations and losses far out: +-80, +-1e4, infinities, NaN and kinks, as torch has them.

Where torch has a number, so has every target, the same one; where torch has NaN, a target may have
the limit instead, unless the argument itself is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from specc.library import VOCABULARY
from tests.modules import module_of_spec
from tests.reference import ACTIVATIONS

POINTS = (0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 20.5, -20.5, 80.0, -80.0, 1e4, -1e4)
POINTS += (math.inf, -math.inf, math.nan)
ARGUMENTS = {"leaky_relu": "(0.1)"}
WORDS = [
    word
    for word, entry in VOCABULARY["activation"].items()
    if "axis" not in [argument.name for argument in entry.arguments]
]
DTYPES = {torch.float64: 1e-12, torch.float32: 3e-6}


def agrees(found: torch.Tensor, expected: torch.Tensor, bound: float) -> list[str]:
    """Tell where two tensors differ, torch's NaN aside."""
    wrong = []
    for x, f, e in zip(POINTS, found.tolist(), expected.tolist(), strict=True):
        if math.isnan(x) and not math.isnan(e):
            continue  # torch's own gradient of NaN is 0 or 1, by the comparison it makes
        same = f == e or math.isnan(e) and (math.isnan(f) or not math.isnan(x))
        if not same and not abs(f - e) <= bound * max(1.0, abs(e)):
            wrong.append(f"at {x}: {f}, torch has {e}")
    return wrong


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("word", WORDS)
def test_an_activation_far_out_is_torch_s(
    word: str, dtype: torch.dtype, target: str
) -> None:
    """Value and slope at each of the points."""
    use = word + ARGUMENTS.get(word, "")
    text = f"""model net
input x: real[1]
target y: real[1]
def loss itself(p, t) = p
layers {{ {use} linear(1, weight=ones) }}
loss itself
optimizer sgd(lr=0.1)
"""
    net: Any = module_of_spec(text, target=target).Model(dtype=dtype)
    x = torch.tensor(POINTS, dtype=dtype)[:, None]
    given = x.clone().requires_grad_()
    arguments = {"slope": 0.1} if word == "leaky_relu" else {}
    if word == "elu":
        arguments = {"alpha": 1.0}
    if word == "gelu":
        arguments = {"approximate": "none"}
    expected = ACTIVATIONS[word](**arguments)(given)
    expected.backward(torch.full_like(expected, 1 / len(POINTS)))
    assert given.grad is not None
    bound = DTYPES[dtype]
    value = net.forward(x)[:, 0]
    assert agrees(value, expected.detach()[:, 0], bound) == []
    _, gradients = net.loss_and_gradients(x, torch.zeros_like(x), input_gradient=True)
    slope = gradients["x"][:, 0] * len(POINTS)
    assert agrees(slope, given.grad[:, 0] * len(POINTS), bound) == []


LOSSES = {
    "mse": torch.nn.functional.mse_loss,
    "mae": torch.nn.functional.l1_loss,
    "huber": torch.nn.functional.huber_loss,
    "binary_cross_entropy": torch.nn.functional.binary_cross_entropy_with_logits,
}


@pytest.mark.parametrize("at", POINTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_far_out_is_torch_s(loss: str, at: float, target: str) -> None:
    text = f"""model net
input x: real[1]
target y: real[1]
layers {{ linear(1, weight=ones) }}
loss {loss}
optimizer sgd(lr=0.1)
"""
    net: Any = module_of_spec(text, target=target).Model(dtype=torch.float64)
    x = torch.full((1, 1), at, dtype=torch.float64)
    y = torch.full((1, 1), 0.25, dtype=torch.float64)
    given = x.clone().requires_grad_()
    expected = LOSSES[loss](given, y)
    expected.backward()
    found, gradients = net.loss_and_gradients(x, y, input_gradient=True)
    assert given.grad is not None
    for mine, other in ((found, expected), (gradients["x"], given.grad)):
        e, f = float(other.detach()), float(mine)
        if not math.isnan(e) and not math.isnan(at):
            assert f == e or abs(f - e) <= 1e-12 * max(1.0, abs(e))
    assert math.isnan(found) or not math.isnan(at)
