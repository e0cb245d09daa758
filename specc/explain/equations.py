"""The equations of an explanation: a Value as a line of mathematics, with its rule and lines.

Takes Values, returns equations. Invariant: an equation spells its Value out, down to the values
that have names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from specc.calculus import latex
from specc.emit.pieces import dims
from specc.explain.code_lines import Lines
from specc.ir.program import Program, in_order
from specc.ir.rewrite import nameless
from specc.ir.value import OPS, Value, argument
from specc.passes.expand import expand
from specc.passes.simplify import simplify

ARITHMETIC = frozenset(("add", "sub", "mul", "div", "neg", "input", "const", "count"))
"""The operations that are not listed as rules where an equation has others."""
KNOWN = frozenset({"softmax", "log_softmax"})
"""The composites that are written by name."""


@dataclass(frozen=True)
class Equation:
    """One equation, with its shape, rules and lines."""

    name: str
    """The name of the result in the code; "" if it has none."""
    left: str
    right: Value
    text: str
    shape: str
    rules: tuple[str, ...]
    lines: Lines | None
    """The lines of the module that compute it; None if no statement is needed."""
    note: str = ""

    @property
    def latex(self) -> str:
        """The equation in LaTeX."""
        return latex.equation(self.left, self.right)


def spelled(value: Value, named: bool = True) -> Value:
    """Return a Value in terms of named values, with composites expanded.

    Unless `named`, named parts of composites are expanded too.
    """
    made = _cut(replace(value, name=""))
    primitive = frozenset(
        {"input", "const"} | {n for n, op in OPS.items() if not op.expansion} | KNOWN
    )
    inputs = tuple(part for part in in_order([made]) if part.op == "input")
    written = expand(Program("", inputs, (("", made),)), primitive)
    ((_, made),) = simplify(written if named else nameless(written)).outputs
    return replace(made, name="") if made.op != "input" else made


def _cut(value: Value) -> Value:
    """Return a Value whose named parts are arguments."""
    if value.op in ("input", "const"):
        return value
    if value.name:
        return argument(value.name, value.shape, value.dtype)
    return replace(value, args=tuple(map(_cut, value.args)))


def equation_of(
    left: str,
    right: Value,
    text: str,
    of: Value,
    rules: Iterable[str],
    lines: Lines | None,
) -> Equation:
    """Return the equation of a Value; its name and shape are those of `of`."""
    shape = dims(of.shape) if of.shape else ""
    return Equation(of.name, left, right, text, shape, tuple(rules), lines)


def is_forward(equation: Equation) -> bool:
    """True if an equation is one of the forward pass."""
    return not equation.left.startswith("dL/d")


def operations(value: Value) -> tuple[str, ...]:
    """Return the rows of `ops.py` that an expression uses, except plain arithmetic."""
    found: dict[str, None] = {}
    waiting = [replace(value, name="")]
    while waiting:
        part = waiting.pop()
        if part.name or part.op in ("input", "const"):
            continue
        found[part.op] = None
        waiting += reversed(part.args)
    more = [op for op in found if op not in ARITHMETIC]
    return tuple(more or list(found)[:1])


def mentioned(right: Value) -> set[str]:
    """Return the names of the values that an expression reads directly."""
    found: set[str] = set()
    waiting = list(right.args)
    while waiting:
        part = waiting.pop()
        if part.name:
            found.add(part.name)
        else:
            waiting += part.args
    return found
