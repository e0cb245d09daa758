"""How many bytes a training step has alive at once, beyond parameters, gradients and samples.

Takes the optimized Programs of a module, walks through its statements in order: what is kept, what
a function makes and drops when it ends, what an expression needs in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from specc.derive.derive import Derived
from specc.emit.places import names_of_module
from specc.emit.statements import AUGMENTED, in_statements
from specc.explain.cost import elements
from specc.ir.ir import Program, Value
from specc.ir.target import Target
from specc.model.model import Model
from specc.passes.buffers import VIEWS
from specc.targets.python.functions import functions

LOOKS = VIEWS | {"reshape", "spread", "part"}
"""The operations that make no array."""
DRAWING = 4
"""How many arrays of 64 bits drawing a mask needs, of as many numbers as it has."""


def step_bytes(
    model: Model, derived: Derived, target: Target, text: str, samples: int, width: int
) -> int:
    """Tell how many bytes a step on so many samples takes, of numbers of `width` bytes.

    `text` is the module's: what torch's allocates ahead for a batch is read off it.
    """
    names = names_of_module(model, derived, target)
    slots = _slots(derived)
    kept = frozenset(slots) if names.kept is None else names.kept
    walk = _Walk(target, samples, width, model.positions)
    given = {value.name for program in derived.programs for value in program.inputs}
    walk.given = set(names.parameters | names.buffers)
    walk.given |= {f"d_{name}" for name in names.parameters}
    if target.workspace:
        walk.live = walk.peak = _workspace(text, samples) * width
        walk.given |= (given | slots) - _fresh(model, derived, target)
    if derived.standardize is not None:
        walk.through(derived.standardize, ())
        walk.take(walk.bytes(derived.forward.inputs[0]))
    for mask in derived.masks:
        drawn = DRAWING * 8 * elements(mask.shape, model.positions).of(samples)
        walk.peak = max(walk.peak, walk.live + drawn)
        if not target.workspace:
            walk.take(walk.bytes(mask))
    walk.through(derived.forward, kept | {names.last})
    walk.through(derived.loss_gradient, {names.d_last})
    walk.through(derived.backward, kept)
    if not target.workspace:
        walk.live = 0
    walk.given |= {name for name, _ in derived.update.outputs}
    walk.through(derived.update, ())
    return walk.peak


def _workspace(text: str, samples: int) -> int:
    """Count the numbers that torch's class `Workspace` allocates for a batch."""
    _, _, behind = text.partition("\nclass Workspace:")
    body, _, _ = behind.partition("\nclass ")
    total = 0
    for inside in re.findall(r"like\.new_(?:ones|empty)\((.*)\)", body):
        size = 1
        for factor in re.split(r"[,*]", inside.partition(")")[0]):
            size *= samples if factor.strip() == "batch" else int(factor)
        total += size
    return total


def _slots(derived: Derived) -> set[str]:
    return {v.slot for program in derived.programs for v in program.values if v.slot}


def _fresh(model: Model, derived: Derived, target: Target) -> set[str]:
    """Name what torch's functions make anew: what the faster kernel of wide products gives."""
    made = functions(model, derived, target)
    return {name for each in made.every for name in each.printed.fresh}


@dataclass
class _Walk:
    target: Target
    samples: int
    width: int
    rows: int
    live: int = 0
    peak: int = 0
    given: set[str] = field(default_factory=set)
    """The arrays that are there anyway."""

    def bytes(self, value: Value) -> int:
        """Give the size of an array."""
        each = {"real": self.width, "int": 8, "bool": 1}[value.dtype]
        return each * elements(value.shape, self.rows).of(self.samples)

    def take(self, size: int) -> None:
        """Hold so much more from now on."""
        self.live += size
        self.peak = max(self.peak, self.live)

    def through(self, program: Program, kept: Iterable[str]) -> None:
        """Run one function: what it does not keep is gone when it ends."""
        names = frozenset(kept)
        made: dict[str, int] = {}
        for value in [*in_statements(program), *_results(program)]:
            if not value.shape:
                continue
            highest, held = self._operands(value)
            there = value.slot in self.given or value.slot in made
            own = 0 if self._in_place(value, there) else self.bytes(value)
            self.peak = max(self.peak, self.live + max(highest, held + own))
            slot = value.slot
            if slot and slot not in self.given and slot not in made:
                made[slot] = self.bytes(value) if value.op not in LOOKS else held
                self.live += made[slot]
        self.live -= sum(size for slot, size in made.items() if slot not in names)

    def _in_place(self, value: Value, there: bool) -> bool:
        """Tell whether a statement makes no array before its result is in place."""
        if value.op in LOOKS:
            return True
        if not self.target.workspace:
            first = value.args[0] if value.args else value
            same = value.slot in (first.slot, first.name)
            return there and same and value.op in AUGMENTED
        rule = self.target.tensor[value.op]
        return there and bool(rule.into or rule.over)

    def _operands(self, value: Value) -> tuple[int, int]:
        """Give what the operands of an expression need at most, and what they hold in the end."""
        highest = held = 0
        for arg in value.args:
            most, own = self._expression(arg)
            highest = max(highest, held + most)
            held += own
        return highest, held

    def _expression(self, value: Value) -> tuple[int, int]:
        if value.slot or value.op in ("input", "const") or not value.shape:
            return 0, 0
        highest, held = self._operands(value)
        if value.op in LOOKS:
            return highest, held
        own = self.bytes(value)
        return max(highest, held + own), own


def _results(program: Program) -> list[Value]:
    return [value for _, value in program.outputs if not value.slot]
