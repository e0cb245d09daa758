"""The check of what `fit` leaves where the loss stops being finite.

Takes a Subject, gives findings. Everything is float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch

from specc.proof.finding import Finding, fact, near
from specc.proof.roundings import apart, off, started
from specc.proof.subject import Subject
from specc.proof.training import Fit, Samples, fit, state_of, trains
from specc.streams import permutation

EXPLOSION = 5
"""Epochs within which it has to happen."""


def explosions(subject: Subject) -> Iterator[Finding]:
    """Where the loss stops being finite, training ends with the last good parameters.

    One sample is made large; of those with which the reference explodes, one is taken for each
    way to: at which epoch, at its first update or another, by the loss or by a parameter.
    """
    tried: dict[tuple[int, bool, str, bool], tuple[Samples, Fit, float]] = {}
    validation = subject.drawn(5, seed=1)
    for samples, scale in _large(subject):
        found = fit(started(subject), 0, samples, validation, EXPLOSION)
        if found.stopped_by == "non_finite":
            way = (
                len(found.history),
                found.bad_update == 0,
                found.bad,
                found.best_epoch < 0,
            )
            if way not in tried and _steadily(subject, samples, validation, found):
                tried[way] = (samples, found, scale)
    for samples, expected, scale in tried.values():
        yield from _exploded(subject, samples, validation, expected, scale)


def _steadily(
    subject: Subject, samples: Samples, validation: Samples, found: Fit
) -> bool:
    """Tell whether it explodes alike from a start that is a rounding off."""
    start = off(state_of(started(subject)), subject.seed)
    other = fit(subject.reference(start), 0, samples, validation, EXPLOSION)
    alike = (len(other.history), other.bad_update, other.bad, other.best_epoch) == (
        len(found.history),
        found.bad_update,
        found.bad,
        found.best_epoch,
    )
    figures = [abs(value) for logs in found.history for value in logs.values()]
    return (
        alike
        and apart(found.state, other.state) <= 1e-8
        and not any(1e250 < figure < math.inf for figure in figures)
    )


def _large(subject: Subject) -> Iterator[tuple[Samples, float]]:
    """Give samples of which one is large, late in an epoch."""
    model = subject.model
    batch = model.train.batch_size
    size = 3 * batch if batch > 1 else 4
    real = model.target.dtype == "real" and not subject.probabilities
    if not trains(model) or (not real and model.standardize is not None):
        return  # nothing is large once it is standardized
    order = torch.arange(size)
    if model.train.shuffle:
        order = torch.from_numpy(permutation(0, "shuffle/0", size))
    draws = itertools.product(
        (1e30, 1e60, 1e120, 1e153, 1e160), (-1, size // 2), range(8)
    )
    for scale, position, seed in draws:
        x, y = subject.drawn(size, seed=10 + seed)
        (y if real else x)[int(order[position])] *= scale
        yield (x, y), scale


def _exploded(
    subject: Subject, samples: Samples, validation: Samples, expected: Fit, scale: float
) -> Iterator[Finding]:
    net = subject.net()
    history = net.fit(*samples, *validation, epochs=EXPLOSION)
    said = f"a sample of {scale:g}"
    facts = {
        "epochs": (len(history), len(expected.history)),
        "stopped_by": (history.stopped_by, "non_finite"),
        "best_epoch": (history.best_epoch, expected.best_epoch),
    }
    for what, (seen, wanted) in facts.items():
        where = f"{seen}, expected {wanted}"
        yield fact("not finite", what, seen == wanted, where, said)
    kept = "the best" if expected.best_epoch >= 0 else "the last good"
    at = f"epoch {len(expected.history)}, update {expected.bad_update}"
    note = f"{expected.bad} is not finite at {at}; {kept} parameters are kept"
    where = f"{history.note!r}, expected {note!r}"
    yield fact("not finite", "note", history.note == note, where, said)
    found = net.state_dict()
    for name, value in expected.state.items():
        yield near("not finite", name, found[name], value, 1e-5, said)
