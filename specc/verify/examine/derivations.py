"""The derivations in the text of a module: what is computed, in which function, on which lines.

Takes the text of a Python module or of C source, returns derivations in their order. Invariant:
lines are read off the text, so a module that was edited by hand has its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_COMMENT = re.compile(
    r"^\s*(?:#|/\*) (?:(?P<layer>\w+): )?(?P<text>dL/d.*?)(?: ?\*/)?$"
)
_RIGHT = re.compile(r"(dL/d\[W b\]|\S+) = (.*)")
_OPERAND = re.compile(r"dL/d(\w+)")


@dataclass(frozen=True)
class Derivation:
    """One derivation and the lines of code below it."""

    left: str
    """What is computed, such as `dL/dlinear3`."""
    layer: str
    """The layer whose output's derivative the right side has first, "" if it has none."""
    function: str
    line: int
    last: int


def derivations(text: str) -> Sequence[Derivation]:
    """Return every derivation of a text; line numbers are from 1."""
    lines = text.splitlines()
    found: list[Derivation] = []
    function = ""
    for at, line in enumerate(lines):
        if line and line[0].isalpha() and (named := re.search(r"(\w+)\(", line)):
            function = named[1]
        comment = _COMMENT.match(line)
        if comment is None or not line[:1].isspace():
            continue
        end = at + 1
        while end < len(lines) and _goes_on(lines[end]):
            end += 1
        for part in re.split(r"; +(?=dL/d)", comment["text"]):
            equation = _RIGHT.match(part)
            if equation is not None:
                operand = _OPERAND.search(equation[2])
                layer = operand[1] if operand else ""
                own = Derivation(equation[1], layer, function, at + 2, max(end, at + 2))
                found.append(own)
    return found


def _goes_on(line: str) -> bool:
    """True if a line still belongs to the comment above it: it is code, not the next comment."""
    code = line.strip()
    return bool(code) and line[0].isspace() and not code.startswith(("#", "/*"))
