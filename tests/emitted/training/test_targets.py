"""Targets that a loss is not defined for are refused by every method, and change nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.cases.modules import module_of_spec

TEXT = """model net
input x: real[2]
target y: real[1]
layers { linear(4) tanh linear(1)LAST }
loss binary_cross_entropy
optimizer sgd(lr=0.1)
train(epochs=2, batch_size=4)
"""
CALLS: dict[str, Callable[[Any, Any, Any, Any], object]] = {
    "fit": lambda net, x, y, good: net.fit(x, y),
    "fit's validation": lambda net, x, y, good: net.fit(x, good, x, y),
    "evaluate": lambda net, x, y, good: net.evaluate(x, y),
    "loss": lambda net, x, y, good: net.loss(x, y),
    "loss_and_gradients": lambda net, x, y, good: net.loss_and_gradients(x, y),
    "train_step": lambda net, x, y, good: net.train_step(x, y, 0.1),
}


@pytest.mark.parametrize("last", ["", " sigmoid"])
@pytest.mark.parametrize("value", [-1.0, 1.5, math.nan, math.inf])
def test_a_target_outside_the_domain_is_refused(
    value: float, last: str, target: str
) -> None:
    net = module_of_spec(TEXT.replace("LAST", last), target=target).Model(
        dtype=torch.float64
    )
    x = torch.rand(5, 2, dtype=torch.float64)
    good = torch.tensor([[0.0], [1], [0.5], [0], [1]], dtype=torch.float64)
    bad = good.clone()
    bad[3] = value
    before = net.flat_parameters.clone()
    for call in CALLS.values():
        with pytest.raises(ValueError, match=f"sample 3 is {value}; .* from 0 to 1"):
            call(net, x, bad, good)
    assert torch.equal(net.flat_parameters, before)
    net.fit(x, good)
