"""Errors about text that is not a token: stray characters, open strings, malformed numbers.

Takes a source and an offset, returns the error. Invariant: the span of an error is never empty and
never passes the end of its line, so that skipping it always makes progress.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from specc.syntax.diagnostics import Diagnostic, error
from specc.syntax.excerpt import suspicious
from specc.syntax.source import Source, Span

_WHITE = frozenset("\n\t\r\f")
_SUGGESTED = {
    ";": "remove it: statements need no `;`",
    "'": 'write strings in `"`',
    "&": "write conditions as `where(condition, a, b)`",
    "%": "there is no remainder: write `a - b*floor(a/b)`",
    ".": "write digits on both sides of the point: `0.5`, `2.0`",
}
_LOOKALIKES = {
    "“": '"',
    "”": '"',
    "−": "-",
    "–": "-",
    "×": "*",
    "≤": "<=",
    "≥": ">=",
    "≠": "==",
}


def invisible(source: Source) -> Iterator[Diagnostic]:
    """Yield an error for every character that makes text read differently, also in comments."""
    return (
        error(
            "E009",
            f"invisible character {_named(char)}",
            Span(source, at, at + 1),
            "remove it",
            "invisible characters can make a spec read differently than it compiles",
        )
        for at, char in enumerate(source.text)
        if char not in _WHITE and suspicious(char)
    )


def unexpected(source: Source, at: int) -> Diagnostic:
    """Return the error about an offset where no token begins."""
    char = source.text[at]
    if char == '"':
        return _string(source, at)
    span = Span(source, at, at + 1)
    if char.isalpha():
        run = re.compile(r"\w+").match(source.text, at)
        span = Span(source, at, run.end() if run else at + 1)
        message = f"{_named(char)} cannot be in a name"
        return error("E001", message, span, "names consist of `A-Z a-z 0-9 _`")
    if unicodedata.category(char) == "Zs":
        label = "write a plain space"
    elif char in _LOOKALIKES:
        label = f"write `{_LOOKALIKES[char]}`"
    else:
        label = _SUGGESTED.get(char, "not part of the language")
        if char == "." and re.match(
            r"[A-Za-z_]\.[A-Za-z_]", source.text[at - 1 : at + 2]
        ):
            label = 'write the name of a file in `"`'
    return error("E001", f"unexpected character {_named(char)}", span, label)


def malformed_number(source: Source, start: int, end: int) -> Diagnostic:
    """Return the error about a number that runs into a name, as in `12abc`."""
    text = source.text[start:end]
    label = "a name cannot begin with a digit"
    if re.fullmatch(r"[0-9_.]+[eE]?_*", text):
        label = "digits are missing"
    return error(
        "E003", f"`{text[:40]}` is not a number", Span(source, start, end), label
    )


def _string(source: Source, at: int) -> Diagnostic:
    line = re.split(r"[\r\n]", source.text[at:], maxsplit=1)[0].rstrip()
    whole = re.match(r'"(?:[^"\\]|\\.)*"', line)
    if whole is None:
        span = Span(source, at, at + len(line))
        return error("E002", "this string is not closed", span, 'expected `"`')
    escape = re.search(r'\\[^"\\]', whole[0].replace("\\\\", "__"))
    assert escape is not None  # otherwise it is a token
    span = Span(source, at, at + len(whole[0]))
    shown = source.text[at + escape.start() : at + escape.end()]
    message = f"unknown escape `{shown}` in a string"
    return error("E002", message, span, 'the escapes are `\\"` and `\\\\`')


def _named(char: str) -> str:
    """Return an unambiguous name of a character."""
    number = f"U+{ord(char):04X}"
    if suspicious(char) or char.isspace():
        return f"{number} {unicodedata.name(char, '')}".strip()
    return f"`{char}`" if char.isascii() else f"`{char}` ({number})"
