"""One equation of an explanation: a Value as a line of mathematics, and where that comes from.

Takes Values, gives equations. Invariant: what is written is what the Value is made of, down to what
has a name.
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
"""The operations that need no rule to be understood, where something else stands beside them."""
KNOWN = frozenset({"softmax", "log_softmax"})
"""The composites that are written by their names."""


@dataclass(frozen=True)
class Equation:
    """One line: what it says, and where that comes from."""

    name: str
    """What the code calls its result; empty where that is not kept."""
    left: str
    right: Value
    text: str
    shape: str
    rules: tuple[str, ...]
    lines: Lines | None
    """Of the module's file with the arithmetic, which are None where no statement is needed."""
    note: str = ""

    @property
    def latex(self) -> str:
        """The equation in LaTeX."""
        return latex.equation(self.left, self.right)


def spelled(value: Value, named: bool = True) -> Value:
    """Write a Value in what has names, composites as what they are made of.

    Unless `named`, what a composite calls its parts is spelled out too.
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
    """Take what has a name for given."""
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
    """Make the equation of a Value, which gives its name and its shape."""
    shape = dims(of.shape) if of.shape else ""
    return Equation(of.name, left, right, text, shape, tuple(rules), lines)


def is_forward(equation: Equation) -> bool:
    """Tell whether it is of the network itself, else it is of the chain rule."""
    return not equation.left.startswith("dL/d")


def operations(value: Value) -> tuple[str, ...]:
    """Name the rows of `ops.py` that an expression is made of, but for plain arithmetic."""
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
    """Name what an expression is made of, not what that is made of."""
    found: set[str] = set()
    waiting = list(right.args)
    while waiting:
        part = waiting.pop()
        if part.name:
            found.add(part.name)
        else:
            waiting += part.args
    return found
