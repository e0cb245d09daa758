"""Models of the examples, and what the tests of their methods share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.cases.modules import module_of_example

PLAIN = """
model plain
input point: real[2]
target label: real[1]
layers { linear(3) tanh linear(1) }
loss mse
optimizer sgd(lr=0.1)
"""

TENSORS_ALONE = ("an array", "array", "device")
"""Faults that what the other targets take cannot have."""
DOUBLE = torch.float64


def model_of(
    name: str, dtype: torch.dtype = DOUBLE, seed: int = 0, target: str = "torch"
) -> Any:
    """Make the Model of an example."""
    return module_of_example(name, target=target).Model(seed=seed, dtype=dtype)


def state(model: Any) -> Tensor:
    """Copy the parameters."""
    flat: Tensor = model.flat_parameters.clone()
    return flat


def in_words_of(target: str, message: str) -> str:
    """Give the pattern of a message as the module of this target words it."""
    if target == "torch":
        return message
    return message.replace("torch.", "").replace("a Tensor", "an array")
