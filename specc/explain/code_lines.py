"""Which lines of an emitted module a comment stands beside: Python's or C's.

Takes the text of a module, gives line numbers from 1. Invariant: what it says is read off the text,
so it cannot be of another module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

DERIVATION = re.compile(r"; (?=(?:dL/d\[W b\]|\S+) = )")
"""What stands between two derivations of one comment."""
Lines = tuple[int, int]
"""The first and the last."""


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
        """The lines beside each derivation; a comment may have several, after a layer's name."""
        return {
            line: block.lines
            for block in reversed(self.blocks)
            for line in DERIVATION.split(re.sub(r"^\w+: ", "", block.said))
        }

    @cached_property
    def headed(self) -> dict[str, list[Block]]:
        """What stands below the headings of each layer."""
        found: dict[str, list[Block]] = {}
        for block in self.blocks:
            found.setdefault(block.said.partition(":")[0], []).append(block)
        return found

    @cached_property
    def headings(self) -> frozenset[str]:
        """What comments say, word for word."""
        return frozenset(block.said for block in self.blocks)


def functions(text: str) -> Mapping[str, Place]:
    """Give the functions of a module by their names, with the comments inside them."""
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
    """Name the function whose first line this is: at the margin, after a word such as `def`."""
    if not re.match(r"[A-Za-z_]\w* ", line):
        return None
    called = re.search(r"(\w+)\(", line)
    return called[1] if called and not line.rstrip().endswith(";") else None


def _begins(line: str) -> bool:
    """Tell whether something else than what a function goes on with begins here."""
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
    """Give the comment that begins on a line, and the line behind it."""
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
    """Find the code beside a derivation, in a function."""
    place = places.get(function)
    return None if place is None else place.derivations.get(" ".join(line.split()))


def below(
    places: Mapping[str, Place], function: str, layers: Sequence[str], name: str
) -> Lines | None:
    """Find the code below the headings of layers, in a function, that first has a name.

    Where none has, it is the last of that code, which writes over it. Where they have no heading,
    another layer's code has them with it.
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
    """Tell whether a heading stands in a function."""
    place = places.get(function)
    return place is not None and " ".join(heading.split()) in place.headings
