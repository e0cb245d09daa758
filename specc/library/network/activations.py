"""The activations: each word is one function of a Value.

Elementwise ones keep any shape, and their derivative is derived (`slope.py`); softmaxes work along
one axis of a sample. Formulas, kinks and the treatment of NaN are those of `torch.nn.functional`.
"""

from __future__ import annotations

import math
from typing import Literal

from specc.ir import formulas
from specc.ir.value import Value, apply
from specc.library.vocabulary import Positive, entry

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


@entry("activation", operands=1, reach=lambda: (0, math.inf))
def relu(x: Value) -> Value:
    """max(x, 0), with derivative 0 at 0. Source: torch.nn.ReLU."""
    return formulas.relu(x)


@entry("activation", operands=1)
def leaky_relu(x: Value, slope: float) -> Value:
    """x if x > 0, else slope x. Source: Maas, Hannun and Ng 2013."""
    return formulas.where(formulas.greater(x, 0), x, slope * x)


@entry("activation", operands=1, reach=lambda alpha: (-alpha, math.inf))
def elu(x: Value, alpha: Positive = 1.0) -> Value:
    """x if x > 0, else alpha (exp(x) - 1).

    Source: Clevert, Unterthiner and Hochreiter 2016.
    """
    return formulas.where(formulas.greater(x, 0), x, alpha * apply("expm1_below", x))


@entry("activation", operands=1, reach=lambda: (-SELU_SCALE * SELU_ALPHA, math.inf))
def selu(x: Value) -> Value:
    """1.0507 x if x > 0, else 1.0507 1.6733 (exp(x) - 1).

    Source: Klambauer et al. 2017.
    """
    below = SELU_SCALE * SELU_ALPHA * apply("expm1_below", x)
    return formulas.where(formulas.greater(x, 0), SELU_SCALE * x, below)


@entry("activation", operands=1, reach=lambda approximate: (-0.1701, math.inf))
def gelu(x: Value, approximate: Literal["none", "tanh"] = "none") -> Value:
    """x (1 + erf(x / sqrt(2))) / 2, or with `approximate=tanh` its approximation by tanh.

    Source: Hendrycks and Gimpel 2016.
    """
    if approximate == "none":
        return 0.5 * x * (1 + formulas.erf(x / math.sqrt(2)))
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + formulas.tanh(u))


@entry("activation", operands=1, reach=lambda: (-0.2785, math.inf))
def silu(x: Value) -> Value:
    """x sigmoid(x), also called swish. Source: Elfwing, Uchibe and Doya 2018."""
    return x * formulas.sigmoid(x)


@entry("activation", operands=1, reach=lambda: (-0.3089, math.inf))
def mish(x: Value) -> Value:
    """x tanh(softplus(x)). Source: Misra 2019."""
    return x * formulas.tanh(formulas.softplus(x))


@entry("activation", operands=1, reach=lambda: (0, math.inf))
def softplus(x: Value) -> Value:
    """log(1 + exp(x)), computed without overflow. Source: torch.nn.Softplus."""
    return formulas.softplus(x)


@entry("activation", operands=1, reach=lambda: (0, 1))
def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x)). Source: torch.nn.Sigmoid."""
    return formulas.sigmoid(x)


@entry("activation", operands=1, reach=lambda: (-1, 1))
def tanh(x: Value) -> Value:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)). Source: torch.nn.Tanh."""
    return formulas.tanh(x)


@entry("activation", operands=1)
def tanh_shrink(x: Value) -> Value:
    """x - tanh(x). Source: torch.nn.Tanhshrink."""
    return x - formulas.tanh(x)


@entry("activation", operands=1, reach=lambda: (-1, 1))
def hard_tanh(x: Value) -> Value:
    """min(max(x, -1), 1), with derivative 0 at -1 and 1. Source: torch.nn.Hardtanh."""
    return _between(x, -1, 1, x, -1)


@entry("activation", operands=1, reach=lambda: (0, 1))
def hard_sigmoid(x: Value) -> Value:
    """min(max(x / 6 + 1/2, 0), 1), with derivative 0 at -3 and 3.

    Source: torch.nn.Hardsigmoid.
    """
    return _between(x, -3, 3, x / 6 + 0.5, 0)


@entry("activation", operands=1, reach=lambda: (-0.375, math.inf))
def hard_swish(x: Value) -> Value:
    """x (x + 3) / 6 for -3 < x < 3, x for x >= 3, 0 for x <= -3. Source: torch.nn.Hardswish."""
    near = formulas.where(formulas.greater_equal(x, 3), x, x * (x + 3) / 6)
    return formulas.where(apply("less_equal", x, -3), 0, near)


@entry("activation", operands=1, reach=lambda: (-1, 1))
def softsign(x: Value) -> Value:
    """x / (1 + |x|). Source: torch.nn.Softsign."""
    return x / (1 + formulas.abs(x))


@entry("activation", operands=1, reach=lambda axis: (0, 1))
def softmax(x: Value, axis: int = -1) -> Value:
    """exp(x) / sum(exp(x)) along `axis` of a sample, by default the last.

    Source: torch.nn.Softmax.
    """
    return formulas.softmax(x, axis=len(x.shape) - 1)


@entry("activation", operands=1, reach=lambda axis: (-math.inf, 0))
def log_softmax(x: Value, axis: int = -1) -> Value:
    """x - log(sum(exp(x))) along `axis` of a sample, by default the last.

    Source: torch.nn.LogSoftmax.
    """
    return formulas.log_softmax(x, axis=len(x.shape) - 1)


@entry("activation", operands=1)
def identity(x: Value) -> Value:
    """x, unchanged. Source: torch.nn.Identity."""
    return x


def _between(x: Value, low: float, high: float, y: Value, least: float) -> Value:
    """Return y, but 1 for x >= high and `least` for x <= low; NaN stays NaN."""
    above = apply("greater_equal", x, high)
    below = apply("less_equal", x, low)
    return formulas.where(above, 1, formulas.where(below, least, y))
