"""What expressions may call and name without defining it.

Returns plain Python functions of numbers. Invariant: each ends at once and raises nothing but
ValueError, OverflowError or ZeroDivisionError.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

CONSTANTS: dict[str, bool | float | None] = {
    "true": True,
    "false": False,
    "none": None,
    "pi": math.pi,
}


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "exp": (math.exp, 1),
    "log": (math.log, 1),
    "log1p": (math.log1p, 1),
    "expm1": (math.expm1, 1),
    "sqrt": (math.sqrt, 1),
    "abs": (abs, 1),
    "sign": (lambda x: (x > 0) - (x < 0), 1),
    "sin": (math.sin, 1),
    "cos": (math.cos, 1),
    "tanh": (math.tanh, 1),
    "sigmoid": (_sigmoid, 1),
    "softplus": (lambda x: max(x, 0) + math.log1p(math.exp(-abs(x))), 1),
    "relu": (lambda x: max(x, 0), 1),
    "erf": (math.erf, 1),
    "min": (min, 2),
    "max": (max, 2),
    "floor": (math.floor, 1),
    "where": (lambda condition, a, b: a if condition else b, 3),
}
"""Every function of the language, with its number of arguments."""

FORMULAS = {
    "exp(x)": "e^x.",
    "log(x)": "The natural logarithm of x.",
    "log1p(x)": "log(1 + x), exact near 0.",
    "expm1(x)": "e^x - 1, exact near 0.",
    "sqrt(x)": "The square root of x.",
    "abs(x)": "|x|.",
    "sign(x)": "-1, 0 or 1.",
    "sin(x)": "The sine of x, in radians.",
    "cos(x)": "The cosine of x, in radians.",
    "tanh(x)": "The hyperbolic tangent of x.",
    "sigmoid(x)": "1 / (1 + exp(-x)).",
    "softplus(x)": "log(1 + exp(x)).",
    "relu(x)": "max(x, 0).",
    "erf(x)": "The error function, 2 / sqrt(pi) times the integral of exp(-t^2) to x.",
    "min(a, b)": "The smaller of the two.",
    "max(a, b)": "The larger of the two.",
    "floor(x)": "The largest integer that is at most x.",
    "where(condition, a, b)": "a where the condition holds, else b.",
}
"""How each function is called, and what it gives: what `specc list functions` says."""
