"""The initializers: each word gives the distribution that a parameter is drawn from.

Takes the fans of the weight, returns a `Draw` with numbers known at compile time, since every shape
is. Sources: Glorot and Bengio 2010 (xavier), He et al. 2015 (he).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from specc.library.vocabulary import ArgumentError, Positive, entry

TRUNCATED_STD = 0.87962566103423978
"""The standard deviation of a standard normal truncated at two standard deviations."""


@dataclass(frozen=True)
class Draw:
    """A distribution, its two parameters, and the formula that they came from.

    `uniform`: from `a` to `b`; `normal` and `truncated`: mean `a`, standard deviation `b`;
    `constant`: `a`; `orthogonal`: gain `a`.
    """

    distribution: Literal["uniform", "normal", "truncated", "constant", "orthogonal"]
    a: float
    b: float = 0.0
    formula: str = ""
    """The formula for a comment, such as `std = sqrt(2 / fan_in)`; plain ASCII."""


@dataclass(frozen=True)
class Fans:
    """The numbers of inputs and outputs of a weight; None for a bias, which has no fans."""

    fan_in: int
    fan_out: int


def _normal(mean: float, std: float, truncated: bool, formula: str) -> Draw:
    if truncated:
        return Draw("truncated", mean, std / TRUNCATED_STD, formula)
    return Draw("normal", mean, std, formula)


@entry("initializer", operands=1)
def xavier_uniform(fans: Fans, gain: Positive = 1.0) -> Draw:
    """U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio 2010.
    """
    a = gain * math.sqrt(6 / (fans.fan_in + fans.fan_out))
    return Draw("uniform", -a, a, f"a = {_gain(gain)}sqrt(6 / (fan_in + fan_out))")


@entry("initializer", operands=1)
def xavier_normal(fans: Fans, gain: Positive = 1.0, truncated: bool = False) -> Draw:
    """N(0, s) with s = gain sqrt(2 / (fan_in + fan_out)).

    Source: Glorot and Bengio 2010.
    """
    std = gain * math.sqrt(2 / (fans.fan_in + fans.fan_out))
    formula = f"std = {_gain(gain)}sqrt(2 / (fan_in + fan_out))"
    return _normal(0.0, std, truncated, formula)


@entry("initializer", operands=1)
def he_uniform(fans: Fans, mode: Literal["fan_in", "fan_out"] = "fan_in") -> Draw:
    """U(-a, a) with a = sqrt(6 / fan), fan by `mode`. Source: He et al. 2015."""
    a = math.sqrt(6 / getattr(fans, mode))
    return Draw("uniform", -a, a, f"a = sqrt(6 / {mode})")


@entry("initializer", operands=1)
def he_normal(
    fans: Fans,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    truncated: bool = False,
) -> Draw:
    """N(0, s) with s = sqrt(2 / fan), fan by `mode`. Source: He et al. 2015."""
    std = math.sqrt(2 / getattr(fans, mode))
    return _normal(0.0, std, truncated, f"std = sqrt(2 / {mode})")


@entry("initializer", operands=1)
def uniform(fans: Fans | None, low: float = -0.05, high: float = 0.05) -> Draw:
    """U(low, high). Source: torch.nn.init.uniform_."""
    if low >= high:
        raise ArgumentError("high", f"`high` must be above `low` ({low:g})")
    return Draw("uniform", low, high)


@entry("initializer", operands=1)
def normal(
    fans: Fans | None,
    mean: float = 0.0,
    std: Positive = 0.05,
    truncated: bool = False,
) -> Draw:
    """N(mean, std), with std the standard deviation. Source: torch.nn.init.normal_."""
    return _normal(mean, std, truncated, "")


@entry("initializer", operands=1)
def constant(fans: Fans | None, value: float) -> Draw:
    """The value in every place. Source: torch.nn.init.constant_."""
    return Draw("constant", value)


@entry("initializer", operands=1)
def zeros(fans: Fans | None) -> Draw:
    """0 in every place. Source: torch.nn.init.zeros_."""
    return Draw("constant", 0.0)


@entry("initializer", operands=1)
def ones(fans: Fans | None) -> Draw:
    """1 in every place. Source: torch.nn.init.ones_."""
    return Draw("constant", 1.0)


@entry("initializer", operands=1)
def torch_default(fans: Fans) -> Draw:
    """U(-a, a) with a = 1 / sqrt(fan_in), with fan_in that of the layer's weight: the default of
    `torch.nn`.

    Source: torch.nn.Linear.
    """
    a = 1 / math.sqrt(fans.fan_in)
    return Draw("uniform", -a, a, "a = 1 / sqrt(fan_in)")


@entry("initializer", operands=1)
def orthogonal(fans: Fans, gain: Positive = 1.0) -> Draw:
    """An orthogonal matrix times gain: the sign-corrected Q of a normal matrix.

    Source: Saxe, McClelland and Ganguli 2014; torch.nn.init.orthogonal_.
    """
    return Draw("orthogonal", gain)


NEEDS_WEIGHT = frozenset(
    {"xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "orthogonal"}
)
"""The initializers that need fans, which a bias does not have."""


def _gain(gain: float) -> str:
    return "" if gain == 1 else f"{gain:g} * "
