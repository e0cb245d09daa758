"""Small specs that `fit` trains, and what the tests compare of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.cases.modules import changed

SPEC = """
model tiny
input point: real[2]
target label: real[1]
layers { linear(5, weight=he_normal) tanh linear(1) }
loss mse
"""


def spec(
    sgd: str = "lr=0.1", early: str | None = None, more: str = "", **train: object
) -> str:
    """Write a small spec: `early` are the arguments of early_stopping, None is without."""
    settings = ", ".join(f"{name}={value}" for name, value in train.items())
    lines = [SPEC, f"optimizer sgd({sgd})", more, f"train({settings})"]
    lines += [] if early is None else [f"early_stopping({early})"]
    return "\n".join(lines)


def state(model: Any) -> Tensor:
    """Copy the parameters, and the buffers where there are any."""
    parts = (model.flat_parameters, getattr(model, "flat_buffers", torch.zeros(0)))
    return torch.cat([part.to(parts[0].dtype) for part in parts])


def without_seconds(history: Any) -> list[dict[str, float]]:
    return [{k: v for k, v in logs.items() if k != "seconds"} for logs in history]


MOMENTUM = spec(sgd="lr=0.3, momentum=0.9", epochs=12, early="patience=3", batch_size=3)


GROWING = """
model growing
input point: real[2]
target label: real[1]
layers {{ linear(3) linear(1) }}
loss mse
optimizer sgd({sgd})
train(epochs=300, batch_size={batch})
"""


Fault = Callable[[str], tuple[str, str]]
"""From the name of a target to what a fault changes in its text, and how."""


def broken(text: str, fault: Fault, target: str) -> Any:
    """Import the module of a spec with a fault in its text."""
    return changed(text, target, (".py", *fault(target)))
