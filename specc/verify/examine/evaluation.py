"""The checks of `predict` and `evaluate`: many samples, thresholds and ties.

Each takes a Subject and yields findings. Everything is float64.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from specc.library.vocabulary import Use
from specc.verify.compare.finding import Finding, compared, number
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.metrics import metric
from specc.verify.reference.training import SHARES


def evaluation(subject: Subject) -> Iterator[Finding]:
    """Compare predictions and metrics of many samples, which are computed block by block."""
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
    yield from compared("evaluation", predicted, {"prediction": last[1]}, 1e-9, said)
    found = net.evaluate(x, y)
    yield number("evaluation", "loss", found["loss"], loss, 1e-9, said)
    for clause in model.metrics:
        name = clause.use.entry.name
        expected = metric(model, clause.use, last[1], y)
        yield number("evaluation", name, found[name], expected, 1e-7, said)


def thresholds(subject: Subject) -> Iterator[Finding]:
    """Check that a prediction or a target equal to the threshold is not above it.

    The expected metrics use the predictions of the module: others may differ by rounding.
    """
    model = subject.model
    for clause, layer in itertools.product(model.metrics, subject.biased[-1:]):
        names = {argument.name for argument in clause.use.entry.arguments}
        if "threshold" not in names or model.target.dtype == "int":
            continue
        limit = clause.use["threshold"]
        if limit != 0.5 and _gives_logits(subject):
            continue  # rounding decides whether the probability is the limit
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
            none = torch.full_like(y, limit - 0.1)  # precision and recall are 0
            for targets in (y, none):
                found = net.evaluate(x, targets)[clause.use.entry.name]
                wanted = metric(model, clause.use, prediction, targets)
                yield number("thresholds", clause.use.entry.name, found, wanted, 1e-7)
            yield from _some_at(subject, clause.use, layer, start)
    yield from _equal(subject)
    yield from _alike(subject)


def _equal(subject: Subject) -> Iterator[Finding]:
    """Check that of equally likely classes the first is predicted, as by `torch.argmax`.

    NaN counts as larger than any number, and as equal to NaN.
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
    """True if all rows are equal and finite, except NaN where a bias is NaN."""
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
    """Compare a metric of predictions of which some equal the threshold.

    For samples that are 0, a layer without a bias returns 0, and so do some activations.
    """
    limit, state = float(use["threshold"]), subject.state()
    for name, value in state.items():
        if name.endswith((".bias", "mean", ".offset")):
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
    """Compare `r2` of constant targets, for exact and for wrong predictions."""
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
    """Yield the numbers that a last activation may map to `limit`, and their neighbours."""
    starts = [limit]
    if 0 < limit < 1:
        starts += [math.atanh(limit), math.log(limit / (1 - limit))]
    for start in starts:
        yield from (start, math.nextafter(start, 9.0), math.nextafter(start, -9.0))
