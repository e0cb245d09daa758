"""Differentiates an elementwise function and writes the derivative as a person would.

Takes an expression in one argument; returns a Slope: the derivative in the result, the argument and
those parts of the expression that are costly and that the derivative needs again. Kinks are those
of torch. Invariant: a `where` chooses between derivatives, and no infinite one is multiplied by 0.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from specc.calculus.algebra import Algebra, Beyond
from specc.ir import formulas
from specc.ir.program import in_order
from specc.ir.value import OPS, Value, apply, is_constant, named

COSTLY = frozenset("exp expm1 log log1p sqrt sin cos tanh sigmoid softplus erf".split())
"""What is kept rather than computed again."""


@dataclass(frozen=True)
class Slope:
    """A function and its derivative; their leaves are arguments, by name."""

    body: Value
    """The function, in its arguments and what is kept."""
    slope: Value
    """The derivative, in the result `y` and the leaves of the body."""
    kept: tuple[tuple[str, Value], ...]
    """Name -> a part of the function, in its arguments alone."""


def slope_of(body: Value, by: str, keep: bool = True) -> Slope:
    """Differentiate `body` by the argument called `by`; `keep` names its costly parts."""
    algebra = Algebra()
    body = _settled(algebra.interned(body), algebra, whole=True)
    algebra.atoms = {part for part in in_order([body]) if part.args}
    scale, factors = algebra.factors(body)
    if keep and len(factors) > 1 and COSTLY & {part.op for part in in_order([body])}:
        algebra.known = (scale, factors, algebra.leaf("y"))
    found = _tangent(body, by, algebra)
    if body.op == "where" and keep:
        found = _in_branches(found, body, algebra)
    found = _settled(found, algebra)
    kept = _kept(found, body) if keep else {}
    names = {value: algebra.leaf(name) for name, value in kept.items()}
    of_slope = names | ({body: algebra.leaf("y")} if keep and body.args else {})
    return Slope(
        _replaced(body, names), _replaced(found, of_slope), tuple(kept.items())
    )


def activated(function: Callable[[Value], Value], x: Value) -> Value:
    """Apply an elementwise function to x, whose derivative is then derived here.

    A function that is one operation of the table stays that one.
    """
    body = function(formulas.scalar("x"))
    if not any(arg.args for arg in body.args) and body.op != "where":
        return function(x)
    made = _known_slope(Spelt(_spelling(body), body))
    kept = [named(formulas.filled(part, {"x": x}), name) for name, part in made.kept]
    names = ("x", *(name for name, _ in made.kept))
    return apply("pointwise", x, *kept, body=made.body, slope=made.slope, names=names)


@dataclass(frozen=True)
class Spelt:
    """An expression that compares equal to any other of the same text."""

    text: str
    body: Value = field(compare=False)


@functools.lru_cache(maxsize=256)
def _known_slope(spelt: Spelt) -> Slope:
    """Return the derivative by x, cached: a network has most activations many times."""
    return slope_of(spelt.body, "x")


def _spelling(body: Value) -> str:
    places: dict[Value, int] = {}
    lines = []
    for place, part in enumerate(in_order([body])):
        places[part] = place
        args = [places[arg] for arg in part.args]
        lines.append(f"{part.op} {args} {part.attrs!r} {part.name}")
    return "\n".join(lines)


def pointwise(
    element: Callable[[Value, Value], Value], prediction: Value, target: Value
) -> Value:
    """Apply an elementwise function whose derivative is by its first argument alone."""
    p, t = formulas.scalar("p"), formulas.scalar("t")
    made = slope_of(element(p, t), "p", keep=False)
    body, slope = (_with_residual(each) for each in (made.body, made.slope))
    names = ("p", "t")
    return apply("pointwise", prediction, target, body=body, slope=slope, names=names)


def _with_residual(expression: Value) -> Value:
    """Call p - t the residual, which it is."""
    found = {
        part: formulas.scalar("residual")
        for part in in_order([expression])
        if part.op == "sub" and [arg.name for arg in part.args] == ["p", "t"]
    }
    return _replaced(expression, found)


def _tangent(body: Value, by: str, algebra: Algebra) -> Value:
    """Differentiate forwards: of an elementwise row, `dy` may as well be a tangent."""
    zero = algebra.number(0)
    tangents: dict[Value, Value] = {}
    for value in in_order([body]):
        moving = [tangents.get(arg, zero) for arg in value.args]
        if value.op == "input":
            tangent = algebra.number(1 if value.name == by else 0)
        elif all(is_constant(each, 0) for each in moving):
            tangent = zero
        else:
            tangent = algebra.simple(_chained(value, moving))
        tangents[value] = tangent
    return tangents[body]


def _chained(value: Value, moving: list[Value]) -> Value:
    match value.op:
        case "where":
            return formulas.where(value.args[0], moving[1], moving[2])
        case "maximum" | "minimum":  # torch halves the derivative where both are equal
            a, b = value.args
            first, second = moving
            sign = 1 if value.op == "maximum" else -1
            if is_constant(a):
                a, b, first, second = b, a, second, first
            if is_constant(second, 0) and is_constant(b):
                above = a - b if sign > 0 else b - a
                return first * (1 + apply("sign", above)) / 2
            half = formulas.where(formulas.equal(a, b), 0.5 * (first + second), second)
            if sign < 0:
                a, b = b, a
            return formulas.where(formulas.greater(a, b), first, half)
    derivative = OPS[value.op].derivative
    if derivative is None:
        return formulas.number(0)
    total = formulas.number(0)
    for i, dy in enumerate(moving):
        if not is_constant(dy, 0):
            part = derivative(dy, value, *value.args)[i]
            total = total if part is None else total + part
    return total


def _in_branches(found: Value, body: Value, algebra: Algebra) -> Value:
    """Write a branch in terms of y: alpha e + alpha is y + alpha."""
    if found.op != "where" or found.args[0] is not body.args[0]:
        return found
    y = algebra.leaf("y")
    made = []
    for result, branch in zip(body.args[1:], found.args[1:], strict=True):
        scale, factors = algebra.factors(result)
        coefficient, around = algebra.factors(branch)
        spread = [(coefficient, branch)]
        sums = [base for base, e in around.items() if base.op == "add" and e == 1]
        if sums and len(around) == 1:
            spread = [(coefficient * c, term) for c, term in algebra.terms(sums[0])]
        hit = any(factors and algebra.factors(t)[1] == factors for _, t in spread)
        if not hit or result.op == "input":
            made.append(branch)
            continue
        named = [
            (c / scale, y) if algebra.factors(term)[1] == factors else (c, term)
            for c, term in spread
        ]
        try:
            made.append(algebra.sum(named))
        except Beyond:
            made.append(branch)
    return algebra.apply("where", found.args[0], *made)


def _settled(found: Value, algebra: Algebra, whole: bool = False) -> Value:
    """Take operations into a choice between two numbers, which is no array of a known type.

    What is multiplied by a derivative may end in such a choice; what is `whole` may not.
    """
    new: dict[Value, Value] = {}
    for value in in_order([found]):
        args = [new[arg] for arg in value.args]
        if value.op in ("add", "sub") or any(arg.op == "const" for arg in args):
            args = [_chosen(arg, value, algebra) for arg in args]
        choice = next((i for i, arg in enumerate(args) if _is_of_numbers(arg)), None)
        stays = choice is None or value.dtype == "bool"
        if value.op == "where" and not (whole and _has_array(args[1:])):
            stays = True
        if choice is None and all(map(operator.is_, args, value.args)):
            new[value] = value
        elif stays or choice is None:
            new[value] = algebra.apply(value.op, *args)
        else:
            condition, *branches = args[choice].args
            made = [
                algebra.apply(value.op, *args[:choice], branch, *args[choice + 1 :])
                for branch in branches
            ]
            new[value] = algebra.apply("where", condition, *made)
    return new[found]


def _chosen(value: Value, by: Value, algebra: Algebra) -> Value:
    """Return a choice between 1 and 0 for a truth value, whose numeric type is unknown."""
    if value.dtype != "bool" or by.op not in ("add", "sub", "mul", "div"):
        return value
    return algebra.make("where", value, algebra.number(1), algebra.number(0))


def _has_array(branches: list[Value]) -> bool:
    return any(b.op != "const" and not _is_of_numbers(b) for b in branches)


def _is_of_numbers(value: Value) -> bool:
    return value.op == "where" and all(
        arg.op == "const" or _is_of_numbers(arg) for arg in value.args[1:]
    )


def _kept(found: Value, body: Value) -> dict[str, Value]:
    """Name the costly parts of the function that its derivative reads."""
    inside = set(in_order([body])) - {body}
    kept: dict[str, Value] = {}
    waiting, seen = [found], set()
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        if value is body:
            continue
        if value in inside and value.op in COSTLY:
            count = sum(part.op == value.op for part in kept.values())
            kept[value.op + (str(count + 1) if count else "")] = value
        else:
            waiting += reversed(value.args)
    return kept


def _replaced(expression: Value, names: Mapping[Value, Value]) -> Value:
    new: dict[Value, Value] = {}
    for part in in_order([expression]):
        if part in names:
            new[part] = names[part]
        elif part.args:
            args = tuple(new[arg] for arg in part.args)
            new[part] = apply(part.op, *args, **dict(part.attrs))
        else:
            new[part] = part
    return new[expression]
