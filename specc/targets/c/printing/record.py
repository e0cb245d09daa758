"""What printing a Program gives: its statements, and what they read and call.

Nobody looks in the text for it: the printers note what they write, as they write it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from specc.ir.value import Origin, Value


@dataclass(frozen=True)
class Statement:
    """A few lines, and the Values that they compute."""

    lines: tuple[str, ...]
    values: tuple[Value, ...] = ()

    @property
    def origins(self) -> list[Origin]:
        """The layers that it belongs to, in order."""
        found = [origin for value in self.values for origin in value.origins]
        return list(dict.fromkeys(found))

    @property
    def derivations(self) -> list[str]:
        """The lines of mathematics that it computes."""
        return [value.derivation for value in self.values if value.derivation]


@dataclass
class Printed:
    """The body of one function, and what it needs around it."""

    statements: list[Statement] = field(default_factory=list)
    result: str = ""
    scalars: dict[str, str] = field(default_factory=dict)
    """Numbers that depend on the batch alone: name -> expression."""
    calls: set[str] = field(default_factory=set)
    """Kernels, and operations that have one."""
    reads: set[str] = field(default_factory=set)
    """The parameters, arrays and arguments that its lines name, by their names in the Program."""
    vectors: set[str] = field(default_factory=set)
    """Sums of vectors whose lanes are not added up yet."""

    @property
    def lines(self) -> list[str]:
        """All lines, without what is said of them."""
        return [line for statement in self.statements for line in statement.lines]
