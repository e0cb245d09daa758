"""Activations and losses far out: +-80, +-1e4, infinities, NaN and kinks, as torch has them.

Where torch has a number, so has every target, the same one; where torch has NaN, a target may have
the limit instead, unless the argument itself is NaN.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from specc.library import VOCABULARY
from specc.verify.reference.network import ACTIVATIONS
from tests.cases.goldens import Goldens
from tests.cases.modules import ROOT, module_of_spec

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

POINTS = (0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 20.5, -20.5, 80.0, -80.0, 1e4, -1e4)
POINTS += (math.inf, -math.inf, math.nan)
ARGUMENTS = {"leaky_relu": "(0.1)"}
WORDS = [
    word
    for word, entry in VOCABULARY["activation"].items()
    if "axis" not in [argument.name for argument in entry.arguments]
]
DTYPES = {torch.float64: 1e-12, torch.float32: 3e-6}


def agrees(found: Tensor, expected: Tensor, bound: float) -> list[str]:
    """Tell where two tensors differ, torch's NaN aside."""
    wrong = []
    for x, f, e in zip(POINTS, found.tolist(), expected.tolist(), strict=True):
        if math.isnan(x) and not math.isnan(e):
            continue  # torch's own gradient of NaN is 0 or 1, by the comparison it makes
        same = f == e or math.isnan(e) and (math.isnan(f) or not math.isnan(x))
        if not same and not abs(f - e) <= bound * max(1.0, abs(e)):
            wrong.append(f"at {x}: {f}, torch has {e}")
    return wrong


def spec_of(word: str) -> str:
    """Write a net that is one activation, whose loss is what it gives."""
    return f"""model net
input x: real[1]
target y: real[1]
def loss itself(p, t) = p
layers {{ {word}{ARGUMENTS.get(word, "")} linear(1, weight=ones) }}
loss itself
optimizer sgd(lr=0.1)
"""


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("word", WORDS)
def test_an_activation_far_out_is_torch_s(
    word: str, dtype: torch.dtype, target: str
) -> None:
    """Value and slope at each of the points."""
    text = spec_of(word)
    net: Any = module_of_spec(text, target=target).Model(dtype=dtype)
    x = torch.tensor(POINTS, dtype=dtype)[:, None]
    expected, expected_slope = of_torch(word, x)
    bound = DTYPES[dtype]
    value = net.forward(x)[:, 0]
    assert agrees(value, expected, bound) == []
    _, gradients = net.loss_and_gradients(x, torch.zeros_like(x), input_gradient=True)
    slope = gradients["x"][:, 0] * len(POINTS)
    assert agrees(slope, expected_slope, bound) == []


def of_torch(word: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Give torch's values and slopes of an activation."""
    arguments: dict[str, Any] = {
        "leaky_relu": {"slope": 0.1},
        "elu": {"alpha": 1.0},
        "gelu": {"approximate": "none"},
    }.get(word, {})
    given = x.clone().requires_grad_()
    table = "ACTIVATIONS of specc/verify/reference/network.py"
    assert word in ACTIVATIONS, f"no reference for {word} in {table}"
    expected = ACTIVATIONS[word](**arguments)(given)
    expected.backward(torch.full_like(expected, 1 / len(x)))
    assert given.grad is not None
    return expected.detach()[:, 0], given.grad[:, 0] * len(x)


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


ALONG = {
    "softmax": lambda z, t: z.softmax(dim=1),
    "log_softmax": lambda z, t: z.log_softmax(dim=1),
}
"""What looks along a row: one number of it far out, and the others near."""


@pytest.mark.parametrize("at", [*filter(math.isfinite, POINTS)])  # others: NaN by W x
@pytest.mark.parametrize("word", [*ALONG, "cross_entropy", "softmax_cross_entropy"])
def test_a_row_far_out_is_torch_s(word: str, at: float, target: str) -> None:
    classes = word.endswith("cross_entropy")
    text = f"""model net
input x: real[3]
target y: {"int[]" if classes else "real[3]"}
def loss product(p, t) = p * t
layers {{ linear(3, weight=ones) {"" if word == "cross_entropy" else word.partition("_cross")[0]} }}
loss {"cross_entropy" if classes else "product"}
optimizer sgd(lr=0.1)
"""
    net: Any = module_of_spec(text, target=target).Model(dtype=torch.float64)
    state = net.state_dict()
    state["linear1.weight"] = torch.eye(3, dtype=torch.float64)
    net.load_state_dict(state)
    z = torch.tensor([[at, 0.5, -1.0], [0.25, at, at]], dtype=torch.float64)
    y = torch.tensor([[0.3, -0.7, 1.1], [0.4, 0.2, -0.6]], dtype=torch.float64)
    given = z.clone().requires_grad_()
    if classes:
        y = torch.tensor([1, 2])
        expected = torch.nn.functional.cross_entropy(given, y)
    else:
        expected = (ALONG[word](given, y) * y).mean()
    expected.backward()
    assert given.grad is not None
    loss, gradients = net.loss_and_gradients(z, y, input_gradient=True)
    assert abs(loss - float(expected)) <= 1e-12 * max(1.0, abs(loss))
    torch.testing.assert_close(gradients["x"], given.grad, rtol=1e-12, atol=1e-14)


PAGE = """# Activations at extreme inputs

Each cell is `value, slope`, computed by the NumPy module in float64. The torch and C modules,
float32 and torch itself agree. An asterisk marks cells in which torch has NaN as the value or the
slope; there a target may return the limit instead. For an input of NaN, every activation returns
NaN.

The tests that write this page compare every target with torch, in float64 and float32, at these
points and at 1, 3 and 20.5 on both sides of 0. Losses, `softmax` and `log_softmax` are compared
in the same way.

"""
SHOWN = (-math.inf, -1e4, -80.0, 0.0, 80.0, 1e4, math.inf)


def test_the_page_of_extreme_values_is_up_to_date(goldens: Goldens) -> None:
    """docs/extremes.md: what is documented is what was computed."""
    lines = [
        f"| | {' | '.join(map(shown, SHOWN))} |",
        "|---|" + "---:|" * len(SHOWN),
    ]
    x = torch.tensor(SHOWN, dtype=torch.float64)[:, None]
    for word in WORDS:
        net: Any = module_of_spec(spec_of(word), target="numpy").Model(
            dtype=torch.float64
        )
        values = net.forward(x)[:, 0].tolist()
        _, found = net.loss_and_gradients(x, torch.zeros_like(x), input_gradient=True)
        slopes = (found["x"][:, 0] * len(x)).tolist()
        known = [torch.isnan(each) for each in of_torch(word, x)]
        unknown = (known[0] | known[1]).tolist()
        cells = [
            f"{shown(value)}, {shown(slope)}{'*' if marked else ''}"
            for value, slope, marked in zip(values, slopes, unknown, strict=True)
        ]
        lines.append(f"| `{word}{ARGUMENTS.get(word, '')}` | {' | '.join(cells)} |")
    goldens.compare(ROOT / "docs" / "extremes.md", PAGE + "\n".join(lines) + "\n")


def shown(number: float) -> str:
    """Write a number for the page; a zero without its sign."""
    digits = ",.0f" if 1000 <= abs(number) < math.inf else ".3g"
    return f"{number + 0.0:{digits}}".replace("inf", "∞").replace("nan", "NaN")
