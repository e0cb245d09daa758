"""The check of the C functions that a C program can call and the Python binding does not.

Takes a Subject, yields findings; none for another target. Invariant: each function is compared with
the binding, or with a reference, on the same samples.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from specc.verify.c import functions, sanitizers
from specc.verify.c.loops import LITTLE, loops
from specc.verify.compare.finding import Finding, fact, in_turn, near, number
from specc.verify.compare.goals import as_targets
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import torch
from specc.verify.examine.gradients import against
from specc.verify.reference.round_off import DRIFT
from specc.verify.reference.training import trains

RATES = 300
SAME = 1e-12
"""The tolerance of results that differ only in the order of sums."""


def from_c(subject: Subject) -> Iterator[Finding]:
    """Compare the C functions with the Python binding, and run sanitizers on all of them."""
    model = subject.model
    if subject.target != "c" or not trains(model):
        return
    yield from in_turn(
        loops(subject),
        _padded(subject),
        _rates(subject),
        _figures(subject),
        _flat(subject),
        _begun(subject),
        _just_enough(subject),
        _too_many(subject),
        _several(subject),
        sanitizers.found(subject),
    )


def _padded(subject: Subject) -> Iterator[Finding]:
    """Check the padding of rows after a fit, and after gradients."""
    net, model = subject.net(), subject.model
    samples = subject.drawn(model.train.batch_size + 2)
    net.fit(*samples, *samples, epochs=2)
    yield _padding(net._inner, "after a fit")
    net._inner.flat_gradients.fill(7.0)  # other calls may use them
    net.loss_and_gradients(*samples)
    yield _padding(net._inner, "after gradients")


def _rates(subject: Subject) -> Iterator[Finding]:
    """Compare the learning rate of the source with that of the binding."""
    model, binding = subject.model, subject.module.learning_rate
    net = subject.net()._inner
    takes = len(inspect.signature(binding).parameters)
    for more in (1, 7, 40)[: 1 if takes == 1 else 3]:
        for t in range(min(model.train.epochs + 2, RATES)):
            given = (t, more)[:takes]
            found = functions.learning_rate(net, model.name, *given)
            where = f"learning_rate{given}"
            yield number("c-api", where, found, binding(*given), SAME)


def _figures(subject: Subject) -> Iterator[Finding]:
    """Compare the metrics of the source with those of the binding.

    Predictions are constant, targets are exact, or all equal, so that some metrics have few hits or
    none.
    """
    if not hasattr(subject.module._inner.Model, "_means"):
        return
    shown = getattr(subject.module, "SHOWN", subject.module.FIGURES)
    x, y = subject.drawn(6)
    for bias in (0.0, 0.75, -0.75):
        state = subject.state()
        for layer in subject.biased[-1:] if bias else []:
            subject.bias_alone(layer, state)
            state[f"{layer}.bias"].fill_(bias)
        net = subject.net(state)
        met = as_targets(subject, net.forward(x)).reshape(y.shape)
        for targets in (y, met, torch.zeros_like(y)):
            made = net.evaluate(x, targets)
            found = net._inner._means(x.numpy(), targets.numpy())
            for name in shown:
                if not math.isnan(made[name]):
                    yield number("c-api", name, found[name], made[name], SAME)


def _just_enough(subject: Subject) -> Iterator[Finding]:
    """Check that a batch as large as the workspace is accepted."""
    x, y = subject.drawn(subject.most)
    net = subject.net(subject.state())
    asked = {"training": True} if True in subject.modes else {}
    loss, _ = net.loss_and_gradients(x, y, **asked)
    pair = x.numpy(), y.numpy()
    before = functions.train_step(net._inner, subject.model.name, *pair, LITTLE)
    held = not (math.isnan(loss) or math.isnan(before))
    where = f"{subject.most} samples are rejected, though the workspace holds them"
    yield fact("c-api", "just enough", held, where)


def _too_many(subject: Subject) -> Iterator[Finding]:
    """Check that a step on more samples than the workspace holds is right, or returns NAN."""
    state = subject.state()
    net, other = subject.net(state), subject.net(state)
    x, y = subject.drawn(subject.most + 1)
    pair = x.numpy(), y.numpy()
    if True in subject.modes and not subject.in_parts:
        loss = functions.in_training(net._inner, subject.model.name, *pair)
        where = f"it returns {loss} and gradients for a batch that is too large"
        yield fact("c-api", "too many", math.isnan(loss), where)
    loss = functions.train_step(net._inner, subject.model.name, *pair, LITTLE)
    if math.isnan(loss):
        kept = all(torch.equal(net.state_dict()[name], state[name]) for name in state)
        yield fact(
            "c-api", "too many", kept, "it returns NAN but changes the parameters"
        )
        return
    if not subject.in_parts:
        where = f"it returns {loss} for a batch that is too large"
        yield fact("c-api", "too many", False, where)
        return
    other.train_step(x, y, LITTLE)  # the binding steps in parts
    said = "more samples than the workspace holds"
    for name, value in other.state_dict().items():
        yield near("c-api", name, net.state_dict()[name], value, DRIFT, said)


def _several(subject: Subject) -> Iterator[Finding]:
    """Check that gradients of more samples than the workspace holds are summed in parts."""
    state = subject.state()
    net, reference = subject.net(state), subject.reference(state)
    samples = subject.drawn(subject.most + 3)
    yield from against(subject, net, reference, *samples, False, "c-api", known=False)


def _padding(inner: Any, said: str) -> Finding:
    """Check that the padding of rows is zero."""
    flats = inner.flat_parameters, inner.flat_gradients
    whole = sum(map(np.count_nonzero, flats))
    values = [*inner.parameters.values(), *inner.gradients.values()]
    named = sum(map(np.count_nonzero, values))
    where = f"{whole - named} numbers in the padding"
    return fact("c-api", "padding", whole == named, where, said)


def _begun(subject: Subject) -> Iterator[Finding]:
    """Check that a model can be initialized in memory that was used before."""
    inner = subject.net()._inner
    yield _padding(inner, "at the start")
    clean, used = (
        functions.begun_in(inner, subject.model.name, b) for b in (0, functions.USED)
    )
    same = np.array_equal(clean[:-64], used[:-64])
    yield fact(
        "c-api", "init", same, "old contents of the memory are left in the model"
    )
    kept = not clean[-64:].any() and bool((used[-64:] == functions.USED).all())
    yield fact("c-api", "init beyond", kept, "memory after the model is overwritten")


def _flat(subject: Subject) -> Iterator[Finding]:
    """Check that parameters are copied to and from one array, in the order of torch."""
    model = subject.model
    net, other = subject.net(subject.state()), subject.net()
    wanted = torch.cat([net.state_dict()[name].flatten() for name in model.parameters])
    flat = np.full(len(wanted) + 1, 7.0)
    functions.get(net._inner, model.name, flat)
    same = np.array_equal(flat[:-1], wanted.numpy()) and flat[-1] == 7.0
    yield fact("c-api", "get", same, "not exactly the parameters in order")
    functions.set_(other._inner, model.name, flat)
    for name in model.parameters:
        same = torch.equal(other.state_dict()[name], net.state_dict()[name])
        yield fact("c-api", f"set {name}", same, "not the numbers of the array")
    used = subject.net(subject.state())
    for _ in range(2):
        used.train_step(*subject.drawn(4), LITTLE)
    functions.set_(used._inner, model.name, flat)
    for each in (net, used):
        each.train_step(*subject.drawn(4), LITTLE)
    for name in model.parameters:
        same = torch.equal(used.state_dict()[name], net.state_dict()[name])
        yield fact("c-api", f"set {name}", same, "earlier updates leave a trace")
