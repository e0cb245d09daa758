"""The check of what a module in C offers to a program in C, and its Python binding does not call.

Takes a Subject, gives findings; none for another target.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from specc.proof.finding import Finding, fact
from specc.proof.goals import as_targets
from specc.proof.subject import Subject
from specc.proof.training import trains

EPOCHS = 40
BY = {"epochs": 0, "early_stopping": 1, "non_finite": 4}
"""What the function gives, of how training may end here."""


def from_c(subject: Subject) -> Iterator[Finding]:
    """The source's own loop of training leaves what the binding's does, bit for bit."""
    model = subject.model
    if subject.target != "c" or not trains(model):
        return
    size = 2 * model.train.batch_size + max(2, model.train.batch_size // 3)
    samples, (x_val, _) = subject.drawn(size), subject.drawn(7, seed=1)
    net = subject.net()
    net.fit(*samples, x_val, subject.drawn(7, seed=1)[1], epochs=2)
    held_out = x_val, as_targets(subject, net.forward(x_val))  # best met early
    net = subject.net()
    history = net.fit(*samples, *held_out, epochs=EPOCHS)
    other: Any = subject.net()
    inner, module = other._inner, subject.module._inner
    run = module.Run(inner)
    x, y, x_held, y_held = (
        np.ascontiguousarray(part.numpy()) for part in (*samples, *held_out)
    )
    order = np.empty(2 * size + 1, np.uint32)
    ended = getattr(inner._c, f"{model.name}_fit")(
        ctypes.c_void_p(inner._m),
        ctypes.c_void_p(run.address),
        *(ctypes.c_void_p(part.ctypes.data) for part in (x, y)),
        ctypes.c_size_t(size),
        *(ctypes.c_void_p(part.ctypes.data) for part in (x_held, y_held)),
        ctypes.c_size_t(len(x_held)),
        *([ctypes.c_void_p(order.ctypes.data)] if model.train.shuffle else []),
        ctypes.c_int32(EPOCHS),
        ctypes.c_uint64(int(net.seed)),
        None,
        None,
    )
    wanted = BY.get(history.stopped_by, -1)
    where = f"{ended}, expected {wanted} for {history.stopped_by}"
    yield fact("c", "ended", ended == wanted, where)
    found = other.state_dict()
    for name, value in net.state_dict().items():
        same = torch.equal(found[name], value)
        yield fact("c", name, same, "not what the binding's fit leaves")
    yield from _flat(subject)


def _flat(subject: Subject) -> Iterator[Finding]:
    """Parameters go out to one array and come in from it, in the order of torch."""
    model = subject.model
    net, other = subject.net(subject.state()), subject.net()
    inner = net._inner
    wanted = torch.cat([net.state_dict()[name].flatten() for name in model.parameters])
    flat = np.full(len(wanted) + 1, 7.0)
    getattr(inner._c, f"{model.name}_get")(
        ctypes.c_void_p(inner._m), ctypes.c_void_p(flat.ctypes.data)
    )
    same = np.array_equal(flat[:-1], wanted.numpy()) and flat[-1] == 7.0
    yield fact("c", "get", same, "not the parameters in their order, and no more")
    inner = other._inner
    getattr(inner._c, f"{model.name}_set")(
        ctypes.c_void_p(inner._m), ctypes.c_void_p(flat.ctypes.data)
    )
    for name in model.parameters:
        same = torch.equal(other.state_dict()[name], net.state_dict()[name])
        yield fact("c", f"set {name}", same, "not what the array has")
