"""Samples of validation with which a fit has something to decide: met early, never, by turns.

Takes a Subject and its reference in training, gives pairs; the checks of `fits` train with each.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import torch
from torch import Tensor

from specc.proof.figures import metric
from specc.proof.fitting import Run, fit
from specc.proof.reference import Reference
from specc.proof.roundings import started
from specc.proof.subject import Subject
from specc.proof.training import Samples, Watch, larger_is_better, monitored

BEYOND = 1.6e308
"""Targets of which a loss is not finite, even where it is their distance: the sum of a few is
not."""


def goals(subject: Subject, run: Run, x_val: Tensor, epochs: int) -> Iterator[Samples]:
    """Give samples of validation whose targets the network meets best after a few epochs.

    Then those of which the figure that is monitored gets better again after it has not, as often
    as any of many that are tried: a counter that is never set back is seen there alone.
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
    chosen, goal = _unsteady(subject, predicted)
    yield x_val[chosen], goal


TRIALS = 60


def _unsteady(subject: Subject, predicted: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Choose samples, and targets at which the monitored figure is better after it was not."""
    stopping = subject.model.early_stopping
    assert stopping is not None
    reference = started(subject)
    draw = torch.Generator().manual_seed(subject.seed)
    larger = larger_is_better(stopping.monitor, stopping.mode)
    everything = torch.arange(len(predicted[0]))
    best = (-1, everything, as_targets(subject, predicted[0]))
    for trial in range(TRIALS):
        chosen, goal = everything, as_targets(subject, _goal(predicted, trial, draw))
        if subject.model.target.dtype == "int" and trial % 3:
            chosen = torch.randperm(len(everything), generator=draw)[: 1 + trial % 4]
            classes = predicted[0].shape[-1]
            size = goal[chosen].shape
            goal = torch.randint(classes, size, generator=draw)
        watch = Watch(larger, stopping.min_delta)
        seen: list[float] = []
        for epoch, prediction in enumerate(predicted):
            if epoch >= stopping.start and watch.waited < stopping.patience:
                of = prediction[chosen]
                value = _monitored(reference, stopping.monitor, of, goal)
                seen.append(value)
                watch.see(value)
        if watch.resets > best[0] and _told_apart(seen):
            best = (watch.resets, chosen, goal)
    return best[1:]


def _told_apart(values: list[float]) -> bool:
    """Tell whether no rounding decides which figure is the best one."""
    ordered = sorted(values)
    pairs = zip(ordered, ordered[1:], strict=False)
    return all(a == b or b - a > 1e-8 * max(abs(a), abs(b)) for a, b in pairs)


def _goal(predicted: list[Tensor], trial: int, draw: torch.Generator) -> Tensor:
    """Give targets whose squared error goes up and down, or are of two epochs."""
    if trial % 2:
        i, j = torch.randint(len(predicted), (2,), generator=draw).tolist()
        chosen = torch.rand(predicted[0].shape, generator=draw) < 0.5
        return torch.where(chosen, predicted[i], predicted[j])
    rows = torch.stack([p.flatten() for p in predicted[:6]])
    wanted = torch.rand(len(rows), generator=draw, dtype=torch.float64)
    wanted = wanted - torch.arange(len(rows)) / 3
    scale = 10.0 ** -(trial % 5)
    right = ((rows**2).sum(dim=1) - scale * wanted) / 2
    solved: Tensor = torch.linalg.lstsq(rows, right[:, None], driver="gelsd").solution
    return solved.reshape(predicted[0].shape)


def _monitored(
    reference: Reference, monitor: str, prediction: Tensor, y: Tensor
) -> float:
    name = monitor.removeprefix("val_")
    with torch.no_grad():
        if name == "loss":
            return float(reference.of_predictions(prediction, y))
    clauses = reference.model.metrics
    use = next(c.use for c in clauses if c.use.entry.name == name)
    return metric(reference.model, use, prediction, y)


def as_targets(subject: Subject, prediction: Tensor) -> Tensor:
    """Make targets of predictions."""
    model = subject.model
    if model.target.dtype == "int":
        return prediction.argmax(dim=-1)
    if subject.probabilities:
        last = model.nodes[-1].use.entry.name
        return prediction if last == "sigmoid" else prediction.sigmoid()
    return prediction
