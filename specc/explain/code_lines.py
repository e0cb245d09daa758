"""The lines of code below each comment of an emitted module, in Python or in C.

Takes the text of a module, returns line numbers from 1. Invariant: line numbers are read off the
text, so they are those of this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

DERIVATION = re.compile(r"; (?=(?:dL/d\[W b\]|\S+) = )")
"""What separates two derivations in one comment."""
Lines = tuple[int, int]
"""The first and the last line."""


@dataclass
class Block:
    """A comment inside a function, and the code below it."""

    said: str
    lines: Lines
    code: str


@dataclass
class Place:
    """One function."""

    lines: Lines
    blocks: list[Block] = field(default_factory=list)

    @cached_property
    def derivations(self) -> dict[str, Lines]:
        """The lines of each derivation; a comment can have several, after the name of a layer."""
        return {
            line: block.lines
            for block in reversed(self.blocks)
            for line in DERIVATION.split(re.sub(r"^\w+: ", "", block.said))
        }

    @cached_property
    def headed(self) -> dict[str, list[Block]]:
        """The blocks below the headings of each layer."""
        found: dict[str, list[Block]] = {}
        for block in self.blocks:
            found.setdefault(block.said.partition(":")[0], []).append(block)
        return found

    @cached_property
    def headings(self) -> frozenset[str]:
        """The texts of all comments."""
        return frozenset(block.said for block in self.blocks)


def functions(text: str) -> Mapping[str, Place]:
    """Return the functions of a module by name, with the comments inside them."""
    found: dict[str, Place] = {}
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        name = _name(lines[at])
        if name is None:
            at += 1
            continue
        end = at + 1
        while end < len(lines) and not _begins(lines[end]):
            end += 1
        last = end
        while not lines[last - 1].strip() or lines[last - 1].startswith("#"):
            last -= 1
        found[name] = Place((at + 1, last), _blocks(lines, at, last))
        at = end
    return found


def _name(line: str) -> str | None:
    """Return the name of the function that begins on this line, None if none does."""
    if not re.match(r"[A-Za-z_]\w* ", line):
        return None
    called = re.search(r"(\w+)\(", line)
    return called[1] if called and not line.rstrip().endswith(";") else None


def _begins(line: str) -> bool:
    """True if a line at the margin ends the function before it."""
    return bool(line) and line[0] not in " )}#" and not line.startswith("*/")


def _blocks(lines: Sequence[str], start: int, stop: int) -> list[Block]:
    blocks: list[Block] = []
    at = start + 1
    while at < stop:
        said, behind = _comment(lines, at, stop)
        if not said:
            at += 1
            continue
        end = behind
        while end < stop and not _comment(lines, end, stop)[0] and _goes_on(lines[end]):
            end += 1
        stands = (behind + 1, max(end, behind + 1))
        code = "\n".join(lines[behind:end])
        blocks.append(Block(" ".join(said.split()), stands, code))
        at = max(end, behind)
    return blocks


def _comment(lines: Sequence[str], at: int, stop: int) -> tuple[str, int]:
    """Return the comment that begins on a line, and the line after it."""
    line = lines[at].strip()
    if line.startswith("# "):
        end = at + 1
        while end < stop and lines[end].strip().startswith("#   "):
            end += 1
        return " ".join(part.strip()[1:] for part in lines[at:end]), end
    if line.startswith("/* "):
        end = at
        while end < stop - 1 and "*/" not in lines[end]:
            end += 1
        if not lines[end].rstrip().endswith("*/"):
            return "", at
        inside = (part.strip().removeprefix("* ") for part in lines[at : end + 1])
        return " ".join(inside)[2:].removesuffix("*/"), end + 1
    return "", at


def _goes_on(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("    return", "}"))


def beside(places: Mapping[str, Place], function: str, line: str) -> Lines | None:
    """Return the lines of a derivation in a function, None if it is not there."""
    place = places.get(function)
    return None if place is None else place.derivations.get(" ".join(line.split()))


def below(
    places: Mapping[str, Place], function: str, layers: Sequence[str], name: str
) -> Lines | None:
    """Return the lines below the headings of `layers`, in a function, that first mention `name`.

    If none does, return the last of them, which overwrites it. If the layers have no heading,
    search the code of all layers.
    """
    place = places.get(function)
    found = {} if place is None else place.headed
    blocks = [block for layer in layers for block in found.get(layer, [])]
    everything = [] if place is None else place.blocks
    for block in blocks or everything:
        if re.search(rf"\b{name}\b", block.code):
            return block.lines
    return blocks[-1].lines if blocks else None


def headed(places: Mapping[str, Place], function: str, heading: str) -> bool:
    """True if a function has a heading."""
    place = places.get(function)
    return place is not None and " ".join(heading.split()) in place.headings
