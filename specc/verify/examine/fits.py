"""The checks of `fit`: history, early stopping, the parameters kept, checkpoints, callbacks.

Each takes a Subject and yields findings. Everything is float64.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specc.verify.compare.finding import Finding, fact, near
from specc.verify.compare.goals import goals
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.compare.two_fits import TwoFits
from specc.verify.reference.fit import Run, fit
from specc.verify.reference.round_off import (
    AMPLIFIED,
    CHAOS,
    DRIFT,
    SHAKEN,
    apart,
    off,
    started,
)
from specc.verify.reference.training import (
    Samples,
    batches_of,
    length,
    measure,
    rate,
    state_of,
    trains,
)


def fits(subject: Subject) -> Iterator[Finding]:
    """Compare `fit` with a loop in torch: history, when it stops, which parameters it keeps.

    The validation targets are predictions of the network after a few epochs, so that the loss falls
    first, then rises, and early stopping triggers. The last batch is short; one more fit has only
    whole batches.
    """
    model = subject.model
    batch = model.train.batch_size
    if not trains(model):
        said = "left out: torch does not train batch_norm on batches of one"
        yield Finding("fit", "history", 0.0, DRIFT, said=said)
        return
    size = batch + max(1, batch // 3) if batch > 1 else 5
    if model.train.drop_last:
        size = 2 * batch + max(1, batch // 3)
    if size % batch == 1 and not model.moves_on_one:
        size += 1
    x, y = subject.drawn(size)
    if model.standardize is not None:
        x[..., 0] = 1.5  # a constant feature, with a deviation of 0
    x_val, _ = subject.drawn(11, seed=1)
    stopping = model.early_stopping
    longest = 2 * stopping.patience + stopping.start + 8 if stopping else 6
    epochs = max(2, min(model.train.epochs, longest, 150))
    runs = Runs(subject, (x, y))
    for validation in goals(subject, runs.exact, x_val, epochs):
        yield from _one_fit(subject, runs, validation, epochs)
    if batch > 1:
        whole = Runs(subject, subject.drawn(batch * max(2, 8 // batch)))
        yield from _one_fit(subject, whole, subject.drawn(11, seed=1), 2)
    if not model.moves_on_one:
        yield from _last_of_one(subject)
        pair = subject.drawn(batch + 2)
        yield from _one_fit(subject, Runs(subject, pair), pair, 1)


def _last_of_one(subject: Subject) -> Iterator[Finding]:
    """Compare running statistics after a last batch of one sample, which must not change them.

    Only the first batch changes them, which needs one prediction of torch; torch itself refuses the
    second batch.
    """
    batch = subject.model.train.batch_size
    x, y = subject.drawn(batch + 1)
    first = batches_of(subject.model, 0, len(x))(0)[0]
    exact = started(subject)
    moved = off(state_of(exact), subject.seed)
    tracked = []
    for reference in (exact, subject.reference(moved)):
        measure(reference, x)
        reference.train()
        reference.draw(0, 0, batch)
        with torch.no_grad():
            reference.last_two(x[first])
        tracked.append(reference.buffers_by_name)
    net = subject.net()
    history = net.fit(x, y, x, y, epochs=length(subject.model), until=1)
    gap = apart(*tracked)
    if history.stopped_by == "non_finite" or not gap <= CHAOS:
        note = (
            "a batch of one left out: the loss is not finite, or rounding is amplified"
        )
        yield Finding("fit", "running statistics", 0.0, DRIFT, said=note)
        return
    kept, said = net.state_dict(), f"{batch} samples and one"
    for name, numbers in tracked[0].items():
        bound = DRIFT + AMPLIFIED * gap
        yield near("fit", name, kept[name], numbers, bound, said)
    stepped = _by_steps(subject, (x, y), kept)
    said += ", step by step"
    for name in subject.model.parameters:
        yield near("fit", name, kept[name], stepped[name], DRIFT, said)


def _by_steps(
    subject: Subject, training: Samples, kept: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return the state after an epoch of the module's own steps; measured buffers are in `kept`."""
    model = subject.model
    net = subject.net()
    node = model.standardize
    state = dict(net.state_dict())
    if node is not None:
        state |= {n: v for n, v in kept.items() if n.startswith(f"{node.name}.")}
    net.load_state_dict(state)
    x, y = training
    batches = batches_of(model, 0, len(x))(0)
    per_step = model.schedule.use["per"] == "step"
    total = length(model) * (len(batches) if per_step else 1)
    for number, chosen in enumerate(batches):
        lr = rate(model, number if per_step else 0, total)
        net.train_step(x[chosen], y[chosen], lr)
    return dict(net.state_dict())


class Runs:
    """The runs of the reference on some samples, exact and perturbed by roundings."""

    def __init__(self, subject: Subject, training: Samples) -> None:
        self.training = training
        self.exact = Run(started(subject), 0, training)
        self._subject = subject
        self._shaken: dict[int, Run] = {}

    def shaken(self, draw: int) -> Run:
        """Return the run for an entry of `SHAKEN`."""
        if draw not in self._shaken:
            least, noise = SHAKEN[draw]
            start = state_of(started(self._subject))
            moved = off(start, self._subject.seed + draw, least)
            other = self._subject.reference(moved)
            self._shaken[draw] = Run(other, 0, self.training, noise, draw)
        return self._shaken[draw]


def _one_fit(
    subject: Subject, runs: Runs, validation: Samples, epochs: int
) -> Iterator[Finding]:
    training = runs.training
    expected = fit(runs.exact, validation, epochs)
    net = subject.net()
    begun = time.perf_counter()
    whole = length(subject.model)
    history = net.fit(*training, *validation, epochs=whole, until=epochs)
    elapsed = time.perf_counter() - begun
    kept = net.state_dict()
    made: list[Finding] = []
    for draw in range(len(SHAKEN)):
        shaken = fit(runs.shaken(draw), validation, epochs)
        both = TwoFits(
            subject.model, training, validation, expected, shaken, history, kept
        )
        made = [both.seconds(elapsed), *both.findings()]
        if all(finding.ok for finding in made):
            break
    yield from made


def resumed(subject: Subject) -> Iterator[Finding]:
    """Check that a run resumed from a checkpoint equals the uninterrupted one, bit for bit."""
    model = subject.model
    size = max(model.train.batch_size + 2, 5)
    training, validation = subject.drawn(size), subject.drawn(6, seed=1)
    epochs = 4
    whole = subject.net()
    history = whole.fit(*training, *validation, epochs=epochs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.safetensors"
        subject.net().fit(
            *training, *validation, epochs=epochs, until=2, checkpoint=path
        )
        net = subject.net()
        seen: list[int] = []
        again = net.fit(
            *training,
            *validation,
            epochs=epochs,
            checkpoint=path,
            resume=True,
            callback=lambda epoch, logs: seen.append(epoch),
        )
    same = all(
        torch.equal(value, net.state_dict()[name])
        for name, value in whole.state_dict().items()
    )
    said = f"2 of {epochs} epochs, then the others"
    yield fact("resume", "parameters", same, "not those of an uninterrupted run", said)
    alike = len(history) == len(again) and all(
        a[key] == b[key] or (a[key] != a[key] and b[key] != b[key])
        for a, b in zip(history, again, strict=True)
        for key in a
        if key != "seconds"
    )
    yield fact("resume", "history", alike, "not that of an uninterrupted run", said)
    rest = list(range(2, len(history)))
    where = f"epochs {seen} were run, expected {rest}"
    yield fact("resume", "epochs", seen == rest, where, said)
    if history.stopped_by == "epochs":
        where = f"{len(history)} epochs, expected {epochs}"
        yield fact("resume", "count", len(history) == epochs, where)
    best = history.best_epoch == again.best_epoch
    yield fact("resume", "best_epoch", best, "not that of an uninterrupted run", said)


def callbacks(subject: Subject) -> Iterator[Finding]:
    """Check that a callback receives each epoch with its metrics, and can end training."""
    size = 2 * subject.model.train.batch_size + 2
    training, validation = subject.drawn(size), subject.drawn(5, seed=1)
    seen: list[tuple[Any, Any]] = []

    def callback(epoch: int, logs: dict[str, float]) -> bool:
        seen.append((epoch, dict(logs)))
        return epoch == 1

    history = subject.net().fit(*training, *validation, epochs=4, callback=callback)
    epochs = [epoch for epoch, _ in seen]
    expected = list(range(min(2, len(history))))
    where = f"called for {epochs}, expected {expected}"
    yield fact("callback", "epochs", epochs == expected, where)
    same = all(
        logs == dict(found) for (_, logs), found in zip(seen, history, strict=False)
    )
    yield fact("callback", "metrics", same, "not those of the history")
    if len(history) == 2 and history.stopped_by != "early_stopping":
        ended = history.stopped_by == "callback"
        yield fact("callback", "stopped_by", ended, history.stopped_by)
