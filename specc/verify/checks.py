"""Every check of an emitted module, in the order of `specc verify`.

Takes a Subject, returns findings. Invariant: an exception in a check is a finding too, except a
missing reference, which is no fault of the module.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from specc.verify.c import callers
from specc.verify.compare.finding import Finding
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import MissingTorch
from specc.verify.examine import (
    evaluation,
    finite_differences,
    fits,
    float32,
    gradients,
    methods,
    overflow,
    ownership,
    patience,
    steps,
)
from specc.verify.reference.missing import MissingReference


@dataclass(frozen=True)
class Check:
    """One check of a module."""

    name: str
    run: Callable[[Subject], Iterator[Finding]]
    reference: str
    """What the module is compared with."""


CHECKS = (
    Check("autograd", gradients.autograd, "autograd on the same network in torch.nn"),
    Check(
        "finite-differences",
        finite_differences.finite_differences,
        "finite differences of the emitted loss",
    ),
    Check(
        "rederivation",
        gradients.rederivation,
        "a second derivation, from elementary operations",
    ),
    Check("kinks", gradients.kinks, "autograd where derivatives jump"),
    Check("extremes", gradients.extremes, "autograd on large values"),
    Check("initialization", steps.initialization, "the initializers' definitions"),
    Check("schedule", steps.schedule, "the schedule in closed form"),
    Check("optimizer", steps.optimizer, "steps of torch.optim"),
    Check("float32", float32.single, "the same module in float64"),
    Check("fit", fits.fits, "a training loop in torch"),
    Check(
        "tie-breaking", patience.tie_breaking, "the early-stopping rule on equal losses"
    ),
    Check(
        "patience", patience.patience, "the early-stopping rule on constructed losses"
    ),
    Check("overflow", overflow.overflow, "the last finite parameters of torch's loop"),
    Check("callback", fits.callbacks, "the arguments and the effect of a callback"),
    Check("resume", fits.resumed, "an uninterrupted run"),
    Check("evaluation", evaluation.evaluation, "torch.nn and the metrics' definitions"),
    Check(
        "thresholds",
        evaluation.thresholds,
        "metrics at the threshold, with ties, on constant targets",
    ),
    Check("ownership", ownership.ownership, "results that later calls must not change"),
    Check("serialization", methods.serialization, "saved, loaded and invalid states"),
    Check("input-validation", methods.input_validation, "errors on invalid samples"),
    Check("c-api", callers.from_c, "the Python binding; sanitizers of gcc"),
    Check("as_module", methods.as_module, "autograd through as_module()"),
)
FAILS = "crash"
"""The name of what was compared, if a check raised an exception."""
LEFT_OUT = "left out"
"""The name of what was compared, if a check, or its rest, needs torch, which is missing."""
THREE_WAYS = ("autograd", "finite-differences", "rederivation")
"""The checks that compare the gradient of every parameter."""


def examined(subject: Subject) -> list[Finding]:
    """Run every check; one that raises an exception is a finding too.

    If the first one raises, or its loss is not finite, the others are skipped.
    """
    found: list[Finding] = []
    ran = False
    for check in CHECKS:
        made = findings(check, subject)
        found += made
        if not ran and any(f.what == FAILS or math.isnan(f.error) for f in made):
            break
        ran = ran or any(f.what != LEFT_OUT for f in made)
    return found


def findings(check: Check, subject: Subject, whole: bool = True) -> list[Finding]:
    """Run one check; an exception or a warning, such as one of torch, is a finding.

    Unless `whole`, it ends with the first finding beyond its bound.
    """
    made: list[Finding] = []
    try:
        with warnings.catch_warnings():
            # Some checks provoke overflow warnings of NumPy; those of torch are findings.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", UserWarning)
            for finding in check.run(subject):
                made.append(finding)
                if not (whole or finding.ok):
                    break
    except MissingTorch:
        made.append(Finding(check.name, LEFT_OUT, 0.0, 0.0))
    except MissingReference:
        raise
    except Exception as error:
        where = f"{type(error).__name__}: {error}".splitlines()[0]
        made.append(Finding(check.name, FAILS, math.inf, 0.0, where))
    return made
