"""The check of ownership: results belong to the caller, and no state leaks between calls.

Takes a Subject and yields findings. Everything is float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from specc.verify.compare.finding import Finding, fact
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch


def ownership(subject: Subject) -> Iterator[Finding]:
    """Check that later calls do not change results, and changed results not the model."""
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
        yield fact("ownership", what, same, "a later call changes it")
    for value in net.state_dict().values():
        value.fill_(7.0)
    same = torch.equal(net.forward(x), before["prediction"])
    yield fact("ownership", "state_dict", same, "changing it changes the model")
    size = sum(math.prod(p.shape) for p in subject.model.parameters.values())
    for what in ("flat_parameters", "flat_gradients"):
        numel = getattr(net, what).numel()
        fits = numel == size or (subject.target == "c" and numel > size)  # rows padded
        yield fact("ownership", what, fits, f"{numel} numbers, expected {size}")
    if not subject.model.moves_on_one:
        net = subject.net(state)
        net.train_step(*subject.drawn(1), 0.0)
        same = all(torch.equal(v, state[n]) for n, v in net.buffers.items())
        yield fact("ownership", "one sample", same, "it changes the running statistics")
    yield from _exchanged(subject, state)
    yield from _anew(subject, state)
    yield from _recovered(subject, state)
    yield from _written_over(subject, state)


def _views(subject: Subject, net: Any) -> dict[str, Tensor]:
    """Return a model's own parameters and buffers."""
    buffers = net.buffers if subject.model.buffers else {}
    return {**net.parameters, **buffers}


def _exchanged(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """Check that a state can be views of the model itself, in another order."""
    net = subject.net(state)
    own = _views(subject, net)
    shapes: dict[tuple[int, ...], str] = {}
    for name, value in own.items():
        other = shapes.setdefault(tuple(value.shape), name)
        if other != name:
            views = {**net.state_dict(), name: own[other], other: own[name]}
            net.load_state_dict(views)
            same = torch.equal(own[name], state[other])
            same = same and torch.equal(own[other], state[name])
            yield fact("ownership", "exchange", same, f"{name} and {other} are lost")
            return


def _anew(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """Check that nothing of earlier updates is left after load_state_dict, or by a fit."""
    size = 2 * subject.model.train.batch_size + 2
    samples = subject.drawn(size)
    used, fresh = subject.net(state), subject.net(state)
    for _ in range(2):
        used.train_step(*subject.drawn(4), 0.01)
    used.load_state_dict(dict(state))
    for net in (used, fresh):
        net.train_step(*subject.drawn(4), 0.01)
    same = torch.equal(used.flat_parameters, fresh.flat_parameters)
    yield fact("ownership", "load_state_dict", same, "earlier updates leave a trace")
    used, fresh = subject.net(state), subject.net(state)
    used.train_step(*subject.drawn(4), 0.0)
    before = used.state_dict()
    fresh.load_state_dict(before)
    for net in (used, fresh):
        net.fit(*samples, *samples, epochs=1)
    same = torch.equal(used.flat_parameters, fresh.flat_parameters)
    yield fact("ownership", "fit", same, "earlier updates leave a trace")
    fresh = subject.net(used.state_dict())
    for net in (used, fresh):
        net.train_step(*subject.drawn(4), 0.01)
    same = torch.equal(used.flat_parameters, fresh.flat_parameters)
    yield fact("ownership", "after fit", same, "its updates leave a trace")


def _recovered(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """Check that nothing of an infinite or NaN step is left after load_state_dict."""
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
        where = f"a step of parameters that are {bad} leaves a trace"
        yield fact("ownership", "load_state_dict", same, where)


def _written_over(subject: Subject, state: Mapping[str, Tensor]) -> Iterator[Finding]:
    """Check that a model trains after bad parameters are overwritten through the views."""
    samples = subject.drawn(2 * subject.model.train.batch_size + 2)
    fresh = subject.net(state)
    expected = fresh.fit(*samples, *samples, epochs=2)
    for bad in (math.inf, math.nan):
        used = subject.net(state)
        views = _views(subject, used)
        for value in used.parameters.values():
            value *= bad
        for _ in range(2):
            used.train_step(*subject.drawn(4), 0.01)
            for name, value in views.items():
                value[:] = state[name]
        found = used.fit(*samples, *samples, epochs=2)
        same = torch.equal(used.flat_parameters, fresh.flat_parameters)
        same = same and found.stopped_by == expected.stopped_by
        where = f"a step of parameters that are {bad} changes the next fit"
        yield fact("ownership", "parameters", same, where)
