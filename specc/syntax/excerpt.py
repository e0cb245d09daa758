"""One line of a source as a terminal shows it, with carets below the right columns.

Takes a Span, returns an Excerpt of printable characters. Invariant: the result cannot move the
cursor, change the direction of text or break the line, whatever the source contains.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from specc.syntax.source import Span

WIDTH = 100
"""The largest number of columns of a line that is shown."""

TAB = 4


@dataclass(frozen=True)
class Excerpt:
    """A line and the position of the carets below it; columns of the terminal, from 0."""

    text: str
    start: int
    width: int


def printable(text: str) -> str:
    """Escape characters that a terminal acts on: control, format and separator characters."""
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def harmless(text: str) -> str:
    """Escape what a terminal acts on, except the ends of lines: for messages of several lines."""
    return "\n".join(map(printable, text.split("\n")))


def foreign(text: str, longest: int = 40) -> str:
    """Return text of a file, such as the name of a column, as part of a message or a plot.

    It is printable, on one line, and shortened to `longest` characters.
    """
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return printable(short)


def suspicious(char: str) -> bool:
    """True if a character is invisible or changes how others are displayed."""
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}


def excerpt(span: Span) -> Excerpt:
    """Return the first line of a span; a long line is clipped around the carets."""
    source = span.source
    first = source.line_starts[span.line - 1]
    last = source.text.find("\n", first)
    last = len(source.text) if last < 0 else last
    # Skip the parts of a very long line that are not shown.
    first = max(first, span.start - 2 * WIDTH)
    cut = span.start + 2 * WIDTH < last
    line = source.text[first : span.start + 2 * WIDTH if cut else last]
    line = line if cut else line.rstrip()
    start = span.start - first
    end = max(min(span.end - first, len(line)), start + 1)
    shown = [TAB * " " if char == "\t" else _shown(char) for char in line]
    before = _columns("".join(shown[:start]))
    width = max(_columns("".join(shown[start:end])), 1)
    return _clipped("".join(shown), before, width)


def _shown(char: str) -> str:
    return f"<U+{ord(char):04X}>" if suspicious(char) else char


def _columns(text: str) -> int:
    return sum(map(_column, text))


def _column(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _clipped(text: str, start: int, width: int) -> Excerpt:
    if _columns(text) <= WIDTH:
        return Excerpt(text, start, width)
    width = min(width, WIDTH // 2)
    left = max(0, start - (WIDTH - width) // 2)
    kept: list[str] = []
    column = indent = 0
    for char in text:
        if left <= column < left + WIDTH:
            indent = column if not kept else indent
            kept.append(char)
        column += _column(char)
    head = "…" if left else ""
    tail = "…" if left + WIDTH < column else ""
    return Excerpt(head + "".join(kept) + tail, start - indent + len(head), width)
