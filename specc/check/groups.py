"""What a body resolves to, and what it may use: groups of layers, blocks.

Invariant: a Group is of the size of the spec; `size` says how many layers it expands to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specc.check.arguments.bind import Bound
from specc.check.arguments.constants import Value
from specc.library.network.layers import Layer
from specc.library.vocabulary import Entry
from specc.syntax import tree
from specc.syntax.source import Span


@dataclass(frozen=True)
class Element:
    """One layer as the spec writes it; `layer` is None where it is at fault."""

    word: str
    name: tree.Name | None
    layer: Layer | None
    bound: Bound | None
    span: Span
    size: int = 1
    depth: int = 0


@dataclass(frozen=True)
class Group:
    """Several in a row, `times` over."""

    items: tuple[Element | Group | Branches, ...]
    size: int
    """How many layers it expands to."""
    depth: int
    times: int = 1
    repeated: bool = False
    """Whether names inside get a count."""
    prefix: tree.Name | None = None
    """The name of the block's call, which goes before those inside."""


@dataclass(frozen=True)
class Branches:
    """Bodies that are all given the same input, and what joins their results."""

    bodies: tuple[Group, ...]
    join: Element
    size: int
    """How many layers they expand to, the one that joins them included."""
    depth: int


@dataclass(frozen=True)
class Macro:
    """A block: its statement and the names that it can see; `usable` unless it is at fault."""

    block: tree.Block
    names: Mapping[str, Value]
    blocks: Mapping[str, Macro]
    usable: bool


@dataclass
class Vocabulary:
    """What a body may use, beside the library."""

    blocks: dict[str, Macro] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """Where each block of the file is defined, later ones too."""
    unusable: set[str] = field(default_factory=set)
    """Definitions that are at fault or not available, already told."""
    inside: str | None = None
    """The block that is being defined."""
    definitions: dict[str, Entry] = field(default_factory=dict)
    """What the spec defines, by name."""
    used: set[str] = field(default_factory=set)
    """Which of these it uses."""
    called: dict[tuple[str, str], Group] = field(default_factory=dict)
    """What each block gives for its arguments, so that blocks of blocks stay cheap."""


def grouped(
    items: Sequence[Element | Group | Branches], times: int = 1, **marks: Any
) -> Group:
    """Put several in a row."""
    size = times * sum(item.size for item in items)
    depth = 1 + max((item.depth for item in items), default=0)
    return Group(tuple(items), size, depth, times, **marks)


def branched(bodies: Sequence[Group], join: Element) -> Branches:
    """Join bodies that are given the same input."""
    size = 1 + sum(body.size for body in bodies)
    return Branches(tuple(bodies), join, size, max(body.depth for body in bodies))
