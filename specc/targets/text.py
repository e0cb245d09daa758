"""How an operation reads in a target's language: the form of the tables of the other files here.

`plain` is an expression, `into` writes to a kept buffer `{out}`, `over` is a method that overwrites
the first operand; `{0}`, `{1}` are the operands, other names the attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ATOM, POWER, NEGATION, PRODUCT, SUM, COMPARISON, FREE = range(7)
"""How tightly an expression binds, tightest first; FREE asks nothing of an operand."""


@dataclass(frozen=True)
class Text:
    """How one operation reads."""

    plain: str
    binds: int = ATOM
    needs: tuple[int, ...] = (FREE, FREE, FREE)
    into: str = ""
    over: str = ""
    fresh: bool = False
    """Whether the operation gives an array of its own, which takes the buffer's place."""


@dataclass(frozen=True)
class Target:
    """A language: its lines for operations on tensors and on single numbers."""

    name: str
    tensor: Mapping[str, Text]
    scalar: Mapping[str, Text]

    @property
    def primitive(self) -> frozenset[str]:
        """The operations that need no expansion."""
        return (
            frozenset({"input", "const", "count"})
            | self.tensor.keys()
            | self.scalar.keys()
        )
