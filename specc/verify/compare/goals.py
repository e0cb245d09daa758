"""Validation samples for which a fit has decisions to make: best early, at once, never.

Takes a Subject and its reference in training, yields samples. Invariant: the targets are
predictions of the reference, so that the validation loss falls first and rises later.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.fit import Run, fit
from specc.verify.reference.training import Samples, monitored

BEYOND = 1.6e308
"""A target whose loss is not finite, even if the loss is the distance: a sum of a few overflows."""


def goals(subject: Subject, run: Run, x_val: Tensor, epochs: int) -> Iterator[Samples]:
    """Yield validation samples that the network predicts best after a few epochs.

    Then samples that it never predicts, and samples that it predicts at once.
    """
    model = subject.model
    _, targets = subject.drawn(len(x_val), seed=2)
    tried = fit(run, (x_val, targets), epochs).predicted
    predicted = list(takewhile(lambda made: bool(made.isfinite().all()), tried))
    if not predicted:
        yield x_val, targets
        return
    yield x_val, as_targets(subject, predicted[min(3, len(predicted) - 1)])
    if subject.any_target and any(
        figure.startswith("val_") for figure in monitored(model)
    ):
        yield x_val, torch.full_like(targets, BEYOND)
    stopping = model.early_stopping
    if stopping is None or not stopping.monitor.startswith("val_"):
        return
    yield x_val, as_targets(subject, predicted[0])
    if not subject.any_target:
        many, labels = subject.drawn(40, seed=2)
        yield many * (1.7e308 / many.abs().max()), labels


def as_targets(subject: Subject, prediction: Tensor) -> Tensor:
    """Return predictions as targets."""
    model = subject.model
    if model.target.dtype == "int":
        return prediction.argmax(dim=-1)
    if subject.probabilities:
        last = model.nodes[-1].use.entry.name
        return prediction if last == "sigmoid" else prediction.sigmoid()
    return prediction
