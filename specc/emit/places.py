"""Where functions of a module find what they name: an argument, `p.`, `buffers.`, `s.`, a local.

Takes the checked Model and its Programs. Invariant: what one function leaves to another has one
place in both.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.derive.sweeps import parameters_of
from specc.emit.language import Language
from specc.emit.pieces import Places
from specc.ir.program import Program
from specc.ir.value import BATCH_NAME, batched
from specc.model.model import Model


@dataclass(frozen=True)
class Names:
    """What the functions of a module call what they are given."""

    x: str
    """The input, as the spec calls it."""
    given_x: str
    """The input, perhaps with a row of ones."""
    last: str
    """What the last layer of `forward` gives."""
    label: str
    parameters: frozenset[str]
    buffers: frozenset[str]
    kept: frozenset[str] | None
    """What stands in s: what one function makes and another reads, None for all."""
    fresh: frozenset[str]
    """Which arrays no function needs to find in s before it makes them."""

    @property
    def d_last(self) -> str:
        return f"d_{self.last}"

    def places(self, *arguments: str) -> Places:
        """Return the places in a function of the batch that also has these arguments."""
        known = {self.given_x: self.given_x, BATCH_NAME: BATCH_NAME}
        known[self.x] = f"{self.given_x}[:-1]" if self.x != self.given_x else self.x
        own = {name: name for name in arguments}
        return Places(
            known | own,
            self.parameters,
            self.buffers,
            kept=self.kept,
            fresh=self.fresh,
        )


def names_of_module(model: Model, derived: Derived, target: Language) -> Names:
    """Collect what the functions of a module are given."""
    x = derived.forward.inputs[0].name
    last = derived.loss.inputs[0].name
    values = derived.forward.values
    if derived.evaluation is not None:
        values += derived.evaluation.forward.values
    carries = any(v.op == "with_ones" and v.args[0].name == x for v in values)
    parameters = frozenset(v.name for v in parameters_of(derived.forward))
    buffers = frozenset(v.name for v in derived.buffers)
    kept = None
    if not target.workspace:
        readers = [derived.backward, derived.input_gradient]
        if derived.evaluation is not None:
            readers += derived.evaluation.programs[1:]
        if derived.track is not None:
            readers.append(derived.track)
        read = {value.name for program in readers for value in program.inputs}
        read |= {mask.name for mask in derived.masks}
        gradients = {f"d_{name}" for name in parameters}
        others = parameters | buffers | gradients
        kept = frozenset(read - others - {x, last, f"d_{last}", BATCH_NAME})
    given = f"{x}_ones" if carries else x
    fresh = _fresh(derived, target)
    label = model.target.name
    return Names(x, given, last, label, parameters, buffers, kept, fresh)


def _fresh(derived: Derived, target: Language) -> frozenset[str]:
    """Name the arrays that are new in every function that writes them."""
    new: dict[str, bool] = {}
    for program in derived.programs:
        first: dict[str, str] = {}
        for value in program.values:
            if value.slot and batched(value.shape):
                first.setdefault(value.slot, value.op)
        for slot, op in first.items():
            new[slot] = new.get(slot, True) and target.tensor[op].fresh
    return frozenset(slot for slot, is_new in new.items() if is_new)


def sentence(program: Program, name: str) -> str:
    """Return the sentence about a Program's result: its derivation, or dL/d(name)."""
    derivation = program.outputs[0][1].derivation
    return f"Return {derivation or f'dL/d{name}'}."
