"""Fold constants and drop what changes nothing: a factor 1, a term 0, a double transpose.

A scalar factor of an array comes second, which is where the later passes look for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from specc.ir import Program, Value, constant, is_constant, rewrite

FOLDED: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: float(a**b),
    "neg": lambda a: -a,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "cos": math.cos,
    "less": lambda a, b: a < b,
    "at_least": lambda a, b: a >= b,
    "greater": lambda a, b: a > b,
    "where": lambda holds, a, b: a if holds else b,
    "minimum": min,
    "maximum": max,
    "floor": math.floor,
}


def simplify(program: Program) -> Program:
    """Simplify every Value of a Program."""
    return rewrite(program, _simpler)


def _simpler(value: Value) -> Value:
    args = value.args
    if value.op in FOLDED and all(is_constant(arg) for arg in args):
        return constant(FOLDED[value.op](*(arg.attribute("value") for arg in args)))
    match value.op:
        case "add" if is_constant(args[1], 0):
            return args[0]
        case "add" if is_constant(args[0], 0):
            return args[1]
        case "sub" if is_constant(args[1], 0):
            return args[0]
        case "mul" if is_constant(args[1], 1):
            return args[0]
        case "mul" if is_constant(args[0], 1):
            return args[1]
        case "div" | "pow" if is_constant(args[1], 1):
            return args[0]
        case "mul" if is_constant(args[0], -1):
            return -args[1]
        case "mul" if args[1].shape and not args[0].shape:
            return args[1] * args[0]
        case "neg" if args[0].op == "neg":
            return args[0].args[0]
        case "transpose" if args[0].op == "transpose":
            return args[0].args[0]
    return value
