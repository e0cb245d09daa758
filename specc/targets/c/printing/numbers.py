"""Values -> numbers of C: of a sample, of the batch, of the loop of an update.

A number of a sample is one of row `s`. Nothing here knows a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specc.emit.language import ATOM, COMPARISON, NEGATION, PRODUCT, SUM, spelled
from specc.emit.statements import numbered
from specc.ir.value import Value, rows_of
from specc.targets.c.operations import C
from specc.targets.c.printing.constants import constant
from specc.targets.c.printing.indexing import Indexing, width

ALONG_A_ROW = frozenset({"logsumexp", "argmax", "pick", "double"})
"""Operations that give one number for each sample."""
SIGNS = {"equal": "==", "greater": ">", "both": "&&"}
"""How numbers of a sample are compared."""

Piece = tuple[str, int]
"""An expression, and how tightly it binds."""


class Numbers(Indexing):
    """Writes single numbers."""

    def factor(self, value: Value) -> Piece:
        """Write a number within an expression of vectors."""
        if value.op == "const":
            return _factor(value.attribute("value"))
        if value.op == "div" and value.args[1].op == "count":
            number = value.args[0].attribute("value")
            word = {1: "one", 2: "two"}.get(number, "part")
            text = f"(real)({number!r} / {_parts(value.args[1].args[0], 'n')})"
            return numbered(f"{word}_over_n", text, self.made.scalars), ATOM
        if value.op == "input":
            self.made.reads.add(value.name)
            return self.member(value.name), ATOM
        rule = C.scalar[value.op]
        return spelled(rule, (self.factor(arg) for arg in value.args))

    # Of row `s`.

    def number(self, value: Value) -> Piece:
        """Write the expression of one sample's number."""
        if value.op == "input" or value.slot:
            of = self.label if value.dtype == "int" else self.number_at
            return of(value), ATOM
        return NUMBERS.get(value.op, Numbers._spelled)(self, value)

    def _spelled(self, value: Value) -> Piece:
        if value.op not in C.scalar:
            self.made.calls.add(value.op)
        rule = C.scalar.get(value.op) or C.tensor[value.op]
        return spelled(rule, (self.number(arg) for arg in value.args))

    def _constant(self, value: Value) -> Piece:
        return repr(value.attribute("value")), ATOM

    def _picked(self, value: Value) -> Piece:
        x, label = value.args
        if x.op != "log_softmax" or x.slot:
            return self.number_at(x, self.label(label)), ATOM
        (z,) = x.args
        self.made.calls.add("logsumexp")
        picked = self.number_at(z, self.label(label))
        return f"{picked} - logsumexp({self.row(z)}, {width(z)})", SUM

    def _doubled(self, value: Value) -> Piece:
        return spelled(C.tensor["double"], [self.number(value.args[0])])

    def _along_the_row(self, value: Value) -> Piece:
        self.made.calls.add(value.op)
        (x,) = value.args
        return f"{value.op}({self.row(x)}, {width(x)})", ATOM

    def _compared(self, value: Value) -> Piece:
        a, b = (self.number(arg)[0] for arg in value.args)
        return f"{a} {SIGNS[value.op]} {b}", COMPARISON

    def is_rowwise(self, value: Value) -> bool:
        """True if a Value is a number for each sample, made of what looks along its row."""
        if value.op in ALONG_A_ROW or (value.op == "input" and value.dtype == "int"):
            return True
        if value.op in ("input", "const") or value.slot:
            return False
        return any(self.is_rowwise(arg) for arg in value.args)

    # Of the batch.

    def of_sums(self, value: Value, sums: Mapping[Value, str]) -> Piece:
        """Write a number that is made of sums."""
        if value in sums and value.op == "total":
            return sums[value], ATOM
        if value in sums:
            return f"{sums[value]} / {_parts(value.args[0], 'n')}", PRODUCT
        if value.op == "const":
            number = value.attribute("value")
            return repr(number), ATOM if number >= 0 else NEGATION
        if value.op == "count":
            return _parts(value.args[0], "n"), ATOM
        rule = C.scalar[value.op]
        return spelled(rule, (self.of_sums(arg, sums) for arg in value.args))


NUMBERS: Mapping[str, Callable[[Numbers, Value], Piece]] = {
    "const": Numbers._constant,
    "pick": Numbers._picked,
    "double": Numbers._doubled,
    "logsumexp": Numbers._along_the_row,
    "argmax": Numbers._along_the_row,
    **dict.fromkeys(SIGNS, Numbers._compared),
}
"""How the number of a sample is written, where not as C.scalar says."""


def _factor(number: float) -> Piece:
    whole = number == int(number) and abs(number) < 2**24
    text = f"{number:.0f}" if whole else f"(real){constant(number)}"
    return text, ATOM if number >= 0 else NEGATION


def _parts(value: Value, batch: str) -> str:
    """Write how many elements a Value has, for a batch of so many."""
    size = width(value) * rows_of(value.shape)
    return batch if size == 1 else f"({size} * {batch})"
