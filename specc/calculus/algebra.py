"""Collects elementwise expressions: products by powers, sums by like terms.

Takes expressions whose leaves are arguments and numbers, all scalars; returns shorter ones with the
same meaning. Equal expressions become the same Value, so that `is` compares them. Invariant:
nothing is expanded unless it gets shorter by it, so a stable form stays one.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from typing import Any

from specc.ir import formulas
from specc.ir.program import in_order
from specc.ir.value import Value, apply, constant, is_constant
from specc.passes.simplify import FOLDED

Factors = dict[Value, float]
"""Base -> exponent."""


class Beyond(Exception):
    """A coefficient overflowed; the expression stays as it was written."""


class Algebra:
    """Makes Values, each once, and no longer than they have to be."""

    def __init__(self) -> None:
        self.made: dict[Any, Value] = {}
        self.atoms: set[Value] = set()
        """Keeps an expression as a person wrote it, part by part."""
        self.known: tuple[float, Factors, Value] | None = None
        """A product that has a name: its coefficient, its factors, the name."""

    def number(self, value: float) -> Value:
        """Return the constant; a rounding error off a short decimal is rounded to it."""
        if not math.isfinite(value):
            raise Beyond
        short = float(f"{value:.12g}")
        number = short if abs(short - value) <= 4e-16 * abs(value) else value
        if float(number).is_integer() and abs(number) < 2**53:
            number = int(number)
        return self.made.setdefault(("const", number), constant(number))

    def make(self, op: str, *args: Value, **attrs: Any) -> Value:
        """Return the Value of an operation, unsimplified."""
        key = (op, args, tuple(attrs.items()))
        if key not in self.made:
            self.made[key] = apply(op, *args, **attrs)
        return self.made[key]

    def leaf(self, name: str) -> Value:
        """Make an argument."""
        return self.made.setdefault(("input", name), formulas.scalar(name))

    def interned(self, value: Value) -> Value:
        """Make equal parts of an expression the same, and leave the rest as it is."""
        return self._rebuilt(value, lambda op, args, attrs: self._plain(op, *args))

    def simple(self, value: Value) -> Value:
        """Collect products and sums, bottom-up."""
        return self._rebuilt(value, lambda op, args, attrs: self.apply(op, *args))

    def _rebuilt(self, value: Value, rule: Callable[..., Value]) -> Value:
        new: dict[Value, Value] = {}
        for part in in_order([value]):
            if part.op == "input":
                new[part] = self.leaf(part.name)
            elif part.op == "const":
                new[part] = self.number(part.attribute("value"))
            elif part in self.atoms:
                new[part] = part
            else:
                args = tuple(new[arg] for arg in part.args)
                new[part] = rule(part.op, args, part.attrs)
        return new[value]

    def _plain(self, op: str, *args: Value) -> Value:
        folded = self._folded(op, args)
        return folded if folded is not None else self.make(op, *args)

    def _folded(self, op: str, args: tuple[Value, ...]) -> Value | None:
        if op not in FOLDED or not all(is_constant(arg) for arg in args):
            return None
        try:
            result = FOLDED[op](*(arg.attribute("value") for arg in args))
        except (ArithmeticError, ValueError):
            return None
        if isinstance(result, complex) or not math.isfinite(result):
            return None
        return self.number(result)

    def apply(self, op: str, *args: Value) -> Value:
        """Return the Value of an operation in its shortest form."""
        folded = self._folded(op, args)
        if folded is not None:
            return folded
        try:
            return self._collected(op, args)
        except Beyond:
            return self.make(op, *args)

    def _collected(self, op: str, args: tuple[Value, ...]) -> Value:
        match op:
            case "mul" | "div" | "neg" | "square":
                return self.product(*self._factors(op, args))
            case "pow" if _is_whole(args[1]):
                return self.product(*self._factors(op, args))
            case "add":
                return self.sum([*self.terms(args[0]), *self.terms(args[1])])
            case "sub":
                second = [(-c, term) for c, term in self.terms(args[1])]
                return self.sum([*self.terms(args[0]), *second])
            case "where":
                return self._where(*args)
            case "greater" if args[0].op == "relu" and is_constant(args[1], 0):
                return self.make(op, args[0].args[0], args[1])
        return self.make(op, *args)

    def _where(self, condition: Value, a: Value, b: Value) -> Value:
        if a.op == "where" and a.args[0] is condition:
            a = a.args[1]
        if b.op == "where" and b.args[0] is condition:
            b = b.args[2]
        return a if a is b else self.make("where", condition, a, b)

    # Products: a coefficient, and bases with whole exponents.

    def factors(self, value: Value) -> tuple[float, Factors]:
        """Split a product."""
        if value.op == "const":
            return value.attribute("value"), {}
        if value.op in ("mul", "div", "neg", "square") or (
            value.op == "pow" and _is_whole(value.args[1])
        ):
            with contextlib.suppress(Beyond):
                return self._factors(value.op, value.args)
        return 1, {value: 1}

    def _factors(self, op: str, args: tuple[Value, ...]) -> tuple[float, Factors]:
        coefficient, found = self.factors(args[0])
        if op == "neg":
            return -coefficient, found
        if op == "square" or op == "pow":
            power = 2 if op == "square" else args[1].attribute("value")
            if coefficient == 0 and power < 0:
                return 1, {self.make(op, *args): 1}
            raised = {b: e * power for b, e in found.items()}
            return _raised(coefficient, power), raised
        other, more = self.factors(args[1])
        sign = 1 if op == "mul" else -1
        if other == 0 and sign < 0:
            return 1, {self.make(op, *args): 1}
        found = dict(found)
        for base, exponent in more.items():
            found[base] = found.get(base, 0) + sign * exponent
        return _times(coefficient, _raised(other, sign)), found

    def product(self, coefficient: float, found: Factors) -> Value:
        """Assemble a product: over its denominator, the number first."""
        if coefficient == 0:
            return self.number(0)
        coefficient, found = self._with_known(coefficient, self._absolute(found))
        order = sorted(found, key=_late)
        above = [self._power(b, found[b]) for b in order if found[b] > 0]
        below = [self._power(b, -found[b]) for b in order if found[b] < 0]
        number = self.number(coefficient).attribute("value")
        over = self.number(1 / abs(coefficient)).attribute("value")
        long = len(repr(number)) > 8 or (below and above)
        if isinstance(over, int) and over > 1 and long:  # a third is / 3
            below, number = [self.number(over), *below], 1 if number > 0 else -1
        if abs(number) != 1 or not above:
            above, number = [self.number(number), *above], 1
        result = self._chain(above)
        if below:
            result = self.make("div", result, self._chain(below))
        return self.make("neg", result) if number < 0 else result

    def _chain(self, parts: list[Value]) -> Value:
        result = parts[0]
        for part in parts[1:]:
            result = self.make("mul", result, part)
        return result

    def _power(self, base: Value, exponent: float) -> Value:
        if exponent == 1:
            return base
        return self.make("pow", base, self.number(exponent))

    def _absolute(self, found: Factors) -> Factors:
        """Write x sign(x) as |x|, relu(x) [x > 0] as relu(x); leave out what cancels."""
        found = {base: e for base, e in found.items() if e}
        rectified = {b.args[0] for b, e in found.items() if b.op == "relu" and e > 0}
        for base in list(found):
            above_0 = base.op == "greater" and is_constant(base.args[1], 0)
            if above_0 and base.args[0] in rectified:
                del found[base]
        for base in list(found):
            if base.op == "sign" and found[base] == 1:
                x = base.args[0]
                if found.get(x) == 1:
                    places = {base: self.make("abs", x)}
                    kept = {b: e for b, e in found.items() if b is not x}
                    found = {places.get(b, b): e for b, e in kept.items()}
        return found

    def _with_known(self, coefficient: float, found: Factors) -> tuple[float, Factors]:
        """Use the name of a known product that is part of this one."""
        if self.known is None:
            return coefficient, found
        scale, inside, name = self.known
        if not all(found.get(b, 0) * e >= e * e for b, e in inside.items()):
            return coefficient, found
        rest = {b: e - inside.get(b, 0) for b, e in found.items()}
        rest = {b: e for b, e in rest.items() if e}
        return coefficient / scale, {name: rest.pop(name, 0) + 1, **rest}

    # Sums: coefficients and products.

    def terms(self, value: Value) -> list[tuple[float, Value]]:
        """Split a sum into coefficients and terms (1 for a number)."""
        if value.op in ("add", "sub"):
            sign = 1 if value.op == "add" else -1
            second = [(sign * c, term) for c, term in self.terms(value.args[1])]
            return [*self.terms(value.args[0]), *second]
        if value.op == "neg":
            return [(-c, term) for c, term in self.terms(value.args[0])]
        coefficient, found = self.factors(value)
        return [(coefficient, self._unit(found))]

    def _unit(self, found: Factors) -> Value:
        return self.product(1, found) if found else self.number(1)

    def sum(self, parts: Iterable[tuple[float, Value]]) -> Value:
        """Assemble a sum: like terms first collected, then common factors."""
        collected: dict[Value, float] = {}
        for coefficient, term in parts:
            collected[term] = collected.get(term, 0) + coefficient
        terms = [(c, term) for term, c in collected.items() if abs(c) > 1e-300]
        if not terms:
            return self.number(0)
        if len(terms) == 1:
            coefficient, term = terms[0]
            return self.product(coefficient, self.factors(term)[1])
        return self._over_one(terms) or self._factored(terms) or self._added(terms)

    def _added(self, terms: list[tuple[float, Value]]) -> Value:
        first = next((i for i, (c, _) in enumerate(terms) if c > 0), 0)
        terms = [terms[first], *terms[:first], *terms[first + 1 :]]
        made = [
            (c > 0, self.product(abs(c), self.factors(term)[1])) for c, term in terms
        ]
        result = made[0][1] if made[0][0] else self.make("neg", made[0][1])
        for positive, part in made[1:]:
            result = self.make("add" if positive else "sub", result, part)
        return result

    def _factored(self, terms: list[tuple[float, Value]]) -> Value | None:
        """Factor out what all terms have in common."""
        apart = [(c, self.factors(term)[1]) for c, term in terms]
        common = dict(apart[0][1])
        for _, found in apart[1:]:
            common = {b: _shared(e, found.get(b, 0)) for b, e in common.items()}
        common = {b: e for b, e in common.items() if e}
        sizes = {abs(c) for c, _ in apart}
        scale = sizes.pop() if len(sizes) == 1 else 1.0
        if not common and scale == 1:
            return None
        if not common and any(not found for _, found in apart):
            return None  # 2 - 2 x stays
        rest = []
        for c, found in apart:
            left = {b: e - common.get(b, 0) for b, e in found.items()}
            rest.append((c / scale, self._unit({b: e for b, e in left.items() if e})))
        inside = self.sum(rest)
        if inside.op == "const":
            return self.product(scale * inside.attribute("value"), common)
        coefficient, found = self.factors(inside)
        joined = dict(common)
        for base, exponent in found.items():
            joined[base] = joined.get(base, 0) + exponent
        return self.product(scale * coefficient, joined)

    def _over_one(self, terms: list[tuple[float, Value]]) -> Value | None:
        """Bring terms over one denominator, where the numerators then cancel."""
        apart = [(c, self.factors(term)[1]) for c, term in terms]
        for base in dict.fromkeys(b for _, found in apart for b in found):
            powers = [found.get(base, 0) for _, found in apart]
            if base.op not in ("add", "sub") or max(powers) - min(powers) != 1:
                continue
            if max(powers) > 0:
                continue
            above: list[tuple[float, Value]] = []
            for (c, found), power in zip(apart, powers, strict=True):
                rest = {b: e for b, e in found.items() if b is not base}
                times = (
                    self.terms(base) if power > min(powers) else [(1, self.number(1))]
                )
                for factor, term in times:
                    whole = dict(rest)
                    for b, e in self.factors(term)[1].items():
                        whole[b] = whole.get(b, 0) + e
                    whole = self._absolute(whole)
                    above.append((c * factor, self._unit(whole)))
            collected: dict[Value, float] = {}
            for c, term in above:
                collected[term] = collected.get(term, 0) + c
            left = [(c, term) for term, c in collected.items() if c]
            if len(left) <= len(terms):
                coefficient, found = self.factors(self.sum(left))
                made = self.product(coefficient, {**found, base: min(powers)})
                shorter = _size(made) < _size(self._added(terms))
                return made if shorter else None
        return None


def _times(a: float, b: float) -> float:
    """Return the product; raise Beyond on overflow or underflow."""
    return _within(lambda: a * b, a and b)


def _raised(a: float, exponent: float) -> float:
    """Return the power; raise Beyond on overflow or underflow."""
    return _within(lambda: a**exponent, a)


def _within(compute: Callable[[], float], expected: float) -> float:
    """Compute a number; where it is infinite, or 0 though 0 is not `expected`, raise Beyond."""
    try:
        result = compute()
        if not math.isfinite(result) or (expected and not result):
            raise Beyond
    except OverflowError:
        raise Beyond from None
    return result


def _late(base: Value) -> int:
    """Order the factors of a product: plain names, functions, sums."""
    return {"input": 0, "add": 2, "sub": 2}.get(base.op, 1)


def _size(value: Value) -> int:
    """Count the operations of an expression as it is printed."""
    return bool(value.args) + sum(map(_size, value.args))


def _shared(a: float, b: float) -> float:
    """Return the largest power of a base that divides both."""
    return 0 if a * b <= 0 else min(a, b, key=abs)


def _is_whole(exponent: Value) -> bool:
    return is_constant(exponent) and float(exponent.attribute("value")).is_integer()
