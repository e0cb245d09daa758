"""The text of a spec and places in it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Source:
    """A spec's text; `name` is the path as the user gave it, `<stdin>` for standard input."""

    name: str
    text: str

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """The offset at which each line begins."""
        ends = (i + 1 for i, char in enumerate(self.text) if char == "\n")
        return (0, *ends)

    def position(self, offset: int) -> tuple[int, int]:
        """Give the line and the column of an offset, both from 1, columns in characters."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1


@dataclass(frozen=True)
class Span:
    """A stretch of a source: offsets in characters, the end excluded."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line on which it starts, from 1."""
        return self.source.position(self.start)[0]

    @property
    def text(self) -> str:
        """What the spec says there."""
        return self.source.text[self.start : self.end]
