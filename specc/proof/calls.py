"""The checks of the other methods: figures of many samples, files, copies, refusals, `as_module`.

Each takes a Subject and gives findings. Everything is float64.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from specc.library.entry import Use
from specc.proof.figures import metric
from specc.proof.finding import Finding, compared, fact, number
from specc.proof.gradients import SHORT
from specc.proof.reference import Reference
from specc.proof.subject import Subject
from specc.proof.training import SHARES


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


def thresholds(subject: Subject) -> Iterator[Finding]:
    """A prediction or a target that is the threshold is not above it.

    What is counted are the module's own predictions: others may be a rounding off.
    """
    model = subject.model
    for clause, layer in itertools.product(model.metrics, subject.biased[-1:]):
        names = {argument.name for argument in clause.use.entry.arguments}
        if "threshold" not in names or model.target.dtype == "int":
            continue
        limit = clause.use["threshold"]
        if limit != 0.5 and _gives_logits(subject):
            continue  # whose probability is the limit or a rounding off
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
            none = torch.full_like(
                y, limit - 0.1
            )  # of which precision and recall are 0
            for targets in (y, none):
                found = net.evaluate(x, targets)[clause.use.entry.name]
                wanted = metric(model, clause.use, prediction, targets)
                yield number("thresholds", clause.use.entry.name, found, wanted, 1e-7)
            yield from _some_at(subject, clause.use, layer, start)
    yield from _equal(subject)
    yield from _alike(subject)


def _equal(subject: Subject) -> Iterator[Finding]:
    """Of classes that are equally likely the first is predicted, as `torch.argmax` has it.

    NaN is more likely than any number, and as likely as another NaN.
    """
    model = subject.model
    uses = [c.use for c in model.metrics if c.use.entry.name in SHARES]
    for use, layer in itertools.product(uses, subject.biased[-1:]):
        state = subject.state()
        subject.bias_alone(layer, state)
        bias = state[f"{layer}.bias"]
        level = torch.full_like(bias, 0.75)
        last = level.clone()
        last[-1] = math.nan
        for start, said in (
            (level, "classes equally likely"),
            (last, "the last class NaN"),
            (level * math.nan, "all classes NaN"),
        ):
            bias.copy_(start)
            net = subject.net(state)
            x, y = subject.drawn(8)
            prediction = net.forward(x)
            if _is_of(start, prediction):
                found = net.evaluate(x, y)[use.entry.name]
                wanted = metric(model, use, prediction, y)
                yield number("thresholds", use.entry.name, found, wanted, 1e-7, said)


def _is_of(bias: Tensor, prediction: Tensor) -> bool:
    """Tell whether all rows are alike, and their numbers, but for NaN where a bias is NaN."""
    there = prediction.isnan()
    if bias.shape[-1] == prediction.shape[-1]:
        nan = bias.isnan().expand_as(prediction)
    else:
        nan = bias.isnan().all().expand_as(prediction)
    good = prediction[~there]
    return torch.equal(there, nan) and torch.equal(good, good[:1].expand_as(good))


def _gives_logits(subject: Subject) -> bool:
    last = subject.model.nodes[-1]
    probable = last.use.entry.name == "sigmoid" and not last.looks_across
    return subject.probabilities and not probable


def _some_at(subject: Subject, use: Use, layer: str, start: float) -> Iterator[Finding]:
    """Compare a metric of predictions of which some are the threshold, and others are not.

    Of samples that are 0 a layer without a bias gives 0, and activations that do so too.
    """
    limit, state = float(use["threshold"]), subject.state()
    for name, value in state.items():
        if name.endswith((".bias", "mean")):
            value.zero_()
    state[f"{layer}.bias"].fill_(start)
    x, y = subject.drawn(8)
    x[:4] = 0.0
    above = (torch.arange(8) % 2 == 1).reshape(-1, *[1] * (y.dim() - 1)).expand_as(y)
    targets = torch.where(above, limit + 0.1, limit - 0.1).double()
    net = subject.net(state)
    prediction = net.forward(x)
    if torch.equal(prediction[:4], torch.full_like(prediction[:4], limit)):
        found = net.evaluate(x, targets)[use.entry.name]
        wanted = metric(subject.model, use, prediction, targets)
        said = "some predictions at the threshold"
        yield number("thresholds", use.entry.name, found, wanted, 1e-7, said)


def _alike(subject: Subject) -> Iterator[Finding]:
    """Compare `r2` of targets that are all alike, met and missed: there is nothing to explain."""
    model = subject.model
    uses = [c.use for c in model.metrics if c.use.entry.name == "r2"]
    for use, layer in itertools.product(uses, subject.biased[-1:]):
        state = subject.state()
        subject.bias_alone(layer, state)
        state[f"{layer}.bias"].fill_(0.75)
        net, reference = subject.net(state), subject.reference(state).eval()
        x, y = subject.drawn(4)
        with torch.no_grad():
            expected = reference(x)
        levels = [torch.zeros_like(y), torch.full_like(y, 0.5)]
        met = expected.flatten()[0].expand_as(y).clone()
        if torch.equal(net.forward(x), met.reshape(expected.shape)):
            levels += [met, met / 3]
        for targets in levels:
            found = net.evaluate(x, targets)["r2"]
            wanted = metric(model, use, expected, targets)
            yield number("thresholds", "r2", found, wanted, 1e-7, "targets all alike")


def _inverses(limit: float) -> Iterator[float]:
    """Give what a last activation may make `limit` of, and the numbers beside it."""
    starts = [limit]
    if 0 < limit < 1:
        starts += [math.atanh(limit), math.log(limit / (1 - limit))]
    for start in starts:
        yield from (start, math.nextafter(start, 9.0), math.nextafter(start, -9.0))


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
        yield fact("copies", what, same, "a later call changes it")
    for value in net.state_dict().values():
        value.fill_(7.0)
    same = torch.equal(net.forward(x), before["prediction"])
    yield fact("copies", "state_dict", same, "changing it changes the model")
    size = sum(math.prod(p.shape) for p in subject.model.parameters.values())
    for what in ("flat_parameters", "flat_gradients"):
        numel = getattr(net, what).numel()
        fits = numel == size or (subject.target == "c" and numel > size)  # rows padded
        yield fact("copies", what, fits, f"{numel} numbers, expected {size}")
    if not subject.model.moves_on_one:
        net = subject.net(state)
        net.train_step(*subject.drawn(1), 0.0)
        same = all(torch.equal(v, state[n]) for n, v in net.buffers.items())
        yield fact("copies", "one sample", same, "it moves the running statistics")
    yield from _exchanged(subject, state)
    yield from _anew(subject, state)


def _exchanged(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """A state may be views of the model itself, in another order."""
    net = subject.net(state)
    own = dict(net.parameters)
    if subject.model.buffers:
        own |= net.buffers
    shapes: dict[tuple[int, ...], str] = {}
    for name, value in own.items():
        other = shapes.setdefault(tuple(value.shape), name)
        if other != name:
            views = {**net.state_dict(), name: own[other], other: own[name]}
            net.load_state_dict(views)
            same = torch.equal(own[name], state[other])
            same = same and torch.equal(own[other], state[name])
            yield fact("copies", "exchange", same, f"{name} and {other} are lost")
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
    yield fact("copies", "load_state_dict", same, "updates before it leave something")
    yield from _recovered(subject, state)
    used, fresh = subject.net(state), subject.net(state)
    used.train_step(*subject.drawn(4), 0.0)
    before = used.state_dict()
    fresh.load_state_dict(before)
    for net in (used, fresh):
        net.fit(*samples, *samples, epochs=1)
    same = torch.equal(used.flat_parameters, fresh.flat_parameters)
    yield fact("copies", "fit", same, "updates before it leave something")
    fresh = subject.net(used.state_dict())
    for net in (used, fresh):
        net.train_step(*subject.drawn(4), 0.01)
    same = torch.equal(used.flat_parameters, fresh.flat_parameters)
    yield fact("copies", "after fit", same, "its updates leave something")


def _recovered(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """A state that is loaded begins with nothing left of a step that was infinite or NaN."""
    x, _ = subject.drawn(4)
    fresh = subject.net(state)
    fresh.train_step(*subject.drawn(4), 0.01)
    for bad in (math.inf, math.nan):
        used = subject.net(state)
        for value in used.parameters.values():
            value *= bad
        used.train_step(*subject.drawn(4), 0.01)
        used.load_state_dict(dict(state))
        used.train_step(*subject.drawn(4), 0.01)
        same = torch.equal(used.flat_parameters, fresh.flat_parameters)
        same = same and torch.equal(used.forward(x), fresh.forward(x))
        where = f"a step of parameters that are {bad} leaves something"
        yield fact("copies", "load_state_dict", same, where)
    yield from _written_over(subject, state)


def _written_over(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """Who writes good numbers over bad ones, through the views, has a model that trains."""
    samples = subject.drawn(2 * subject.model.train.batch_size + 2)
    fresh = subject.net(state)
    expected = fresh.fit(*samples, *samples, epochs=2)
    for bad in (math.inf, math.nan):
        used = subject.net(state)
        views = dict(used.parameters)
        if subject.model.buffers:
            views |= used.buffers
        for value in used.parameters.values():
            value *= bad
        for _ in range(2):
            used.train_step(*subject.drawn(4), 0.01)
            for name, value in views.items():
                value[:] = state[name]
        found = used.fit(*samples, *samples, epochs=2)
        same = torch.equal(used.flat_parameters, fresh.flat_parameters)
        same = same and found.stopped_by == expected.stopped_by
        same = same
        where = f"a step of parameters that are {bad} leaves something to the next fit"
        yield fact("copies", "parameters", same, where)


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
    yield fact("files", "save and load", same, "what is loaded is not what was saved")
    x, _ = subject.drawn(3)
    alike = torch.equal(net.forward(x), other.forward(x))
    yield fact("files", "predictions", alike, "a loaded model predicts otherwise")
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
        yield fact("files", f"{what} state", refused and kept, where)


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
        yield fact("inputs", what, _refuses(call), "it was taken")
    size = 2 * model.train.batch_size
    x, y = subject.drawn(size)
    history = net.fit(x, y, x, y, epochs=1)
    yield fact("inputs", "one epoch", len(history) == 1, f"{len(history)} epochs")


def _refuses(call: Callable[[], Any]) -> bool:
    with contextlib.suppress(ValueError):
        call()
        return False
    return True


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
    found = {name: p.grad for name, p in reference.named.items()}
    found[reference.model.input.name] = x.grad
    return {name: g.clone() for name, g in found.items() if g is not None}
