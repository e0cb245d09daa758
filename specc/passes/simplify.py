"""Fold constants and drop what changes nothing: a factor 1, a term 0, a double transpose.

A scalar factor of an array comes second, which is where the later passes look for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from specc.ir.functions import FUNCTIONS
from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Value, apply, constant, is_constant

NUMERIC = frozenset(
    "exp log log1p expm1 sqrt abs sign sin cos tanh sigmoid softplus erf floor".split()
)
"""The operations of one number that are called as in expressions of a spec."""

FOLDED: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": math.pow,
    "neg": lambda a: -a,
    "greater": lambda a, b: a > b,
    "less": lambda a, b: a < b,
    "greater_equal": lambda a, b: a >= b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "where": lambda condition, a, b: a if condition else b,
    "minimum": min,
    "maximum": max,
    "square": lambda a: a * a,
    "relu": lambda a: max(a, 0),
    **{op: FUNCTIONS[op][0] for op in sorted(NUMERIC)},
}


def _folded(value: Value) -> Value:
    """Fold an operation on constants, unless its result is not finite."""
    numbers = (arg.attribute("value") for arg in value.args)
    try:
        result = FOLDED[value.op](*numbers)
    except (ArithmeticError, ValueError):
        return value
    return constant(result) if math.isfinite(result) else value


ELEMENTWISE = FOLDED.keys() | {"pointwise"}
"""The operations whose result is of the shape of an operand."""


def simplify(program: Program) -> Program:
    """Simplify every Value of a Program."""
    return rewrite(program, _simpler)


def _simpler(value: Value) -> Value:
    args = value.args
    if value.op in FOLDED and all(is_constant(arg) for arg in args):
        return _folded(value)
    if value.op in ("mul", "div") and (reduced := _cancelled(value)) is not None:
        return reduced
    if value.op == "mul" and args[1].op == "count":
        return _totalled(args[0], args[1]) or value
    match value.op:
        case "where" if is_constant(args[0]):
            taken = args[1] if args[0].attribute("value") else args[2]
            return taken if taken.shape == value.shape else value
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
        case "mul" if is_constant(args[1]) and _is_part(args[0]):
            part, n = args[0].args
            return _simpler(part * args[1]) / n
        case "mul" if is_constant(args[0]) and _is_part(args[1]):
            part, n = args[1].args
            return _simpler(part * args[0]) / n
        case "mul" if args[1].shape and not args[0].shape:
            return args[1] * args[0]
        case "count" if _counted(args[0]) is not args[0]:
            return apply("count", _counted(args[0]))
        case "mul" | "where" if any(map(_is_spread, args)):
            return _of_one_number(value)
        case "neg" if _is_spread(args[0]):
            dy, x = args[0].args
            return apply("spread", -dy, x, axis=None, keep=False)
        case "neg" if args[0].op == "neg":
            return args[0].args[0]
        case "transpose" if args[0].op == "transpose":
            return args[0].args[0]
    return value


def _cancelled(value: Value) -> Value | None:
    """Cancel equal counts in a product of numbers; None where nothing cancels."""
    if value.op == "mul" and value.args[0].op == "mul":
        inner, outer = value.args[0], value.args[1]
        made = _cancelled(inner.args[1] * outer) if _is_scalar(inner, outer) else None
        if made is not None:
            return _simpler(inner.args[0] * made)
    if value.shape:
        return None
    factored = _factored(value)
    if factored is None:
        return None
    factor, above, below = factored
    common = [x for x in above if x in below]
    if not common:
        return None
    for x in common:
        above.remove(x)
        below.remove(x)
    result = constant(factor)
    for x in above:
        result = _simpler(result * apply("count", x))
    for x in below:
        result = _simpler(result / apply("count", x))
    return result


def _totalled(value: Value, count: Value) -> Value | None:
    """Return a mean times its count as a sum; None where `value` is no mean."""
    match value:
        case Value(op="mean", args=(x,)):
            same = _counted(x) is _counted(count.args[0])
            return apply("total", x) if same else None
        case Value(op="neg", args=(x,)):
            made = _totalled(x, count)
            return None if made is None else -made
        case Value(op="mul", args=(a, b)):
            first, second = _totalled(a, count), _totalled(b, count)
            if first is not None:
                return first * b
            return None if second is None else a * second
        case Value(op="add", args=(a, b)):
            parts = (_totalled(a, count), _totalled(b, count))
            if parts == (None, None):
                return None
            return (parts[0] or a * count) + (parts[1] or b * count)
    return None


def _is_scalar(inner: Value, outer: Value) -> bool:
    """True if an array or a mean is multiplied by two numbers."""
    return not inner.args[1].shape and not outer.shape


def _factored(value: Value) -> tuple[float, list[Value], list[Value]] | None:
    """Split a product of numbers and counts: a factor, what is counted above and below."""
    if value.op == "const":
        return float(value.attribute("value")), [], []
    if value.op == "count":
        return 1.0, [_counted(value.args[0])], []
    if value.op not in ("mul", "div"):
        return None
    first, second = (_factored(arg) for arg in value.args)
    if first is None or second is None:
        return None
    (a, above, below), (b, over, under) = first, second
    if value.op == "mul":
        factor, above, below = a * b, above + over, below + under
    else:
        factor, above, below = a / b if b else math.inf, above + under, below + over
    return (factor, above, below) if math.isfinite(factor) else None


def _counted(x: Value) -> Value:
    """Return an operand of an elementwise expression that has as many elements."""
    while (x.op in ELEMENTWISE and not x.name) or x.op == "pick":
        if x.op == "pick":
            x = x.args[1]
            continue
        same = [arg for arg in x.args if arg.shape == x.shape]
        if not same:
            break
        x = same[0]
    return x


def _is_part(value: Value) -> bool:
    """True if it is a number divided by a count."""
    return value.op == "div" and is_constant(value.args[0]) and not value.shape


def _is_spread(value: Value) -> bool:
    return value.op == "spread" and value.attribute("axis") is None


def _of_one_number(value: Value) -> Value:
    """Replace an array of one number by that number, where the other operand has the shape."""
    args = tuple(arg.args[0] if _is_spread(arg) else arg for arg in value.args)
    if value.op == "where":
        return apply("where", *args) if args[0].shape else value
    a, b = args if value.args[1].op != "spread" else args[::-1]
    if b.shape:
        return b * a
    spread = next(arg for arg in value.args if _is_spread(arg))
    return apply("spread", a * b, spread.args[1], axis=None, keep=False)
