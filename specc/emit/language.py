"""How a target writes each operation, and what its Python calls things.

`plain` is an expression, `into` writes to a kept buffer `{out}`, `over` is a method that overwrites
the first operand; `{0}`, `{1}` are the operands, other names the attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from specc.ir.target import Target
from specc.ir.value import LEAVES

if TYPE_CHECKING:
    from specc.emit.statements import Printer

ATOM, POWER, NEGATION, PRODUCT, SUM, COMPARISON, CHOICE, FREE = range(8)
"""How tightly an expression binds, tightest first; FREE asks nothing of an operand."""


@dataclass(frozen=True)
class Text:
    """How one operation is written."""

    plain: str
    binds: int = ATOM
    needs: tuple[int, ...] = (FREE, FREE, FREE)
    into: str = ""
    over: str = ""
    fresh: bool = False
    """True if the operation gives an array of its own, which takes the buffer's place."""


def spelled(
    rule: Text, operands: Iterable[tuple[str, int]], **words: str
) -> tuple[str, int]:
    """Fill in an expression, in brackets where it binds too loosely; return how it binds."""
    texts = [
        text if binds <= need else f"({text})"
        for (text, binds), need in zip(operands, rule.needs, strict=False)
    ]
    return rule.plain.format(*texts, **words), rule.binds


INFIX = {
    "add": ("{0} + {1}", SUM, (SUM, SUM)),
    "sub": ("{0} - {1}", SUM, (SUM, PRODUCT)),
    "mul": ("{0} * {1}", PRODUCT, (PRODUCT, POWER)),
    "div": ("{0} / {1}", PRODUCT, (PRODUCT, POWER)),
    "pow": ("{0} ** {1}", POWER, (ATOM, POWER)),
    "neg": ("-{0}", NEGATION, (POWER,)),
    "greater": ("{0} > {1}", COMPARISON, (SUM, SUM)),
    "less": ("{0} < {1}", COMPARISON, (SUM, SUM)),
    "greater_equal": ("{0} >= {1}", COMPARISON, (SUM, SUM)),
    "less_equal": ("{0} <= {1}", COMPARISON, (SUM, SUM)),
    "equal": ("{0} == {1}", COMPARISON, (SUM, SUM)),
    "not_equal": ("{0} != {1}", COMPARISON, (SUM, SUM)),
    "both": ("({0}) & ({1})", COMPARISON, (FREE, FREE)),
}
"""What Python writes with a sign, of arrays and of numbers."""

IN_LIBM = tuple("exp log log1p expm1 sqrt sin cos tanh erf floor".split())
"""The functions of one number that C has, and Python under the same names."""

NUMBERS: Mapping[str, Text] = {
    **{op: Text(*pattern) for op, pattern in INFIX.items()},
    **{op: Text(f"math.{op}({{0}})") for op in IN_LIBM},
    "abs": Text("abs({0})"),
    "sign": Text("math.copysign({0} != 0, {0})"),
    "relu": Text("max({0}, 0)"),
    "sigmoid": Text("1 / (1 + math.exp(-{0}))", PRODUCT, (POWER,)),
    "minimum": Text("min({0}, {1})"),
    "maximum": Text("max({0}, {1})"),
    "where": Text("{1} if {0} else {2}", CHOICE, (COMPARISON, COMPARISON, COMPARISON)),
}
"""What computes with single numbers in Python."""


@dataclass(frozen=True)
class Words:
    """What a target's Python calls things that every module has."""

    library: str
    """The name of the library that computes."""
    array: str
    """The type of an array."""
    integers: str
    """The dtype of class labels."""
    floats: str
    """The dtypes that samples may have which are standardized first."""
    assign: str
    """How an existing array `{0}` is assigned numbers `{1}`."""
    fill: str
    """How an array `{0}` is filled with one number `{1}`."""
    reshape: str
    """The method that looks at an array in another shape."""
    keep: str
    """The argument of a sum that keeps the axis."""
    needs: str
    """What a module needs, and what it does without: part of its docstring."""


@dataclass(frozen=True)
class Language(Target):
    """A target with its text: a line for each operation on arrays and on single numbers."""

    tensor: Mapping[str, Text]
    scalar: Mapping[str, Text]
    words: Words
    imports: frozenset[str]
    """The packages that a module may import, beside the standard library."""
    helpers: tuple[str, ...]
    """The operations that a module defines a function for, where it calls them."""
    printer: type[Printer]
    """How the statements of a function are written."""

    @property
    def primitive(self) -> frozenset[str]:
        """The operations that need no expansion."""
        written = self.tensor.keys() | self.scalar.keys()
        return frozenset({*LEAVES, "count", *written})
