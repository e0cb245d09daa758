"""How far the steps of an emitted module are from those of torch.optim."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import torch
from torch import nn

from specc.verify.reference.network import Reference, parameters, samples
from tests.cases.modules import checked


def drift(
    module: ModuleType,
    text: str,
    make: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    steps: int,
) -> list[float]:
    """How far a module's parameters are from torch's after each step, under a falling rate."""
    model = checked(text)
    state = parameters(model)
    net = module.Model(dtype=torch.float64)
    net.load_state_dict(state)
    reference = Reference(model)
    reference.load(state)
    optimizer = make(list(reference.parameters()))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + 0.1 * t))
    found = []
    for t in range(steps):
        x, y = samples(model, 1 + t % 5, seed=t)
        net.train_step(x, y, module.learning_rate(t))
        optimizer.zero_grad()
        reference.loss(x, y).backward()
        optimizer.step()
        schedule.step()
        named = reference.named.values()
        pairs = list(zip(net.parameters.values(), named, strict=True))
        assert all(b.abs().max() < 10 for _, b in pairs), "the reference diverges"
        found.append(max(float((a - b).detach().abs().max()) for a, b in pairs))
    return found
