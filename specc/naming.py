"""Groups -> a flat sequence of named layers.

Takes what a body resolves to, gives its layers in order, each with the name that
`state_dict` has for it. Invariant: it is called with at most LIMIT layers, so writing
them out is cheap.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from specc.group import Element, Group

LIMIT = 10_000
"""How many layers a network may have."""


@dataclass(frozen=True)
class Placed:
    """A layer of the expanded network."""

    name: str
    element: Element


@dataclass
class _Counts:
    """The names given so far in one scope: the whole network, or one named call of a block."""

    prefix: str = ""
    unnamed: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)


def placed(group: Group) -> list[Placed]:
    """Write a group out; its size must be at most LIMIT."""
    layers: list[Placed] = []
    _place(group, _Counts(), False, layers)
    return layers


def _place(group: Group, counts: _Counts, repeated: bool, layers: list[Placed]) -> None:
    if not group.size:
        return
    if group.prefix is not None:
        name = _numbered(group.prefix.text, counts, repeated)
        counts, repeated = _Counts(f"{counts.prefix}{name}."), False
    repeated = repeated or group.repeated
    for _ in range(group.times):
        for item in group.items:
            if isinstance(item, Group):
                _place(item, counts, repeated, layers)
                continue
            if item.name is not None:
                name = _numbered(item.name.text, counts, repeated)
            else:
                counts.unnamed[item.word] += 1
                name = f"{item.word}{counts.unnamed[item.word]}"
            layers.append(Placed(counts.prefix + name, item))


def _numbered(name: str, counts: _Counts, repeated: bool) -> str:
    if not repeated:
        return name
    counts.named[name] += 1
    return f"{name}{counts.named[name]}"
