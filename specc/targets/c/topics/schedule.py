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
from specc.model.rate import per_step
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
    takes_total, reduces = "total" in read, REDUCTIONS in read
    now = ", run->reductions" * reduces
    total = f", (double){model.name.upper()}_EPOCHS * (double)updates"
    function, given = f"{model.name}_learning_rate", total if takes_total else ""
    steps = per_step(model)
    first = "(double)epoch * (double)updates + (double)update"
    last = "(double)(epoch + 1) * (double)updates - 1"
    constant = all(value.name != "t" for value in program.values)
    arguments = "double t" + ", double total" * takes_total
    of_epoch = f"{function}({last}{given})" if steps else f"{function}(epoch{now})"
    return Schedule(
        says=Code(str(model.schedule.use)),
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
