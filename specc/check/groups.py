"""Groups of layers and blocks: what a body resolves to, and the words it can use.

Invariant: a Group is as large as the spec; `size` is the number of layers that it expands to.
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
    """One layer as the spec writes it; `layer` is None if it has an error."""

    word: str
    name: tree.Name | None
    layer: Layer | None
    bound: Bound | None
    span: Span
    size: int = 1
    depth: int = 0


@dataclass(frozen=True)
class Group:
    """Layers in sequence, repeated `times`."""

    items: tuple[Element | Group | Branches, ...]
    size: int
    """The number of layers that it expands to."""
    depth: int
    times: int = 1
    repeated: bool = False
    """Whether names inside get a number."""
    prefix: tree.Name | None = None
    """The name of the call of a block, which is put before the names inside."""


@dataclass(frozen=True)
class Branches:
    """Bodies with the same input, and the layer that joins their results."""

    bodies: tuple[Group, ...]
    join: Element
    size: int
    """The number of layers that they expand to, including the one that joins them."""
    depth: int


@dataclass(frozen=True)
class Macro:
    """A block: its statement and the names in scope; `usable` unless it has errors."""

    block: tree.Block
    names: Mapping[str, Value]
    blocks: Mapping[str, Macro]
    usable: bool


@dataclass
class Vocabulary:
    """The words that a body can use, besides the library."""

    blocks: dict[str, Macro] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """The line of each block and definition of the file, also of later ones."""
    unusable: set[str] = field(default_factory=set)
    """Definitions with errors that are already reported."""
    inside: str | None = None
    """The block that is being defined."""
    definitions: dict[str, Entry] = field(default_factory=dict)
    """The words that the spec defines, by name."""
    used: set[str] = field(default_factory=set)
    """The defined words that are used."""
    called: dict[tuple[str, str], Group] = field(default_factory=dict)
    """The resolved body of each block by its arguments, so that nested blocks stay cheap."""


def grouped(
    items: Sequence[Element | Group | Branches], times: int = 1, **marks: Any
) -> Group:
    """Return layers in sequence as a Group."""
    size = times * sum(item.size for item in items)
    depth = 1 + max((item.depth for item in items), default=0)
    return Group(tuple(items), size, depth, times, **marks)


def branched(bodies: Sequence[Group], join: Element) -> Branches:
    """Return bodies with the same input and the layer that joins them."""
    size = 1 + sum(body.size for body in bodies)
    return Branches(tuple(bodies), join, size, max(body.depth for body in bodies))
