"""Training as the users of torch, NumPy and specc write it: whole epochs, and bare steps.

A Subject starts from the parameters of a Start and takes the samples of it. What it runs
in `train` is all that its users get: shuffling, gathering, the steps, the loss of the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import peers
import torch
from workloads import LR, SEED, Workload, emitted


@dataclass(frozen=True)
class Start:
    """What all subjects of a workload have in common."""

    work: Workload
    x: Any
    y: Any
    parameters: Mapping[str, torch.Tensor]
    """`linear1.weight`, `linear1.bias`, ..., as torch has them."""
    order: Any
    """The samples of the first epoch, in the order that specc takes them."""

    @property
    def task(self) -> peers.Task:
        """Give the same to the peers of `make bench`."""
        return peers.Task(self.parameters, self.work.network.classes, LR)

    @property
    def layers(self) -> list[tuple[Any, Any]]:
        """Copy each layer's matrix (inputs, outputs) and bias, as all but torch have them."""
        return [(w.numpy().T.copy(), b.numpy().copy()) for w, b in self.task.layers]

    def named(self, layers: Any) -> dict[str, torch.Tensor]:
        """Turn `layers` back into torch's names and shapes."""
        flat = [part for w, b in layers for part in (np.array(w).T, np.array(b))]
        return dict(zip(self.parameters, map(torch.from_numpy, flat), strict=True))


@dataclass(frozen=True)
class Subject:
    """One way to train; counts are given so that asynchronous ones can wait at the end."""

    name: str
    train: Callable[[int], Any]
    """Run that many epochs, shuffled."""
    epoch: Callable[[Any], Any]
    """Run one epoch in the order given (specc: its first epoch, which has that order)."""
    parameters: Callable[[], dict[str, torch.Tensor]]
    steps: Callable[[int], Any] | None = None
    """Run that many bare updates on one batch, where there is such a thing."""
    note: str = ""
    linear: bool = False
    """Does not have the last tanh: its users cannot."""


def begin(work: Workload) -> Start:
    """Draw samples, start parameters and the order of the first epoch."""
    module = emitted(work.network.spec(work.batch), work.batch, "torch")
    parameters = module.Model(seed=SEED).parameters
    return Start(
        work,
        *work.network.samples(work.count),
        {
            name: value.detach().clone().contiguous()
            for name, value in parameters.items()
        },
        module.permutation(SEED, "shuffle/0", work.count).numpy(),
    )


def specc(target: str, start: Start) -> Subject:
    """Train an emitted module by its `fit`."""
    batch = start.work.batch
    module = emitted(start.work.network.spec(batch), batch, target)
    model = module.Model(seed=SEED)
    x, y = start.x, start.y
    if target == "torch":
        x, y = torch.from_numpy(x), torch.from_numpy(y)
    one_x, one_y = x[:batch], y[:batch]

    def steps(count: int) -> None:
        for _ in range(count):
            model.train_step(one_x, one_y, LR)

    return Subject(
        f"specc {target}",
        lambda count: model.fit(x, y, epochs=count),
        lambda order: model.fit(x, y, epochs=1),
        lambda: {k: torch.as_tensor(v).clone() for k, v in model.parameters.items()},
        steps,
    )


def looped(peer: peers.Peer, start: Start) -> Subject:
    """Train by the tutorials' loop around a step, the epoch's samples gathered before it."""
    x, y = (peer.convert(torch.from_numpy(array)) for array in (start.x, start.y))
    batch, count = start.work.batch, start.work.count
    shuffled = torch.randperm if isinstance(x, torch.Tensor) else np.random.permutation
    bounds = [slice(i, i + batch) for i in range(0, count, batch)]
    one_x, one_y = x[:batch], y[:batch]

    def epoch(order: Any) -> float:
        epoch_x, epoch_y, total = x[order], y[order], 0.0
        for bound in bounds:
            total += peer.step(epoch_x[bound], epoch_y[bound]).item()
        return total / len(bounds)

    def train(epochs: int) -> list[float]:
        return [epoch(shuffled(count)) for _ in range(epochs)]

    def steps(count: int) -> None:
        for _ in range(count):
            peer.step(one_x, one_y)

    return Subject(peer.name, train, epoch, peer.parameters, steps)


def eager(start: Start) -> Subject:
    """Train as torch's tutorials have it."""
    return looped(peers.eager(start.task), start)


def compiled(start: Start) -> Subject:
    """Train as the tutorials of `torch.compile` have it."""
    torch._dynamo.reset()  # it gives up a function that it compiled for eight networks
    return looped(peers.compiled(start.task), start)


def hand_numpy(start: Start) -> Subject:
    """Train by the hand-written step of `make bench`."""
    return looped(peers.numpy_step(start.task, start.work.batch), start)


def truth(start: Start, linear: bool) -> dict[str, torch.Tensor]:
    """Give the parameters after the first epoch by torch's autograd, in float32."""
    task = start.task
    module = task.module()
    if linear and not task.classes:
        module = module[:-1]
    loss_of, batch = task.loss, start.work.batch
    values = list(module.parameters())
    for rows in torch.from_numpy(start.order).split(batch):
        x, y = torch.from_numpy(start.x)[rows], torch.from_numpy(start.y)[rows]
        gradients = torch.autograd.grad(loss_of(module(x), y), values)
        with torch.no_grad():
            for value, gradient in zip(values, gradients, strict=True):
                value -= task.lr * gradient
    return task.named([value.detach() for value in values])


TORCH_SUBJECTS: dict[str, Callable[[Start], Subject]] = {
    "specc torch": partial(specc, "torch"),
    "specc c": partial(specc, "c"),
    "specc numpy": partial(specc, "numpy"),
    "eager torch": eager,
    "torch.compile": compiled,
    "NumPy by hand": hand_numpy,
}
