"""Each form of sgd against torch.optim.SGD, on every target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from specc.verify.reference.network import (
    parameters,
    samples,
)
from tests.cases.drift import drift
from tests.cases.modules import checked, module_of_spec
from tests.cases.networks import spec

pytestmark = pytest.mark.usefixtures("one_thread")

SGD: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.8, "nesterov": True},
    "weight_decay": {"weight_decay": 0.01},
    "decayed_momentum": {"momentum": 0.9, "weight_decay": 0.02},
    "all": {"momentum": 0.7, "nesterov": True, "weight_decay": 0.03},
}
RATE = 0.05
STEPS = 50


def sgd(arguments: dict[str, Any]) -> str:
    given = {name: str(value).lower() for name, value in arguments.items()}
    return (
        "sgd(" + ", ".join(f"{k}={v}" for k, v in {"lr": RATE, **given}.items()) + ")"
    )


def torch_sgd(arguments: dict[str, Any]) -> Callable[[Any], torch.optim.SGD]:
    return lambda weights: torch.optim.SGD(weights, lr=RATE, **arguments)


@pytest.mark.parametrize(
    "layers",
    ["linear(5) tanh linear(3)", "linear(150) tanh linear(130) tanh linear(3) tanh"],
)
@pytest.mark.parametrize("name", SGD)
def test_updates_are_those_of_torch_optim(name: str, layers: str, target: str) -> None:
    """Fifty steps of each form of sgd under a changing rate agree to 1e-12."""
    text = spec(layers, optimizer=sgd(SGD[name]), schedule="time_decay(decay=0.1)")
    module = module_of_spec(text, target=target)
    found = drift(module, text, torch_sgd(SGD[name]), STEPS)
    assert len(found) == STEPS and max(found) <= 1e-12


@pytest.mark.parametrize("name", SGD)
def test_another_update_is_told_apart(name: str) -> None:
    """No form of sgd passes for another one: each differs from all others by far."""
    text = spec(
        "linear(5) tanh linear(3)",
        optimizer=sgd(SGD[name]),
        schedule="time_decay(decay=0.1)",
    )
    module = module_of_spec(text)
    others = {
        other: max(drift(module, text, torch_sgd(arguments), STEPS))
        for other, arguments in SGD.items()
        if other != name
    }
    assert {other: d for other, d in others.items() if not d > 1e-6} == {}


def test_the_rate_is_outside_the_velocity(target: str) -> None:
    """After a rate of 0 the velocity still moves the parameters by the new rate alone."""
    text = spec("linear(3)", optimizer="sgd(lr=0.1, momentum=0.5)")
    model = checked(text)
    net = module_of_spec(text, target=target).Model(dtype=torch.float64)
    net.load_state_dict(parameters(model))
    x, y = samples(model, 4)
    _, g = net.loss_and_gradients(x, y)
    before = net.state_dict()
    net.train_step(x, y, 0.0)
    assert all(torch.equal(net.parameters[n], before[n]) for n in before)
    net.train_step(x, y, 0.01)
    for n in before:
        torch.testing.assert_close(
            net.parameters[n], before[n] - 0.01 * 1.5 * g[n], rtol=0, atol=1e-15
        )
