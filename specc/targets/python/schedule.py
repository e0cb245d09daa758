"""The learning rate as a function of Python, and how `fit` asks for it.

Takes the checked Model and its Programs, gives the view. A rate that chooses, as one that warms up
does, is an `if` of the function.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specc.derive.derived import Derived
from specc.emit.headings import said
from specc.emit.language import Language
from specc.emit.pieces import Code, docstring, whole
from specc.ir.value import Value
from specc.library.training.metrics import LARGER_IS_BETTER
from specc.library.training.schedules import REDUCTIONS
from specc.model.model import Model
from specc.model.rate import per_step


def schedule_view(model: Model, derived: Derived, target: Language) -> dict[str, Any]:
    """Give the learning rate in Python, what is said of it, and how `fit` asks for it."""
    says = said(model, model.schedule)
    steps = per_step(model)
    program = derived.learning_rate
    given = [value.name for value in program.inputs]
    ((_, rate),) = program.outputs
    chooses = rate.op == "where"

    def text(part: Value) -> Code:
        made = replace(program, outputs=(("rate", part),))
        return whole(made, target, "").result

    texts = [text(part) for part in (rate.args if chooses else (rate,))]
    dropped = model.train.drop_last
    count = "samples // BATCH_SIZE" if dropped else "-(-samples // BATCH_SIZE)"
    total = ", EPOCHS * count" if "total" in given else ""
    now = ", self.reduced[epoch]" if REDUCTIONS in given else ""
    takes = [f"{name}: int" for name in given or ["t"] if name != REDUCTIONS]
    takes += [f"{REDUCTIONS}: int = 0"] * (REDUCTIONS in given)
    return {
        **plateau_view(model),
        "per_step": steps,
        "rate_arguments": Code(", ".join(takes)),
        "rate_chooses": chooses,
        "rate_condition": texts[0],
        "rate_if": texts[-2] if chooses else texts[0],
        "learning_rate": texts[-1],
        "rate_needs_math": any("math." in part.text for part in texts),
        "schedule_doc": Code(
            docstring(f"The rate after t {counted(model)}{_reduced(model)}: {says}.")
        ),
        "count_of_samples": Code(count),
        "whole_total": Code(total),
        "rate_of_epoch": Code(
            "learning_rates(epoch, len(x))[-1]"
            if steps
            else f"learning_rate(epoch{now})"
        ),
        "rate_of_end": Code(
            "learning_rates(total - 1, len(x))[-1]"
            if steps
            else "learning_rate(total - 1)"
        ),
    }


def plateau_view(model: Model) -> dict[str, Any]:
    """Give what a schedule that waits for a gain needs to know."""
    use = model.schedule.use
    if use.entry.name != "plateau":
        return {"reduces": False, "reduces_by_validation": False}
    kind = use["monitor"].partition("_")[2]
    largest = use["mode"] == "max" or (
        use["mode"] == "auto" and kind in LARGER_IS_BETTER
    )
    delta = use["min_delta"]
    by = f" {'+' if largest else '-'} {delta!r}" if delta else ""
    return {
        "reduces": True,
        "reduces_by_validation": use["monitor"].startswith("val_"),
        "plateau_monitor": Code(use["monitor"]),
        "plateau_quoted": Code(f'"{use["monitor"]}"'),
        "plateau_patience": Code(str(use["patience"])),
        "plateau_better": Code(">" if largest else "<"),
        "plateau_worst": Code("-math.inf" if largest else "math.inf"),
        "plateau_by": Code(by),
    }


def _reduced(model: Model) -> str:
    reduces = model.schedule.use.entry.name == "plateau"
    return ", reduced so often" if reduces else ""


def counted(model: Model) -> str:
    """Say what a schedule counts."""
    return "updates" if per_step(model) else "epochs"
