"""Notes printed beside the equations: which values are saved and why, what is computed together.

Takes the programs of a network before and after the passes, and the equations of its training;
returns lines of a word, a colon and names. Invariant: a note is read off the programs, so it holds
for the module as it is emitted.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.derive.network import identifier
from specc.explain.code_lines import Lines
from specc.explain.equations import Equation, is_forward, mentioned
from specc.ir.program import Program
from specc.ir.value import OPS, Value, role
from specc.model.model import Model, Node

LOOKS = frozenset({"reshape", "swap"})
"""The operations that return the numbers of their operand unchanged."""


@dataclass(frozen=True)
class Notes:
    """The notes about all layers of a network."""

    model: Model
    derived: Derived
    plain: Derived
    """The same before all passes."""
    training: Sequence[tuple[str, Equation]]
    """The equations of training, each with the name of its layer."""

    def of(self, group: Sequence[Node]) -> Iterator[str]:
        """Return the notes about one layer, or about several that are computed together."""
        names = [identifier(node.name) for node in group]
        for node in group:
            if node.layer.dropped:
                rate = node.layer.dropped
                yield (
                    f"{identifier(node.name)}_mask: drawn for each update, 0 with "
                    f"probability {rate:g}, else 1 / (1 - {rate:g})"
                )
        yield from self._kept(group, names)
        over = [
            f"{a} overwrites {b}" for name in names for a, b in self._over.get(name, ())
        ]
        if over:
            yield f"in place: {listed(over)}"
        for layers in self._merged:
            if layers[0] in names:
                yield f"computed together: {listed(layers)}"
        for layer, lefts in self._calls:
            if layer in names:
                yield f"computed by one call: {listed(lefts)}"

    def _kept(self, group: Sequence[Node], names: Iterable[str]) -> Iterator[str]:
        """Return which values of the layers are saved, for which derivatives, and which are not."""
        x = self.plain.forward.inputs[0]
        own = [value for name in names for value in self.named.get(name, ())]
        if group[0] is self.model.nodes[0] and x not in own:
            own.insert(0, x)
        notes = [
            f"{value.name} (for {listed(self._readers[value.name])})"
            for value in own
            if value.name in self._readers
        ]
        (last, _), *_ = self.plain.forward.outputs
        idle = [
            value.name
            for value in own
            if value.name not in {*self._readers, last} and value.op not in LOOKS
        ]
        saved = f"saved: {', '.join(notes)}" if notes else ""
        unsaved = f"not saved: {', '.join(idle)}" if idle else ""
        if saved or unsaved:
            yield "; ".join(filter(None, (saved, unsaved)))

    @functools.cached_property
    def named(self) -> dict[str, list[Value]]:
        """The named values of the network, by layer."""
        found: dict[str, list[Value]] = {}
        for value in self.plain.forward.values:
            if value.name and value.origins and role(value) != "parameter":
                found.setdefault(value.origins[0].layer, []).append(value)
        return found

    @functools.cached_property
    def _readers(self) -> dict[str, list[str]]:
        """The derivatives that read each named value."""
        found: dict[str, dict[str, None]] = {}
        for layer, equation in self.training:
            if not is_forward(equation):
                left = equation.left
                of = f" of {layer}" if left in ("dL/d[W b]", "dL/dW", "dL/db") else ""
                for name in mentioned(equation.right):
                    found.setdefault(name, {})[left + of] = None
        return {name: list(lefts) for name, lefts in found.items()}

    @functools.cached_property
    def _calls(self) -> list[tuple[str, list[str]]]:
        """The derivatives that one call computes together, with the layer of the first of them."""
        calls: dict[Lines, list[tuple[str, str]]] = {}
        for layer, equation in self.training:
            if equation.lines and not is_forward(equation):
                calls.setdefault(equation.lines, []).append((layer, equation.left))
        several = (of for of in calls.values() if len(of) > 1)
        return [(of[0][0], [left for _, left in of]) for of in several]

    @functools.cached_property
    def _over(self) -> dict[str, list[tuple[str, str]]]:
        """The pairs of a value and the named value that it overwrites, by layer."""
        found: dict[str, list[tuple[str, str]]] = {}
        for program in (self.derived.forward, self.derived.backward):
            for value, before in _replacing(program):
                pairs = found.setdefault(value.origins[0].layer, [])
                pairs.append((value.name, before.name))
        return found

    @functools.cached_property
    def _merged(self) -> list[list[str]]:
        """The layers that one operation computes together."""
        found = [
            [origin.layer for origin in value.origins]
            for value in self.derived.forward.values
            if value.op in OPS
        ]
        return [layers for layers in found if len(layers) > 1]


def _replacing(program: Program) -> Iterator[tuple[Value, Value]]:
    """Return each value that overwrites another named value, with that value."""
    for value in program.values:
        if value.name and value.slot and value.args and value.origins:
            before = value.args[0]
            while not before.name and before.slot == value.slot and before.args:
                before = before.args[0]
            if before.slot == value.slot and before.name not in ("", value.name):
                yield value, before


def listed(words: Sequence[str]) -> str:
    """Join words as in a sentence: `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
