"""The check of `fit` where the loss overflows: training ends with the last finite parameters.

Takes a Subject, yields findings. Everything is float64.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specc.derive.network import differs
from specc.library.streams import permutation
from specc.verify.compare.finding import Finding, fact, near
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.fit import Fit, Run, fit
from specc.verify.reference.network import Reference
from specc.verify.reference.round_off import AMPLIFIED, CHAOS, KEPT, apart, off, started
from specc.verify.reference.training import Samples, length, state_of, trains, waits

SCALES = (1e30, 1e60, 1e120, 1e153, 1e160)
LARGE = math.inf
"""The factor of enlarged parameters. An infinite number makes every sum of it infinite or NaN, in
any order of summation, with or without fused products."""
EXPLOSION = 5
"""The number of epochs within which the loss must overflow."""
KNOWN = 2
"""The number of draws of one kind without a new way to overflow, after which the kind is skipped.
"""
STEEP = (1.0, 1e10, 1e20, 1e35)
"""The factor of all weights but the first, which is divided by their product: the network computes
the same, and its first layers take larger steps."""
LITTLE = 1e-8
"""The part of the largest step, in a network with a norm, below which errors are rounding."""


@dataclass(frozen=True)
class Case:
    """A start and samples for which the loss may overflow."""

    samples: Samples
    scale: float
    """The factor of the large sample."""
    steep: float
    position: int
    """The position of that sample in the first epoch."""

    @property
    def kind(self) -> tuple[float, int, float]:
        """What cases that differ only in the draw have in common."""
        return self.scale, self.position, self.steep

    def start(self, subject: Subject) -> dict[str, Tensor]:
        """Return the parameters and buffers of seed 0, with weights scaled by `steep`."""
        state = state_of(started(subject))
        weights = [n for n, p in subject.model.parameters.items() if len(p.shape) == 2]
        for name in weights[1:]:
            state[name] = state[name] * self.steep
        for name in weights[:1]:
            state[name] = state[name] * self.steep ** (1 - len(weights))
        return state

    def reference(self, subject: Subject) -> Reference:
        """Return the reference with that start."""
        return subject.reference(self.start(subject))


def overflow(subject: Subject) -> Iterator[Finding]:
    """Check that training ends with the last finite parameters when the loss overflows.

    One sample is made large, or parameters are. Of the cases in which the reference overflows, one
    is checked for each way: in which epoch, at its first, second or a later update, by the loss or
    by a parameter.
    """
    tried: dict[tuple[int, int, str, bool], tuple[Case, Fit]] = {}
    known: Counter[tuple[float, int, float]] = Counter()
    validation = subject.drawn(5, seed=1)
    for case in _large(subject):
        if known[case.kind] == KNOWN:
            continue
        known[case.kind] += 1
        run = Run(case.reference(subject), 0, case.samples)
        found = fit(run, validation, EXPLOSION)
        if found.stopped_by == "non_finite":
            way = (
                len(found.history),
                min(found.bad_update, 2),
                found.bad,
                found.best_epoch < 0,
            )
            if way not in tried and _steadily(subject, case, validation, found):
                tried[way] = (case, found)
                known[case.kind] = 0
    for case, expected in tried.values():
        yield from _exploded(subject, case, validation, expected)
    yield from _between_epochs(subject)


def _steadily(subject: Subject, case: Case, validation: Samples, found: Fit) -> bool:
    """True if the reference overflows alike from a start perturbed by one rounding.

    Metrics before must not be NaN: whether a sum is infinite or NaN can depend on its order.
    """
    start = off(case.start(subject), subject.seed)
    run = Run(subject.reference(start), 0, case.samples)
    other = fit(run, validation, EXPLOSION)
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
        and not any(1e250 < f < math.inf or math.isnan(f) for f in figures)
    )


def _large(subject: Subject) -> Iterator[Case]:
    """Yield cases with one large sample: late in an epoch, or its first or second."""
    model = subject.model
    batch = model.train.batch_size
    size = 3 * batch if batch > 1 else 4
    real = subject.any_target
    if not trains(model) or (not real and model.standardize is not None):
        return  # standardized samples are never large
    order = torch.arange(size)
    if model.train.shuffle:
        order = torch.from_numpy(permutation(0, "shuffle/0", size))
    late = itertools.product(SCALES, (-1, size // 2), STEEP[:1], range(4))
    first = itertools.product(SCALES[-1:], (0, batch), STEEP[:1], range(2))
    steep = itertools.product(SCALES[1:3], (-1,), STEEP[1:], range(3))
    beyond = itertools.product(() if real else (1e290,), (-1,), STEEP[-1:], range(3))
    for scale, position, factor, seed in itertools.chain(late, first, steep, beyond):
        x, y = subject.drawn(size, seed=10 + seed)
        place = int(order[position])
        if factor != 1:  # the others change nothing if biases are 0
            others = torch.arange(size) != place
            x[others], y[others] = 0, 0
        (y if real else x)[place] *= scale
        yield Case((x, y), scale, factor, position)


def _between_epochs(subject: Subject) -> Iterator[Finding]:
    """Check an overflow between epochs, after a callback makes the parameters large.

    The validation loss is never finite, so that no epoch is the best one, and the parameters before
    the last update must be kept.
    """
    model = subject.model
    stopping = model.early_stopping
    epochs = 3
    if waits(model):  # end with a reduction, the second or the first
        patience = int(model.schedule.use["patience"])
        epochs = max(2, 2 * patience if patience <= 10 else min(patience, 20))
    if not trains(model) or (stopping is not None and stopping.patience < epochs + 1):
        return
    size = 3 * model.train.batch_size + (model.train.batch_size > 2)
    if size % model.train.batch_size == 1 and not model.moves_on_one:
        size += 1
    training, (x_val, y_val) = subject.drawn(size), subject.drawn(40, seed=1)
    validation = (x_val * (1.7e308 / x_val.abs().max()), y_val)
    if subject.any_target:
        validation = (x_val, torch.full_like(y_val, 1.7e308))
    run = Run(started(subject), 0, training)
    whole = fit(run, validation, epochs)
    left = 0 if _restores(subject) and whole.best_epoch >= 0 else 1
    expected = fit(run, validation, epochs, left) if left else whole
    other = subject.reference(off(state_of(started(subject)), subject.seed))
    shaken = fit(Run(other, 0, training), validation, epochs, left)
    found = apart(expected.state, shaken.state)
    if not found < CHAOS or len(expected.history) < epochs:
        return
    if not _bursts(subject, whole, training, epochs):
        return
    net = subject.net()

    def enlarge(epoch: int, logs: object) -> None:
        if epoch == epochs - 1:
            for value in net.parameters.values():
                value *= LARGE

    history = net.fit(
        *training,
        *validation,
        epochs=length(subject.model),
        until=epochs + 2,
        callback=enlarge,
    )
    said = "a callback enlarges parameters"
    same = history.stopped_by == "non_finite"
    yield fact("overflow", "stopped_by", same, history.stopped_by, said)
    at = f"epoch {epochs}, update 0"
    kept = _kept(subject, expected)
    note = f"the loss is not finite at {at}; {kept} parameters are kept"
    where = f"{history.note!r}, expected {note!r}"
    yield fact("overflow", "note", history.note == note, where, said)
    left_in = net.state_dict()
    bound = max(KEPT, AMPLIFIED * found)
    for name, value in expected.state.items():
        yield near("overflow", name, left_in[name], value, bound, said)


def _restores(subject: Subject) -> bool:
    """True if the best parameters are restored at the end."""
    stopping = subject.model.early_stopping
    return stopping is not None and stopping.restore_best


def _kept(subject: Subject, expected: Fit) -> str:
    """Return which parameters are kept, as in the note of the history."""
    best = _restores(subject) and expected.best_epoch >= 0
    return "the best" if best else "the last good"


def _bursts(subject: Subject, whole: Fit, training: Samples, epochs: int) -> bool:
    """True if the first batch after these epochs has no finite loss with enlarged parameters."""
    model = subject.model
    reference = started(subject)
    state = {
        n: v * LARGE if n in model.parameters else v for n, v in whole.state.items()
    }
    reference.load(state)
    order = torch.arange(len(training[0]))
    if model.train.shuffle:
        order = torch.from_numpy(permutation(0, f"shuffle/{epochs}", len(order)))
    first = order[: model.train.batch_size]
    updates = epochs * -(-len(order) // model.train.batch_size)
    reference.draw(0, updates, len(first))
    x, y = (part[first] for part in training)
    return not math.isfinite(reference.truth(x, y, differs(model)).loss)


def _norms(subject: Subject) -> bool:
    """True if the network has a norm; if squares overflow, that of torch is NaN."""
    names = {node.use.entry.name for node in subject.model.nodes}
    return any(name.endswith("_norm") for name in names)


def _place(history: Any) -> tuple[int, int]:
    """Return the epoch and the update in the note of a history about an overflow."""
    match = re.search(r"at epoch (\d+), update (\d+)", history.note or "")
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _exploded(
    subject: Subject, case: Case, validation: Samples, expected: Fit
) -> Iterator[Finding]:
    net = subject.net()
    if case.steep != 1:
        net.load_state_dict(case.start(subject))
    history = net.fit(
        *case.samples, *validation, epochs=length(subject.model), until=EXPLOSION
    )
    said = f"a sample of {case.scale:g}"
    sound = history.stopped_by != "non_finite" and all(
        bool(value.isfinite().all()) for value in net.parameters.values()
    )
    either = math.isnan(
        expected.bad_loss
    )  # the order of a sum decides between NaN and infinity
    if sound and (either or expected.bad == "a parameter" or _norms(subject)):
        note = f"{said} left out: it stays finite, unlike torch's network"
        yield Finding("overflow", "stopped_by", 0.0, 0.0, said=note)
        return
    place = len(expected.history), expected.bad_update
    if _norms(subject) and _place(history) > place:
        note = f"{said} left out: it stays finite longer than torch's network"
        yield Finding("overflow", "note", 0.0, 0.0, said=note)
        return
    facts = {
        "epochs": (len(history), len(expected.history)),
        "stopped_by": (history.stopped_by, "non_finite"),
        "best_epoch": (history.best_epoch, expected.best_epoch),
    }
    for what, (seen, wanted) in facts.items():
        where = f"{seen}, expected {wanted}"
        yield fact("overflow", what, seen == wanted, where, said)
    kept = _kept(subject, expected)
    at = f"epoch {len(expected.history)}, update {expected.bad_update}"
    note = f"{expected.bad} is not finite at {at}; {kept} parameters are kept"
    where = f"{history.note!r}, expected {note!r}"
    yield fact("overflow", "note", history.note == note, where, said)
    found = net.state_dict()
    least = _left_by_norms(case.start(subject), expected) if _norms(subject) else 1.0
    for name, value in expected.state.items():
        yield near("overflow", name, found[name], value, KEPT, said, least)


def _left_by_norms(start: Mapping[str, Tensor], expected: Fit) -> float:
    """Return the scale below which changes of parameters count as rounding errors.

    The gradient of a norm over one number is 0 by structure, but in torch it is the rest of a
    difference.
    """
    moved = ((expected.state[name] - value).abs() for name, value in start.items())
    return max(1.0, *(LITTLE * float(m.max()) for m in moved if m.numel()))
