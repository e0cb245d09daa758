"""Groups -> a flat sequence of named layers.

Takes a resolved body, returns its layers in order, each with its name in `state_dict`. Invariant:
it is called with at most LIMIT layers, so writing them out is cheap.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from specc.check.groups import Branches, Element, Group

LIMIT = 256
"""The largest number of layers; a module has 30 to 100 lines for each."""


@dataclass(frozen=True)
class Placed:
    """A layer of the expanded network."""

    name: str
    element: Element
    inputs: tuple[int, ...]
    """The indices of the layers that it takes as input, -1 for the input of the network."""


@dataclass
class _Counts:
    """The names so far in one scope: the network, or one named call of a block."""

    prefix: str = ""
    unnamed: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)


def placed(group: Group) -> list[Placed]:
    """Return the layers of a group, whose size must be at most LIMIT."""
    layers: list[Placed] = []
    _place(group, _Counts(), False, layers, -1)
    return layers


def _place(
    group: Group, counts: _Counts, repeated: bool, layers: list[Placed], given: int
) -> int:
    """Write out a group whose input is layer `given`; return the index of its last layer."""
    if not group.size:
        return given
    if group.prefix is not None:
        name = _numbered(group.prefix.text, counts, repeated)
        counts, repeated = _Counts(f"{counts.prefix}{name}."), False
    repeated = repeated or group.repeated
    for _ in range(group.times):
        for item in group.items:
            if isinstance(item, Group):
                given = _place(item, counts, repeated, layers, given)
                continue
            element = item.join if isinstance(item, Branches) else item
            name = _name(element, counts, repeated)  # a join is named before its bodies
            inputs: tuple[int, ...] = (given,)
            if isinstance(item, Branches):
                inputs = tuple(
                    _place(body, counts, repeated, layers, given)
                    for body in item.bodies
                )
                if element.word == "residual":
                    inputs = (given, *inputs)
            given = len(layers)
            layers.append(Placed(counts.prefix + name, element, inputs))
    return given


def _name(element: Element, counts: _Counts, repeated: bool) -> str:
    if element.name is not None:
        return _numbered(element.name.text, counts, repeated)
    counts.unnamed[element.word] += 1
    return f"{element.word}{counts.unnamed[element.word]}"


def _numbered(name: str, counts: _Counts, repeated: bool) -> str:
    if not repeated:
        return name
    counts.named[name] += 1
    return f"{name}{counts.named[name]}"
