"""The learning rate of a checked model, as a Program and as numbers.

Takes a Model. Invariant: the Program and `rate_after` evaluate the same formula.
"""

from __future__ import annotations

from dataclasses import replace

from specc.ir.program import Program, verify
from specc.ir.rewrite import rewrite
from specc.ir.value import Value, argument, constant
from specc.library.training.schedules import REDUCTIONS
from specc.model.model import Model
from specc.passes.simplify import simplify


def learning_rate(model: Model) -> Program:
    """Return the Program t -> rate, which may also read the length of the run and the reductions.

    The length is counted in epochs, or with `per=step` as a total of updates.
    """
    return _program(
        model, argument("t"), argument("total" if per_step(model) else "epochs")
    )


def per_step(model: Model) -> bool:
    """True if the schedule counts updates, False if it counts epochs."""
    return bool(model.schedule.use["per"] == "step")


def rate_after(model: Model, epochs: int) -> float:
    """Return the learning rate after so many epochs; OverflowError where it is no number.

    A schedule that counts updates is evaluated as if an epoch had one update, a schedule that
    reduces the rate as if it never had.
    """
    program = _program(model, constant(epochs), constant(model.train.epochs))
    program = rewrite(program, lambda v: constant(0) if v.name == REDUCTIONS else v)
    result = simplify(program).output("rate")
    if result.op != "const":
        raise OverflowError
    rate: float = result.attribute("value")
    return rate


def _program(model: Model, t: Value, total: Value) -> Program:
    lr: float = model.optimizer.use["lr"]
    rate = model.schedule.use(constant(lr), t, total)
    program = Program("learning_rate", (), (("rate", rate),))
    read = tuple(v for v in (t, total) if v.op == "input" and v in program.values)
    first = () if t.op != "input" or t in read else (t,)
    reductions = tuple(v for v in program.values if v.name == REDUCTIONS)
    return verify(replace(program, inputs=(*first, *read, *reductions)), "lower")


def reads_length(program: Program) -> bool:
    """True if a rate depends on how long the run is."""
    return any(value.name in ("total", "epochs") for value in program.inputs)
