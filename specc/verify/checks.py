"""Every check of an emitted module, in the order in which `specc verify` tells them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from specc.verify.c import callers
from specc.verify.compare.finding import Finding
from specc.verify.compare.subject import Subject
from specc.verify.examine import (
    decisions,
    evaluation,
    fits,
    float32,
    gradients,
    methods,
    overflow,
    ownership,
    slopes,
    steps,
)


@dataclass(frozen=True)
class Check:
    """One way in which a module is examined."""

    name: str
    run: Callable[[Subject], Iterator[Finding]]
    says: str
    """What is compared with what."""


CHECKS = (
    Check("autograd", gradients.autograd, "autograd on the same network of torch.nn"),
    Check("differences", slopes.differences, "differences of the emitted loss"),
    Check("expansions", gradients.expansions, "the derivative of what it is made of"),
    Check("kinks", gradients.kinks, "autograd, where derivatives jump"),
    Check("extremes", gradients.extremes, "autograd, where numbers are large"),
    Check("start", steps.start, "the initializers' definitions"),
    Check("rates", steps.rates, "the schedule's closed form"),
    Check("updates", steps.updates, "steps of torch.optim"),
    Check("float32", float32.single, "what it makes of the same in float64"),
    Check("fit", fits.fits, "torch's loop with the spec's early stopping"),
    Check("ties", decisions.ties, "the rules of patience, where nothing changes"),
    Check("decisions", decisions.decisions, "the rules of patience, of posed figures"),
    Check(
        "not finite", overflow.explosions, "the last good parameters of torch's loop"
    ),
    Check("callback", fits.callbacks, "what a callback is told, and does"),
    Check("resume", fits.resumed, "one run and the same in two parts"),
    Check("batches", evaluation.batches, "torch.nn and the metrics' definitions"),
    Check(
        "thresholds",
        evaluation.thresholds,
        "metrics at the threshold, of ties, of targets all alike",
    ),
    Check("copies", ownership.copies, "what is given belongs to the caller"),
    Check("files", methods.files, "save, load and what a state lacks"),
    Check("inputs", methods.inputs, "what is no sample is refused"),
    Check("c", callers.from_c, "its binding, its memory, and what sanitizers tell"),
    Check("module form", methods.module_form, "as_module() and autograd"),
)
FAILS = "it fails"
"""What a check finds that does not run to its end."""
THREE_WAYS = ("autograd", "differences", "expansions")
"""Those that tell of every parameter's gradient."""


def examined(subject: Subject) -> list[Finding]:
    """Run every check; one that fails to run is a finding too.

    Where the first of them fails to run, or finds no finite loss, no other would say more.
    """
    first, *others = CHECKS
    found = findings(first, subject)
    if any(f.what == FAILS or math.isnan(f.error) for f in found):
        return found
    return found + [f for check in others for f in findings(check, subject)]


def findings(check: Check, subject: Subject, whole: bool = True) -> list[Finding]:
    """Run one check; an exception or a warning, such as one of torch's, is a finding.

    Where not the `whole` is asked for, it ends with the first that disagrees.
    """
    made: list[Finding] = []
    try:
        with warnings.catch_warnings():
            # NumPy warns of overflow, which some checks ask for; torch of what is amiss.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", UserWarning)
            for finding in check.run(subject):
                made.append(finding)
                if not (whole or finding.ok):
                    break
    except Exception as error:
        where = f"{type(error).__name__}: {error}".splitlines()[0]
        made.append(Finding(check.name, FAILS, math.inf, 0.0, where))
    return made
