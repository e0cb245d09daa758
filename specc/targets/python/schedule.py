"""The learning rate as a function of Python, and how `fit` asks for it.

Takes the checked Model and its Programs. A rate that chooses, as one that warms up does, is an `if`
of the function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from specc.derive.derived import Derived
from specc.emit.constants import needs_math
from specc.emit.headings import said
from specc.emit.language import IN_LIBM, Language
from specc.emit.pieces import Code, Function, docstring, whole
from specc.ir.value import Value
from specc.library.training.schedules import REDUCTIONS
from specc.model.model import Model
from specc.model.rate import per_step, reads_length

OF_MATH = frozenset(IN_LIBM) | {"sign", "sigmoid"}
"""The operations on numbers that Python writes with its module `math`."""


@dataclass(frozen=True)
class Schedule:
    """The schedule of the learning rate."""

    learning_rate: Function
    needs_math: bool
    """Whether the rate calls a function of `math`."""
    per_step: bool
    """Whether it changes with each update, else with each epoch."""
    count_of_samples: Code
    """The updates of an epoch over so many samples."""
    by_length: bool
    """Whether it depends on the length of the run."""
    of_length: Code
    """The parameter of `learning_rates` that is the length of the run."""
    own_length: Code
    """The same as an argument in a method of `Model`."""
    run_length: Code
    """The same as a parameter of `Run`."""
    given_length: Code
    """The same as an argument in `fit`."""
    whole_total: Code
    """The argument that is the count of all updates."""
    rate_of_epoch: Code
    rate_of_end: Code


def schedule(model: Model, derived: Derived, target: Language) -> Schedule:
    """Return the learning rate in Python, its documentation, and how `fit` asks for it."""
    steps = per_step(model)
    given = [value.name for value in derived.learning_rate.inputs]
    count = "-(-samples // BATCH_SIZE)"
    if model.train.drop_last:
        count = "samples // BATCH_SIZE"
    now = ", self.reduced[epoch]" if REDUCTIONS in given else ""
    called = _result(derived, target).printed.called
    by_length = reads_length(derived.learning_rate)
    last = ", total" * by_length
    numbers = [v for v in derived.learning_rate.values if v.op == "const"]
    derives = any(needs_math(v.attribute("value")) for v in numbers)
    return Schedule(
        learning_rate=_function(model, derived, target, given),
        needs_math=bool(called & OF_MATH) or derives,
        per_step=steps,
        count_of_samples=Code(count),
        by_length=by_length,
        of_length=Code(f", epochs: int = {model.train.epochs}" * by_length),
        own_length=Code(model_length(by_length)),
        run_length=Code(", epochs: int" * by_length),
        given_length=Code(last),
        whole_total=Code(", epochs * count" * by_length),
        rate_of_epoch=Code(
            f"learning_rates(epoch, len(x){model_length(by_length, 'model')})[-1]"
            if steps
            else f"learning_rate(epoch{model_length(by_length, 'model')}{now})"
        ),
        rate_of_end=Code(
            f"learning_rates(total - 1, len(x){last})[-1]"
            if steps
            else f"learning_rate(total - 1{last})"
        ),
    )


def model_length(by_length: bool, owner: str = "self") -> str:
    """Return the argument that is the length of the run, with a comma."""
    return f", {owner}._epochs" if by_length else ""


def counted(model: Model) -> str:
    """Return what a schedule counts."""
    return "updates" if per_step(model) else "epochs"


def _function(
    model: Model, derived: Derived, target: Language, given: list[str]
) -> Function:
    says = said(model, model.schedule)
    does = "Return the learning rate"
    reduced = ", reduced so often" if REDUCTIONS in given else ""
    takes = {name: "int" for name in given or ["t"] if name != REDUCTIONS}
    if "epochs" in given:
        takes["epochs"] = f"int = {model.train.epochs}"
    if REDUCTIONS in given:
        takes[REDUCTIONS] = "int = 0"
    ((_, rate),) = derived.learning_rate.outputs
    lines: list[str] = []

    def text(part: Value) -> str:
        return _result(derived, target, part).result.text

    if rate.op == "where":
        condition, chosen, rate = rate.args
        lines += [f"if {text(condition)}:", f"    return {text(chosen)}"]
    lines.append(f"return {text(rate)}")
    return replace(
        _result(derived, target),
        name=Code("learning_rate"),
        takes=tuple(takes.items()),
        returns=Code("float"),
        doc=Code(docstring(f"{does} after t {counted(model)}{reduced}: {says}.")),
        lines=tuple(Code(line) for line in lines),
    )


def _result(derived: Derived, target: Language, part: Value | None = None) -> Function:
    """Print the rate, or a part of it."""
    program = derived.learning_rate
    if part is not None:
        program = replace(program, outputs=(("rate", part),))
    return whole(program, target, "")
