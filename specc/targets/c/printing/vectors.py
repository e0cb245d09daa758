"""Values -> vectors of C: the expression of LANES numbers of an array at once.

`{at}` in the text stands for where in an array they are; the printer of statements writes the loop.
Nothing here knows a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat

from specc.emit.language import ATOM, PRODUCT, Text, spelled
from specc.ir.value import Value, role
from specc.targets.c.memory.rows import Arrays
from specc.targets.c.operations import C
from specc.targets.c.printing.indexing import width
from specc.targets.c.printing.numbers import ALONG_A_ROW, Numbers, Piece

ACTIVATIONS = {"relu": "RELU", "tanh": "TANH", "sigmoid": "SIGMOID"}
THROUGH = {f"{op}_backward": word for op, word in ACTIVATIONS.items()}
OF_VECTORS = frozenset({"where", "minimum", "maximum", "pow"})
"""Functions in C that take a number as a vector of it."""
WHOLE_POWER = Text("powi({0}, {1})")
MOST = 16
"""The largest exponent that is a few products."""


class Vectors(Numbers):
    """Writes vectors; `sums` takes the lines of sums that they need before them."""

    def __init__(self, arrays: Arrays, name: Callable[[str], str]) -> None:
        super().__init__(arrays, name)
        self.inside: set[Value] = set()
        """What a later statement of the same array takes in."""
        self.by_row = False
        """Whether a statement reads numbers of a row `s`, or of a feature `c`."""

    def lanes(self, value: Value, sums: list[str], inside: bool = False) -> Piece:
        """Write a vector at `{at}`; `inside` spells out what has a slot."""
        known = self._known(value, inside)
        return known or VECTORS.get(value.op, Vectors._computed)(self, value, sums)

    def _known(self, value: Value, inside: bool) -> Piece | None:
        if not value.shape:
            return self.factor(value)
        if value.op == "input" or (value.slot and not inside):
            return self._loaded(value), ATOM
        return None

    def _written(self, value: Value, sums: list[str]) -> Piece:
        known = self._known(value, value in self.inside)
        return known or VECTORS.get(value.op, Vectors._computed)(self, value, sums)

    def _written_operands(self, value: Value, sums: list[str]) -> Iterator[Piece]:
        """Write the operands; a map, whose calls do not deepen the stack of long chains."""
        return map(self._written, value.args, repeat(sums))

    def _computed(self, value: Value, sums: list[str]) -> Piece:
        self.made.calls.add(value.op)
        operands = list(self._written_operands(value, sums))
        words = {"width": str(width(value.args[0]))} if value.op in ALONG_A_ROW else {}
        return spelled(C.tensor[value.op], as_vectors(value, operands), **words)

    def _activated(self, value: Value, sums: list[str]) -> Piece:
        self.made.calls |= {ACTIVATIONS[value.op], "activated"}
        return self._computed(value, sums)

    def _through(self, value: Value, sums: list[str]) -> Piece:
        self.made.calls |= {THROUGH[value.op], "through"}
        return self._computed(value, sums)

    def _power(self, value: Value, sums: list[str]) -> Piece:
        if not is_whole(value.args[1]):
            return self._computed(value, sums)
        self.made.calls.add("powi")
        return spelled(WHOLE_POWER, self._written_operands(value, sums))

    def _multiplied(self, value: Value, sums: list[str]) -> Piece:
        a, b = value.args
        if "greater" not in (a.op, b.op):
            return self._computed(value, sums)
        a, b = (a, b) if b.op == "greater" else (b, a)
        self.made.calls.add("keep")
        condition, kept = (self._written(arg, sums)[0] for arg in (b, a))
        return f"keep({condition}, {kept if a.shape else f'fill({kept})'})", ATOM

    def _summed(self, value: Value, sums: list[str]) -> Piece:
        assert value.attribute("keep")
        return self._row_sum(value, sums), ATOM

    def _averaged(self, value: Value, sums: list[str]) -> Piece:
        if value.attribute("axis"):
            return self._row_mean(value, sums)
        count = self.rows(value.args[0])
        count = count if count == self.count else f"({count})"
        return f"{self.feature_sum(value.args[0], sums)} / (real){count}", PRODUCT

    def _row_mean(self, value: Value, sums: list[str]) -> Piece:
        return f"{self._row_sum(value, sums)} / {width(value.args[0])}", PRODUCT

    def _row_sum(self, value: Value, sums: list[str]) -> str:
        """Write the sum over row `s`, and return its name."""
        text, _ = self.lanes(value.args[0], sums)
        name = f"sum{len(sums) // 4 + 1}" if sums else "sum"
        self.made.calls |= {"first", "total"}
        loop = self.rowwise(self.array(value.args[0]), f"{name}_of += {{v}};", text)
        sums += [
            f"vec {name}_of = fill(0);",
            *loop,
            f"const real {name} = total({name}_of);",
        ]
        return name

    def feature_sum(self, x: Value, sums: list[str]) -> str:
        """Write the sum over the rows of vector `c` of the features, and return its name."""
        text, _ = self.lanes(x, [])
        name = f"sum{len(sums) // 3 + 1}" if sums else "sum"
        pitch = self.array(x).pitch
        sums += [
            f"vec {name} = fill(0);",
            f"for (int s = 0, at = c; s < {self.rows(x)}; s++, at += {pitch})",
            f"  {name} += {text.replace('{at}', 'at')};",
        ]
        return name

    def of_row(self, value: Value, sums: list[str], inside: bool) -> Piece:
        """Write a number of row `s`, made of sums along it."""
        if value.op == "const":
            return f"(real){value.attribute('value')!r}", ATOM
        if value.op == "mean_over":
            return self._row_mean(value, sums)
        if value.op == "input" or (value.slot and not inside):
            return self._loaded(value), ATOM
        operands = [self.of_row(arg, sums, arg in self.inside) for arg in value.args]
        return spelled(C.scalar[value.op], operands)

    def _loaded(self, value: Value) -> str:
        """Read a vector at `{at}`, of a feature `c`, or the number of row `s`."""
        name = value.slot or value.name
        of_feature = {*self.arrays.buffers, *self.arrays.features}
        if role(value) == "parameter" or name in of_feature:
            self.by_row = True
            return f"load({self.pointer(value)} + c)"
        if name in self.arrays.numbers:
            self.by_row = True
            return f"{self.pointer(value)}[s]"
        return f"load({self.pointer(value)} + {{at}})"


VECTORS: Mapping[str, Callable[[Vectors, Value, list[str]], Piece]] = {
    "sum": Vectors._summed,
    "mean_over": Vectors._averaged,
    "mul": Vectors._multiplied,
    "pow": Vectors._power,
    **dict.fromkeys(ACTIVATIONS, Vectors._activated),
    **dict.fromkeys(THROUGH, Vectors._through),
}
"""How a vector is written, where not as C.tensor says alone."""


def as_vectors(value: Value, operands: Iterable[Piece]) -> list[Piece]:
    """Let numbers stand for vectors, where a function in C takes no other."""
    if value.op not in OF_VECTORS:
        return list(operands)
    return [
        made if arg.shape else (f"fill({made[0]})", ATOM)
        for made, arg in zip(operands, value.args, strict=True)
    ]


def is_whole(exponent: Value) -> bool:
    """True if a power is a few products, or one over them."""
    if exponent.op != "const":
        return False
    number = float(exponent.attribute("value"))
    return number.is_integer() and abs(number) <= MOST
