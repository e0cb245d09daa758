"""The learning rate in C, and how the loop of training asks for it.

Takes a checked model and its Programs.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.emit.headings import said
from specc.emit.pieces import Code
from specc.library.training.schedules import REDUCTIONS
from specc.model.model import Model
from specc.model.rate import per_step, reads_length
from specc.targets.c.printing.functions import codes, number
from specc.targets.python.loop import plateau
from specc.targets.python.schedule import counted


@dataclass(frozen=True)
class Plateau:
    """A rate that is reduced after epochs without a gain."""

    gains: Code
    """Whether `value` is better than `run->level`."""


@dataclass(frozen=True)
class Schedule:
    """The learning rate."""

    says: Code
    by_length: Code
    """What the rate depends on besides, for the header; may be empty."""
    length: Code
    """The argument of `begin` that is the length of the run; may be empty."""
    length_call: Code
    of_length: Code
    """What `begin` does with it, for the header; may be empty."""
    counts: Code
    doc: Code
    arguments: Code
    lines: tuple[Code, ...]
    once: Code
    """What an epoch's updates share: their rate, or what each one's is made of."""
    of_epoch: Code
    """The last rate of an epoch."""
    of_update: Code
    per_step: bool
    plateau: Plateau | None


def schedule(model: Model, derived: Derived) -> Schedule:
    """Write the rate, and its calls, which count epochs or updates."""
    program = derived.learning_rate
    read = {value.name for value in program.inputs}
    by_length, reduces = reads_length(program), REDUCTIONS in read
    now = ", run->reductions" * reduces
    steps = per_step(model)
    length = ", (double)run->length * (double)updates" if steps else ", run->length"
    function, given = f"{model.name}_learning_rate", length if by_length else ""
    first = "(double)epoch * (double)updates + (double)update"
    last = "(double)(epoch + 1) * (double)updates - 1"
    constant = all(value.name != "t" for value in program.values)
    arguments = "double t" + (
        (", double total" if steps else ", double epochs") if by_length else ""
    )
    of_epoch = (
        f"{function}({last}{given})" if steps else f"{function}(epoch{given}{now})"
    )
    return Schedule(
        says=Code(str(model.schedule.use)),
        by_length=Code(
            f" {'total' if steps else 'epochs'}: the {counted(model)} of the whole run."
            if by_length
            else ""
        ),
        length=Code(", int32_t length" * by_length),
        length_call=Code(", epochs" * by_length),
        of_length=Code(
            " of `length` epochs, which the learning rate depends on" * by_length
        ),
        counts=Code(counted(model)),
        doc=Code(f"The rate after t {counted(model)}: {said(model, model.schedule)}."),
        arguments=Code(arguments + ", double reductions" * reduces),
        lines=codes(
            ["(void)t;"] * constant + [f"return {number(program.outputs[0][1], {})};"]
        ),
        once=Code(
            f"size_t updates = {updates_of_epoch(model)}"
            if steps
            else f"double lr = {of_epoch}"
        ),
        of_epoch=Code(of_epoch),
        of_update=Code(f"{function}({first}{given})" if steps else "lr"),
        per_step=steps,
        plateau=_plateau(model),
    )


def updates_of_epoch(model: Model) -> str:
    """Write how many updates an epoch has."""
    batch = f"{model.name.upper()}_BATCH_SIZE"
    return (
        f"train->n / {batch}"
        if model.train.drop_last
        else f"(train->n + {batch} - 1) / {batch}"
    )


def _plateau(model: Model) -> Plateau | None:
    waits = plateau(model)
    if waits is None:
        return None
    gains = f"value {waits.better.text} run->level{waits.delta.text}"
    return Plateau(gains=Code(gains))
