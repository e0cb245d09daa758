"""The checks of what happens over time: starts, rates, updates, whole fits, files, refusals.

Each takes a Subject and gives findings. Everything is float64. Two runs that should be one drift
apart by roundings, which some networks amplify: how far is measured with the reference itself, from
a start that is a rounding off, and what a module may be off is a multiple of that.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specc.model import Model
from specc.proof.figures import metric
from specc.proof.finding import Finding, compared, number, place_in
from specc.proof.gradients import SHORT
from specc.proof.reference import Reference
from specc.proof.starts import starts
from specc.proof.subject import Subject
from specc.proof.training import (
    Fit,
    Samples,
    Watch,
    fit,
    larger_is_better,
    optimizer_of,
    rate,
    step,
)
from specc.streams import permutation

EXACT = 1e-12
STEPS = 20
DRIFT = 1e-9
"""How far apart two runs may be where nothing amplifies roundings."""
AMPLIFIED = 1000
"""How many times as far as the reference from itself, a rounding off."""
CHAOS = 1e-5
"""Where the reference is as far from itself, nothing can be compared any more."""
RATES = 300
"""Of how many epochs or updates the rate is compared."""


def start(subject: Subject) -> Iterator[Finding]:
    """Compare what a seed gives with the initializers' definitions."""
    for seed in (0, 1):
        net = subject.net(seed=seed)
        drawn = starts(subject.model, seed)
        expected = {name: torch.from_numpy(value) for name, value in drawn.items()}
        found = dict(net.parameters)
        yield from compared("start", found, expected, EXACT, f"seed {seed}")
    for name, buffer in subject.model.buffers.items():
        first = torch.full(buffer.shape, buffer.start, dtype=torch.float64)
        found = {name: net.state_dict()[name]}
        yield from compared("start", found, {name: first}, EXACT)


def rates(subject: Subject) -> Iterator[Finding]:
    """Compare the schedule with its closed form, epoch by epoch or update by update."""
    model, module = subject.model, subject.module
    epochs = model.train.epochs
    if model.schedule.use["per"] == "step":
        for count in (1, model.train.batch_size + 1, 3 * model.train.batch_size):
            whole, rest = divmod(count, model.train.batch_size)
            updates = whole + (rest > 0 and not model.train.drop_last)
            total = epochs * updates
            several = range(0, min(epochs, max(1, RATES // max(updates, 1))))
            found = [r for e in several for r in module.learning_rates(e, count)]
            expected = [rate(model, t, total) for t in range(len(found))]
            said = f"{len(found)} updates, {updates} an epoch"
            yield _list("rates", "rate", found, expected, said)
            if len(found) != len(several) * updates:
                where = f"{len(found)} rates for {len(several) * updates} updates"
                yield Finding("rates", "count", math.inf, EXACT, where)
        return
    times = range(min(epochs + 2, RATES))
    found = [module.learning_rate(t) for t in times]
    said = f"t = 0 to {len(found) - 1}"
    yield _list("rates", "rate", found, [rate(model, t, epochs) for t in times], said)


def _list(
    check: str, what: str, found: list[float], expected: list[float], said: str
) -> Finding:
    a, b = (torch.tensor(values, dtype=torch.float64) for values in (found, expected))
    return compared(check, {what: a}, {what: b}, 1e-10, said)[0]


@dataclass(frozen=True)
class Twin:
    """The reference, and itself from a start that is a rounding off."""

    exact: Reference
    other: Reference

    @property
    def apart(self) -> float:
        """How far both are from each other, relative to their numbers."""
        return _apart(_state(self.exact), _state(self.other))


def _apart(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    worst = 0.0
    for name, value in a.items():
        if value.numel():
            difference = (value - b[name]).abs() / value.abs().clamp_min(1.0)
            worst = max(worst, float(difference.max().nan_to_num(math.inf)))
    return worst


def _state(reference: Reference) -> dict[str, Tensor]:
    whole = reference.named() | reference.buffers_by_name()
    return {name: value.detach() for name, value in whole.items()}


def _off(state: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Move every number by about a rounding."""
    draw = torch.Generator().manual_seed(seed)
    return {
        name: value
        * (1 + 4e-16 * torch.randn(value.shape, generator=draw, dtype=torch.float64))
        for name, value in state.items()
    }


def updates(subject: Subject) -> Iterator[Finding]:
    """Compare twenty steps with torch.optim, in batches of every size from one on."""
    model = subject.model
    for factor in (1.0, 0.1, 0.01, 1e-3, 1e-4):
        found = list(_updates(subject, factor))
        if found:
            yield from found
            return
    why = "the reference itself diverges at a ten-thousandth of the rate"
    yield Finding("updates", model.optimizer.use.entry.name, math.nan, DRIFT, why)


def _updates(subject: Subject, factor: float) -> Iterator[Finding]:
    """Give nothing where the reference does not stay near itself at so much of the rate."""
    model = subject.model
    state = subject.state()
    twin = Twin(subject.reference(state), subject.reference(_off(state, subject.seed)))
    optimizers = [
        optimizer_of(model, list(each.parameters()))
        for each in (twin.exact, twin.other)
    ]
    net = subject.net(state)
    least = 1 if model.moves_on_one else 2
    made: list[Finding] = []
    said = f"{STEPS} steps" + (f" at {factor:g} of the rate" if factor != 1 else "")
    total = model.train.epochs
    for t in range(STEPS):
        count = least + (5 * t) % min(subject.samples, 9)
        x, y = subject.drawn(count, seed=t)
        lr = factor * rate(model, t, max(total, STEPS))
        losses = []
        for each, optimizer in zip((twin.exact, twin.other), optimizers, strict=True):
            each.draw(net.seed, t, count)
            losses.append(float(step(each, optimizer, x, y, lr)[0]))
        largest = max(float(v.abs().max()) for v in _state(twin.exact).values())
        if twin.apart > CHAOS or not largest < 1e6:
            return
        bound = DRIFT + AMPLIFIED * twin.apart
        loss = float(net.train_step(x, y, lr))
        scale = AMPLIFIED * abs(losses[0] - losses[1]) / max(abs(losses[0]), 1e-300)
        made.append(number("updates", "loss", loss, losses[0], bound + scale, said))
        expected = _state(twin.exact)
        whole = net.state_dict()
        made += [
            _near("updates", name, whole[name], expected[name], bound, said)
            for name in expected
        ]
    yield from made


def _near(
    check: str, name: str, found: Tensor, expected: Tensor, bound: float, said: str
) -> Finding:
    """Compare arrays relative to their numbers, or to 1."""
    if found.shape != expected.shape:
        where = f"shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
        return Finding(check, name, math.inf, bound, where, said)
    errors = (found - expected).abs() / expected.abs().clamp_min(1.0)
    errors = torch.where(found == expected, 0.0, errors).nan_to_num(math.inf)
    worst = int(errors.argmax())
    pair = [float(v.flatten()[worst]) for v in (found, expected)]
    place = place_in(worst, errors.shape)
    where = f"at {place}: {pair[0]:.6g}, expected {pair[1]:.6g}"
    return Finding(check, name, float(errors.flatten()[worst]), bound, where, said)


def fits(subject: Subject) -> Iterator[Finding]:
    """Compare `fit`: its history, when it stops, which parameters it keeps.

    The targets of validation are what the network itself predicts after a few epochs, so that
    their loss falls first, then rises, and early stopping has something to find.
    """
    model = subject.model
    batch = model.train.batch_size
    if not _trains(model):
        said = "left out: torch trains no batch_norm on batches of one"
        yield Finding("fit", "history", 0.0, DRIFT, said=said)
        return
    size = batch + max(1, batch // 3) if batch > 1 else 5
    if model.train.drop_last:
        size = 2 * batch + max(1, batch // 3)
    if size % batch == 1 and not model.moves_on_one:
        size += 1
    x, y = subject.drawn(size)
    if model.standardize is not None:
        x[..., 0] = 1.5  # which has no deviation to divide by
    x_val, _ = subject.drawn(11, seed=1)
    stopping = model.early_stopping
    longest = 2 * stopping.patience + stopping.start + 8 if stopping else 6
    epochs = max(2, min(model.train.epochs, longest, 150))
    for y_val in _goals(subject, x, y, x_val, epochs):
        yield from _one_fit(subject, (x, y), (x_val, y_val), epochs)


def _trains(model: Model) -> bool:
    """Tell whether torch trains the network in batches of the spec's size."""
    return model.train.batch_size > 1 or model.moves_on_one


def _goals(
    subject: Subject, x: Tensor, y: Tensor, x_val: Tensor, epochs: int
) -> Iterator[Tensor]:
    """Give targets of validation that the network meets best after a few epochs.

    Then those of which the figure that is monitored gets better again after it has not, as often
    as any of many that are tried: a counter that is never set back is seen there alone.
    """
    model = subject.model
    _, targets = subject.drawn(len(x_val), seed=2)
    predicted = fit(_started(subject), 0, (x, y), (x_val, targets), epochs).predicted
    if not predicted:
        yield targets
        return
    yield _as_targets(subject, predicted[min(3, len(predicted) - 1)])
    stopping = model.early_stopping
    if stopping is None or not stopping.monitor.startswith("val_"):
        return
    yield _as_targets(subject, predicted[0])
    if model.target.dtype == "real" and not subject.probabilities:
        yield torch.full_like(targets, 1e200)  # a loss that may never be finite
    yield _unsteady(subject, predicted)


def _unsteady(subject: Subject, predicted: list[Tensor]) -> Tensor:
    """Give targets at which the monitored figure is better again after it was not."""
    stopping = subject.model.early_stopping
    assert stopping is not None
    reference = _started(subject)
    draw = torch.Generator().manual_seed(subject.seed)
    larger = larger_is_better(stopping.monitor, stopping.mode)
    best: tuple[int, Tensor] = (-1, predicted[0])
    for trial in range(TRIALS):
        goal = _as_targets(subject, _goal(predicted, trial, draw))
        watch = Watch(larger, stopping.min_delta)
        for epoch, prediction in enumerate(predicted):
            if epoch >= stopping.start and watch.waited < stopping.patience:
                watch.see(_monitored(reference, stopping.monitor, prediction, goal))
        if watch.resets > best[0]:
            best = (watch.resets, goal)
    return _as_targets(subject, best[1]) if best[0] < 0 else best[1]


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


TRIALS = 60


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


def _as_targets(subject: Subject, prediction: Tensor) -> Tensor:
    """Make targets of predictions."""
    model = subject.model
    if model.target.dtype == "int":
        return prediction.argmax(dim=-1)
    if subject.probabilities:
        last = model.nodes[-1].use.entry.name
        return prediction if last == "sigmoid" else prediction.sigmoid()
    return prediction


def _started(subject: Subject) -> Reference:
    state = {
        name: torch.from_numpy(value)
        for name, value in starts(subject.model, 0).items()
    }
    state |= {
        name: torch.full(buffer.shape, buffer.start, dtype=torch.float64)
        for name, buffer in subject.model.buffers.items()
    }
    return subject.reference(state)


def _one_fit(
    subject: Subject,
    training: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    epochs: int,
) -> Iterator[Finding]:
    exact = _started(subject)
    other = subject.reference(_off(_state(exact), subject.seed))
    net = subject.net()
    expected = fit(exact, 0, training, validation, epochs)
    shaken = fit(other, 0, training, validation, epochs)
    begun = time.perf_counter()
    history = net.fit(*training, *validation, epochs=epochs)
    elapsed = time.perf_counter() - begun
    spent = [history.seconds, *(logs["seconds"] for logs in history)]
    within = all(0 <= seconds <= elapsed for seconds in spent)
    length, bounds = _comparable(expected, shaken)
    said = f"{len(expected.history)} epochs"
    if expected.best_epoch >= 0:
        said += f", best {expected.best_epoch}"
    if expected.stopped_by == "early_stopping":
        said += ", stopped early"
    if length < len(expected.history):
        said += f"; roundings grow, compared for {length}"
    where = f"{max(spent, key=abs):.3g} s of {elapsed:.3g} s"
    yield _fact("fit", "seconds", within, where, said)
    for logs, found, bound in zip(expected.history, history, bounds, strict=False):
        for name, value in logs.items():
            seen = found.get(name, math.nan)
            same = seen == value or math.isnan(value)  # r2 of infinite errors
            error = 0.0 if same else abs(seen - value) / max(abs(value), 1e-3)
            at = f"epoch {logs['epoch']}: {seen:.9g}, expected {value:.9g}"
            yield Finding("fit", name, error, bound, at, said)
    if length < len(expected.history):
        return
    facts = {
        "epochs": (len(history), len(expected.history)),
        "best_epoch": (history.best_epoch, expected.best_epoch),
        "stopped_by": (history.stopped_by, expected.stopped_by),
        "stopped_epoch": (history.stopped_epoch, len(expected.history) - 1),
    }
    for name, (is_, wanted) in facts.items():
        where = f"{is_}, expected {wanted}"
        yield _fact("fit", name, is_ == wanted, where, said)
    if expected.stopped_by == "non_finite":
        return
    bound = DRIFT + AMPLIFIED * _apart(expected.state, shaken.state)
    kept = net.state_dict()
    for name, wanted_numbers in expected.state.items():
        yield _near("fit", name, kept[name], wanted_numbers, bound, said)


def _comparable(expected: Fit, shaken: Fit) -> tuple[int, list[float]]:
    """Give how many epochs roundings leave alone, and how far each may be off."""
    bounds: list[float] = []
    for a, b in zip(expected.history, shaken.history, strict=False):
        apart = max(abs(a[name] - b[name]) / max(abs(a[name]), 1e-3) for name in a)
        if not apart <= CHAOS:
            return len(bounds), bounds
        bounds.append(DRIFT + AMPLIFIED * apart)
    same = len(expected.history) == len(shaken.history)
    alike = same and expected.best_epoch == shaken.best_epoch
    return (len(bounds) if alike else len(bounds) - 1), bounds


def resumed(subject: Subject) -> Iterator[Finding]:
    """A run that goes on from a checkpoint is the uninterrupted one, bit for bit."""
    model = subject.model
    size = max(model.train.batch_size + 2, 5)
    training, validation = subject.drawn(size), subject.drawn(6, seed=1)
    epochs = 4
    whole = subject.net()
    history = whole.fit(*training, *validation, epochs=epochs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.safetensors"
        subject.net().fit(*training, *validation, epochs=2, checkpoint=path)
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
    yield _fact("resume", "parameters", same, "not those of one run", said)
    alike = len(history) == len(again) and all(
        a[key] == b[key] or (a[key] != a[key] and b[key] != b[key])
        for a, b in zip(history, again, strict=True)
        for key in a
        if key != "seconds"
    )
    yield _fact("resume", "history", alike, "not that of one run", said)
    rest = list(range(2, len(history)))
    where = f"epochs {seen} were run, expected {rest}"
    yield _fact("resume", "epochs", seen == rest, where, said)
    if history.stopped_by == "epochs":
        where = f"{len(history)} epochs, expected {epochs}"
        yield _fact("resume", "count", len(history) == epochs, where)
    best = history.best_epoch == again.best_epoch
    yield _fact("resume", "best_epoch", best, "not that of one run", said)


def _fact(check: str, what: str, holds: bool, where: str, said: str = "") -> Finding:
    return Finding(check, what, 0.0 if holds else math.inf, 0.0, where, said)


def files(subject: Subject) -> Iterator[Finding]:
    """Save, load, and what a state may lack."""
    state = subject.state()
    net, other = subject.net(state), subject.net(seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.safetensors"
        net.save(path)
        other.load(path)
    loaded = other.state_dict()
    same = loaded.keys() == state.keys() and all(
        torch.equal(loaded[name], value) for name, value in state.items()
    )
    yield _fact("files", "save and load", same, "what is loaded is not what was saved")
    x, _ = subject.drawn(3)
    alike = torch.equal(net.forward(x), other.forward(x))
    yield _fact("files", "predictions", alike, "a loaded model predicts otherwise")
    first = next(iter(state))
    broken = {
        "missing": {k: v for k, v in state.items() if k != first},
        "extra": state | {"stray": torch.zeros(1, dtype=torch.float64)},
        "ill-shaped": state | {first: torch.zeros(17, 3, 1, dtype=torch.float64)},
    }
    for what, wrong in broken.items():
        refused = _refuses(functools.partial(other.load_state_dict, wrong))
        kept = torch.equal(other.forward(x), net.forward(x))
        where = (
            "it was taken" if not refused else "it was refused and changed something"
        )
        yield _fact("files", f"{what} state", refused and kept, where)


def copies(subject: Subject) -> Iterator[Finding]:
    """What a caller is given stays as it is, and what he does with it changes nothing."""
    state = subject.state()
    net = subject.net({name: value.clone() for name, value in state.items()})
    x, y = subject.drawn(3)
    other, targets = subject.drawn(3, seed=1)
    loss, gradients = net.loss_and_gradients(x, y)
    given = {
        "prediction": net.forward(x),
        "predictions": net.predict(x),
        "state": next(iter(net.state_dict().values())),
        "gradient": next(iter(gradients.values())),
    }
    before = {what: value.clone() for what, value in given.items()}
    net.forward(other)
    net.loss_and_gradients(other, targets)
    for what, value in given.items():
        same = torch.equal(value, before[what])
        yield _fact("copies", what, same, "a later call changes it")
    for value in net.state_dict().values():
        value.fill_(7.0)
    same = torch.equal(net.forward(x), before["prediction"])
    yield _fact("copies", "state_dict", same, "changing it changes the model")
    size = sum(math.prod(p.shape) for p in subject.model.parameters.values())
    for what in ("flat_parameters", "flat_gradients"):
        numel = getattr(net, what).numel()
        fits = numel == size or (subject.target == "c" and numel > size)  # rows padded
        yield _fact("copies", what, fits, f"{numel} numbers, expected {size}")
    yield from _exchanged(subject, state)
    yield from _anew(subject, state)


def _exchanged(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """A state may be views of the model itself, in another order."""
    net = subject.net(state)
    own = dict(net.parameters)
    shapes: dict[tuple[int, ...], str] = {}
    for name, value in own.items():
        other = shapes.setdefault(tuple(value.shape), name)
        if other != name:
            views = {**net.state_dict(), name: own[other], other: own[name]}
            net.load_state_dict(views)
            same = torch.equal(own[name], state[other])
            same = same and torch.equal(own[other], state[name])
            yield _fact("copies", "exchange", same, f"{name} and {other} are lost")
            return


def _anew(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """A state that is loaded, and a fit, begin with nothing left of updates before."""
    size = 2 * subject.model.train.batch_size + 2
    samples = subject.drawn(size)
    used, fresh = subject.net(state), subject.net(state)
    for _ in range(2):
        used.train_step(*subject.drawn(4), 0.01)
    used.load_state_dict(dict(state))
    for net in (used, fresh):
        net.train_step(*subject.drawn(4), 0.01)
    same = torch.equal(used.flat_parameters, fresh.flat_parameters)
    yield _fact("copies", "load_state_dict", same, "updates before it leave something")
    used, fresh = subject.net(state), subject.net(state)
    used.train_step(*subject.drawn(4), 0.0)
    before = used.state_dict()
    fresh.load_state_dict(before)
    for net in (used, fresh):
        net.fit(*samples, *samples, epochs=1)
    same = torch.equal(used.flat_parameters, fresh.flat_parameters)
    yield _fact("copies", "fit", same, "updates before it leave something")


def callbacks(subject: Subject) -> Iterator[Finding]:
    """A callback is told each epoch and its figures, and ends training by returning True."""
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
    yield _fact("callback", "epochs", epochs == expected, where)
    told = all(
        logs == dict(found) for (_, logs), found in zip(seen, history, strict=False)
    )
    yield _fact("callback", "figures", told, "not those of the history")
    if len(history) == 2 and history.stopped_by != "early_stopping":
        ended = history.stopped_by == "callback"
        yield _fact("callback", "stopped_by", ended, history.stopped_by)


def ties(subject: Subject) -> Iterator[Finding]:
    """Where nothing is learnt any more, the first epoch stays the best, and patience ends it.

    The last layer's numbers are so large that a loss of probabilities is 0, and other targets are
    what the network predicts; whatever moves all the same is judged by the rule, not by ties.
    """
    model, stopping = subject.model, subject.model.early_stopping
    if stopping is None:
        return
    state = subject.state()
    for layer in subject.biased[-1:]:
        subject.bias_alone(layer, state)
        if subject.probabilities or model.target.dtype == "int":
            state[f"{layer}.bias"].fill_(-2e3)
            state[f"{layer}.bias"][..., 0] = 2e3
    net = subject.net(state)
    x, _ = subject.drawn(model.train.batch_size + 2)
    y = net.forward(x)
    if model.target.dtype == "int":
        y = y.argmax(dim=-1)
    elif subject.probabilities:
        y = (y > 0.5).double()
    epochs = min(stopping.patience + stopping.start + 3, 150)
    history = net.fit(x, y, x, y, epochs=epochs)
    larger = larger_is_better(stopping.monitor, stopping.mode)
    watch, best, level, last = (
        Watch(larger, stopping.min_delta),
        -1,
        math.inf,
        epochs - 1,
    )
    for epoch, logs in enumerate(history):
        if epoch < stopping.start:
            continue
        value = logs[stopping.monitor] * (-1 if larger else 1)
        if math.isfinite(value) and value < level:
            level, best = value, epoch
        watch.see(logs[stopping.monitor])
        if watch.waited >= stopping.patience:
            last = epoch
            break
    where = f"best {history.best_epoch}, expected {best}"
    yield _fact("ties", "best_epoch", history.best_epoch == best, where)
    where = f"stopped at {history.stopped_epoch}, expected {last}"
    yield _fact("ties", "stopped_epoch", history.stopped_epoch == last, where)


def explosions(subject: Subject) -> Iterator[Finding]:
    """Where the loss stops being finite, training ends with the last good parameters.

    One sample is made large; of those with which the reference explodes, one is taken for each
    way to: at which epoch, at its first update or another, by the loss or by a parameter.
    """
    tried: dict[tuple[int, bool, str, bool], tuple[Samples, Fit, float]] = {}
    validation = subject.drawn(5, seed=1)
    for samples, scale in _large(subject):
        found = fit(_started(subject), 0, samples, validation, EXPLOSION)
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
    start = _off(_state(_started(subject)), subject.seed)
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
        and _apart(found.state, other.state) <= 1e-8
        and not any(1e250 < figure < math.inf for figure in figures)
    )


EXPLOSION = 5
"""Epochs within which it has to happen."""


def _large(subject: Subject) -> Iterator[tuple[Samples, float]]:
    """Give samples of which one is large, late in an epoch."""
    model = subject.model
    batch = model.train.batch_size
    size = 3 * batch if batch > 1 else 4
    real = model.target.dtype == "real" and not subject.probabilities
    if not _trains(model) or (not real and model.standardize is not None):
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
        yield _fact("not finite", what, seen == wanted, where, said)
    kept = "the best" if expected.best_epoch >= 0 else "the last good"
    at = f"epoch {len(expected.history)}, update {expected.bad_update}"
    note = f"{expected.bad} is not finite at {at}; {kept} parameters are kept"
    where = f"{history.note!r}, expected {note!r}"
    yield _fact("not finite", "note", history.note == note, where, said)
    found = net.state_dict()
    for name, value in expected.state.items():
        yield _near("not finite", name, found[name], value, 1e-5, said)


def thresholds(subject: Subject) -> Iterator[Finding]:
    """A prediction or a target that is the threshold is not above it."""
    model = subject.model
    for clause, layer in itertools.product(model.metrics, subject.biased[-1:]):
        limit = dict(clause.use.arguments).get("threshold")
        if limit is None or model.target.dtype == "int":
            continue
        state = subject.state()
        subject.bias_alone(layer, state)
        for start in _inverses(float(limit)):
            state[f"{layer}.bias"].fill_(start)
            net = subject.net(state)
            x, y = subject.drawn(4)
            y[:] = torch.tensor(
                [limit, limit + 0.1, limit - 0.1, limit], dtype=torch.float64
            ).reshape(-1, *[1] * (y.dim() - 1))
            prediction = net.forward(x)
            reference = subject.reference(state).eval()
            with torch.no_grad():
                expected = reference(x)
            if not torch.equal(prediction, expected):
                continue
            found = net.evaluate(x, y)[clause.use.entry.name]
            wanted = metric(model, clause.use, expected, y)
            yield number("thresholds", clause.use.entry.name, found, wanted, 1e-7)


def _inverses(limit: float) -> Iterator[float]:
    """Give what a last activation may make `limit` of, and the numbers beside it."""
    starts = [limit]
    if 0 < limit < 1:
        starts += [math.atanh(limit), math.log(limit / (1 - limit))]
    for start in starts:
        yield from (start, math.nextafter(start, 9.0), math.nextafter(start, -9.0))


def _refuses(call: Callable[[], Any]) -> bool:
    with contextlib.suppress(ValueError):
        call()
        return False
    return True


def inputs(subject: Subject) -> Iterator[Finding]:
    """Samples that are none are refused, each by a ValueError."""
    model = subject.model
    net = subject.net()
    x, y = subject.drawn(4)
    real = model.target.dtype == "real"
    cases: dict[str, Callable[[], Any]] = {
        "no samples": lambda: net.loss(x[:0], y[:0]),
        "more x than y": lambda: net.loss(x, y[:3]),
        "another shape": lambda: net.predict(torch.zeros(4, 1, *x.shape[1:]).double()),
        "another dtype": lambda: net.predict(x.to(torch.int64)),
        "NaN in x": lambda: net.fit(x * math.nan, y, x, y, epochs=1),
        "no epochs": lambda: net.fit(x, y, x, y, epochs=0),
        "NaN in x_val": lambda: net.fit(x, y, x * math.nan, y, epochs=1),
        "x_val alone": lambda: net.fit(x, y, x, epochs=1),
    }
    if real:
        cases["infinity in y"] = lambda: net.fit(x, y + math.inf, x, y, epochs=1)
        cases["NaN in y_val"] = lambda: net.fit(x, y, x, y * math.nan, epochs=1)
    else:
        classes = model.output_shape[-1]
        cases["a class too many"] = lambda: net.loss(x, y * 0 + classes)
        cases["a class below 0"] = lambda: net.loss(x, y * 0 - 1)
        cases["a class too many to learn"] = lambda: net.train_step(
            x, y * 0 + classes, 0.1
        )
    for what, call in cases.items():
        yield _fact("inputs", what, _refuses(call), "it was taken")
    size = 2 * model.train.batch_size
    x, y = subject.drawn(size)
    history = net.fit(x, y, x, y, epochs=1)
    yield _fact("inputs", "one epoch", len(history) == 1, f"{len(history)} epochs")


def batches(subject: Subject) -> Iterator[Finding]:
    """Predictions and figures of many samples, block by block, are those of all at once."""
    model = subject.model
    block = int(getattr(subject.module, "BLOCK", 1024))
    numbers = sum(math.prod(p.shape) for p in model.parameters.values())
    count = block + 3 if numbers * block < 2e8 else subject.samples
    state = subject.state()
    net, reference = subject.net(state), subject.reference(state)
    x, y = subject.drawn(count)
    reference.eval()
    with torch.no_grad():
        last = reference.last_two(x)
        loss = float(reference.compared(last, y))
    said = f"{count:,} samples"
    predicted = {"prediction": net.predict(x)}
    yield from compared("batches", predicted, {"prediction": last[1]}, 1e-9, said)
    found = net.evaluate(x, y)
    yield number("batches", "loss", found["loss"], loss, 1e-9, said)
    for clause in model.metrics:
        name = clause.use.entry.name
        expected = metric(model, clause.use, last[1], y)
        yield number("batches", name, found[name], expected, 1e-7, said)


def module_form(subject: Subject) -> Iterator[Finding]:
    """Compare the nn.Module over the emitted passes with the reference, on the torch target."""
    if subject.target != "torch":
        return
    state = subject.state()
    for training in subject.modes:
        net, reference = subject.net(state), subject.reference(state)
        x, y = subject.drawn(SHORT)
        reference.draw(net.seed, 0, len(x))
        truth = reference.truth(x, y, training)
        form = net.as_module().train(training)
        x = x.clone().requires_grad_()
        said = "in training" if training else ""
        torch.autograd.backward(reference.of_predictions(form(x), y))
        expected = truth.gradients
        yield from _of_module(subject, form, x, expected, said)
        cotangent = subject.drawn(SHORT, seed=3)[0].flatten()[:1] + torch.linspace(
            -1, 2, truth.prediction.numel(), dtype=torch.float64
        )
        cotangent = cotangent.reshape(truth.prediction.shape)
        form.zero_grad()
        x.grad = None
        torch.autograd.backward(form.eval()(x), cotangent)
        expected = _pulled_back(reference.eval(), x.detach(), cotangent)
        yield from _of_module(subject, form, x, expected, "of any cotangent")


def _of_module(
    subject: Subject,
    form: torch.nn.Module,
    x: Tensor,
    expected: Mapping[str, Tensor],
    said: str,
) -> list[Finding]:
    named = dict(form.named_parameters())
    found = {name: named[name].grad for name in subject.model.parameters}
    found[subject.model.input.name] = x.grad
    whole = {n: g for n, g in found.items() if g is not None}
    return compared("module form", whole, expected, 1e-7, said)


def _pulled_back(
    reference: Reference, x: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    reference.zero_grad()
    x = x.clone().requires_grad_()
    torch.autograd.backward(reference(x), cotangent)
    found = {name: p.grad for name, p in reference.named().items()}
    found[reference.model.input.name] = x.grad
    return {name: g.clone() for name, g in found.items() if g is not None}
