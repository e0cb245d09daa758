"""Where the numbers of a Value are, as C writes it: pointers, rows, and the loops over them.

Takes the layout of every array. `{at}` in the text of a vector stands for where in an array it is.
"""

from __future__ import annotations

from collections.abc import Callable

from specc.ir.value import Value, batched, role, rows_of
from specc.targets.c.memory.rows import Array, Arrays
from specc.targets.c.printing.formatting import WIDTH
from specc.targets.c.printing.record import Printed


class Indexing:
    """Writes pointers and loops, and notes in `made` what the function reads."""

    def __init__(self, arrays: Arrays, name: Callable[[str], str]) -> None:
        self.arrays = arrays
        self.member = name
        self.made = Printed()
        """The function that is being printed."""
        self.count = "n"
        """How many samples it works on."""

    def begin(self, count: str = "n") -> Printed:
        """Begin a function that works on so many samples."""
        self.made, self.count = Printed(), count
        return self.made

    def so_many(self, factor: int) -> str:
        """Write a multiple of the samples."""
        return self.count if factor == 1 else f"{factor} * {self.count}"

    def rows(self, value: Value) -> str:
        """Write how many rows an array has."""
        return self.so_many(rows_of(value.shape))

    def array(self, value: Value) -> Array:
        """Return how the rows of a Value lie: those of what it is made of."""
        name = value.slot or value.name
        if name in self.arrays.samples:
            return self.arrays.samples[name]
        for arg in value.args:
            if batched(arg.shape):
                return self.array(arg)
        raise KeyError(name)

    def pointer(self, value: Value) -> str:
        """Point to the first number of a Value."""
        name = value.slot or value.name
        if role(value) == "parameter":
            return self.parameter(name)
        self.made.reads.add(name)
        if name in self.arrays.buffers:
            return f"m->buffers.{self.member(name)}"
        return f"w->{self.member(name)}"

    def parameter(self, name: str) -> str:
        """Point to a parameter."""
        self.made.reads.add(name)
        return f"p->{self.member(name)}"

    def row(self, value: Value) -> str:
        """Point to row `s`."""
        pitch = self.array(value).pitch
        return f"{self.pointer(value)} + {times('s', pitch)}"

    def number_at(self, value: Value, index: str = "") -> str:
        """Write one number of row `s`, the first where `index` is empty."""
        at = times("s", self.array(value).pitch)
        return f"{self.pointer(value)}[{f'{at} + {index}' if index else at}]"

    def label(self, value: Value) -> str:
        """Write the class of row `s`."""
        return f"{self.pointer(value)}[s]"

    def rowwise(self, a: Array, pattern: str, text: str) -> list[str]:
        """Write the loop over the vectors of row `s`, whose padding stays zero."""
        self.made.calls.add("first")
        inside = f"first({text}, {a.width} - c)" if a.width != a.pitch else text
        body = pattern.replace("{v}", inside).replace("{at}", "at")
        head = f"for (int c = 0, at = s * {a.pitch}; c < {a.width}; c += LANES, at += LANES)"
        return [head, f"  {body}"]

    def loop(self, value: Value, pattern: str, text: str, masked: bool) -> list[str]:
        """Write a loop over vectors; `{at}` is where in an array, `{v}` the vector."""
        a, rows = self.array(value), self.rows(value)
        if masked and a.width != a.pitch:
            inner = self.rowwise(a, pattern, text)
            return [f"for (int s = 0; s < {rows}; s++)", *indented(inner)]
        body = pattern.replace("{at}", "at").replace("{v}", text.replace("{at}", "at"))
        head = f"for (int at = 0; at < {times(rows, a.pitch)}; at += LANES)"
        return on_a_line(head, body)


def times(count: str, size: int) -> str:
    """Multiply, but by 1."""
    return count if size == 1 else f"{count} * {size}"


def width(value: Value) -> int:
    """Return the length of the last axis."""
    size = value.shape[-1]
    assert isinstance(size, int)
    return size


def indented(lines: list[str]) -> list[str]:
    """Indent what stands inside of a loop."""
    return ["  " + line for line in lines]


def on_a_line(head: str, body: str) -> list[str]:
    """Write a loop of one statement, on one line if it fits."""
    fits = len(head) + len(body) + 5 <= WIDTH
    return [f"{head} {body}"] if fits else [head, f"  {body}"]
