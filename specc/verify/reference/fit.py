"""The reference's fit: a loop in torch with early stopping and `plateau` as documented.

Takes a Run, which is the reference in training, returns the expected result of `fit`: the history,
the best and the last epoch, the parameters kept. Invariant: of the compiler, only the words of the
spec and the definition of the random streams are used.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from specc.model.model import Model
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.network import Reference
from specc.verify.reference.training import (
    Samples,
    Watch,
    batches_of,
    figures,
    larger_is_better,
    length,
    measure,
    measured_after,
    optimizer_of,
    rate,
    state_of,
    step,
    waits,
)


@dataclass
class Fit:
    """The result of a fit."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    stopped_by: str = "epochs"
    bad_update: int = -1
    """The update of the last epoch at which a number was not finite."""
    bad: str = ""
    """What was not finite."""
    bad_loss: float = 0.0
    """The loss, if that was not finite."""
    predicted: list[Tensor] = field(default_factory=list)
    """The predictions for the validation samples after each epoch."""
    state: dict[str, Tensor] = field(default_factory=dict)
    """Parameters and buffers at the end."""


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch of training, independent of validation."""

    lr: float
    trained: dict[str, float]
    """The metrics before each update."""
    state: dict[str, Tensor]
    """Parameters and buffers after it."""
    good: dict[str, Tensor]
    """The parameters and buffers before the last update with a finite loss."""
    bad: int
    """The first update with a loss that is not finite; -1 if there is none."""
    bad_loss: float
    """The loss at that update; 0 if there is none."""
    updates: int


class Run:
    """The reference in training, for as many epochs as needed.

    Validation decides when a fit ends and what it keeps, but changes no epoch, unless the schedule
    depends on it. So one run serves fits with any validation samples.
    """

    def __init__(
        self,
        reference: Reference,
        seed: int,
        training: Samples,
        noise: float = 0.0,
        draw: int = 0,
    ) -> None:
        """Train from the state of the reference; `noise` and `draw` are those of `step`."""
        self.model = reference.model
        self._reference = reference
        self._seed = seed
        self.training = training
        self._noise = noise
        self._draw = draw
        self._batches = batches_of(self.model, seed, len(training[0]))
        measure(reference, training[0])
        self._first = state_of(reference)
        self.begin()

    def begin(self) -> None:
        """Start again, without any epoch."""
        self._reference.load(self._first)
        self._optimizer = optimizer_of(self.model, list(self._reference.parameters()))
        self._epochs: list[Epoch] = []
        self._updates, self._good = 0, self._first

    def epoch(self, number: int, reductions: int = 0, left_out: int = 0) -> Epoch:
        """Return an epoch; of the last one, the last updates can be left out."""
        if number == len(self._epochs):
            self._epochs.append(self._trained(number, reductions, left_out))
        return self._epochs[number]

    def _trained(self, epoch: int, reductions: int, left_out: int) -> Epoch:
        model, reference = self.model, self._reference
        x, y = self.training
        per_step = model.schedule.use["per"] == "step"
        total = length(model) * (len(self._batches(0)) if per_step else 1)
        lasts, targets, lr, bad, bad_loss = [], [], 0.0, -1, 0.0
        whole = self._batches(epoch)
        for number, chosen in enumerate(whole[: len(whole) - left_out]):
            lr = rate(model, self._updates if per_step else epoch, total, reductions)
            reference.draw(self._seed, self._updates, len(chosen))
            before = state_of(reference)
            batch = x[chosen], y[chosen]
            noise = self._noise, self._draw
            loss, last = step(reference, self._optimizer, *batch, lr, *noise)
            self._updates += 1
            if math.isfinite(loss) and bad < 0:
                self._good = before
            elif bad < 0:
                bad, bad_loss = number, float(loss)
            lasts.append(last)
            targets.append(y[chosen])
        seen = (torch.cat([a for a, _ in lasts]), torch.cat([b for _, b in lasts]))
        trained = figures(reference, seen, torch.cat(targets), self._noise)
        state = state_of(reference)
        return Epoch(lr, trained, state, self._good, bad, bad_loss, len(lasts))

    @functools.cached_property
    def _judge(self) -> Reference:
        """Return a second network, which predicts."""
        return Reference(self.model).eval()

    def judged(
        self, epoch: Epoch, validation: Samples
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the predictions after an epoch, and their metrics."""
        self._judge.load(epoch.state)
        with torch.no_grad():
            seen = self._judge.last_two(validation[0])
            return seen[1], figures(self._judge, seen, validation[1], self._noise)


def fit(run: Run, validation: Samples, epochs: int, left_out: int = 0) -> Fit:
    """Train at most `epochs` epochs; the last `left` updates are left out."""
    model = run.model
    if waits(model) or left_out:
        run.begin()
    made = Fit()
    rule = Rule(model)
    kept: dict[str, Tensor] | None = None
    last: dict[str, Tensor] = {}
    for number in range(epochs):
        left = left_out if number == epochs - 1 else 0
        epoch = run.epoch(number, rule.reductions, left)
        last = epoch.state
        finite = all(bool(torch.isfinite(p).all()) for p in last.values())
        if not (finite and math.isfinite(epoch.trained["loss"])):
            made.stopped_by = "non_finite"
            made.bad_update = epoch.bad if epoch.bad >= 0 else epoch.updates
            made.bad_loss = epoch.bad_loss
            made.bad = "the mean loss" if finite else "a parameter"
            made.bad = "the loss" if epoch.bad >= 0 else made.bad
            kept = epoch.good if kept is None else kept
            break
        predicted, found = run.judged(epoch, validation)
        made.predicted.append(predicted)
        logs = {"epoch": number, "lr": epoch.lr}
        trained = epoch.trained
        if measured_after(model):
            _, trained = run.judged(epoch, run.training)
        logs |= {f"train_{name}": value for name, value in trained.items()}
        logs |= {f"val_{name}": value for name, value in found.items()}
        made.history.append(logs)
        if rule.see(number, logs) and model.early_stopping is not None:
            made.best_epoch = number
            kept = last if model.early_stopping.restore_best else None
        if rule.ended:
            made.stopped_by = "early_stopping"
            break
    if model.early_stopping is None:
        made.best_epoch = len(made.history) - 1
    made.state = last if kept is None else kept
    if left_out:
        run.begin()  # its last epoch is incomplete
    return made


class Rule:
    """The documented rule of early stopping and `plateau`, applied epoch by epoch."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._level = math.inf
        self._watch: Watch | None = None
        self._plateau: Watch | None = None
        self.best_epoch = -1
        self.reductions = 0
        """The number of reductions of the rate."""
        self.ended = False
        stopping, use = model.early_stopping, model.schedule.use
        if stopping is not None:
            larger = larger_is_better(stopping.monitor, stopping.mode)
            self._watch = Watch(larger, stopping.min_delta)
        if waits(model):
            larger = larger_is_better(use["monitor"], use["mode"])
            self._plateau = Watch(larger, use["min_delta"])

    def see(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """Take the metrics of the next epoch; return whether it is the best so far."""
        stopping, use = self._model.early_stopping, self._model.schedule.use
        if self._plateau is not None:
            self._plateau.see(logs[use["monitor"]])
            if self._plateau.waited >= use["patience"]:
                self.reductions, self._plateau.waited = self.reductions + 1, 0
        if stopping is None or self._watch is None or epoch < stopping.start:
            return False
        value = logs[stopping.monitor] * (-1 if self._watch.larger else 1)
        better = math.isfinite(value) and value < self._level
        if better:
            self._level, self.best_epoch = value, epoch
        self._watch.see(logs[stopping.monitor])
        self.ended = self._watch.waited >= stopping.patience
        return better
