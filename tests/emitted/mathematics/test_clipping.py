"""Gradients that are clipped before the update, against torch's, on every target."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from specc.derive.derive import derive
from specc.derive.lower import lower
from specc.targets.torch.operations import TORCH
from specc.verify.reference.network import Reference, parameters, samples
from tests.cases.modules import checked, module_of_spec

TEXT = """
model net
input x: real[4]
target y: real[2]
layers {{ {layers} }}
loss mse
optimizer {optimizer}
train(batch_size=3{clips})
"""
SMALL = "linear(5) tanh linear(2)"
WIDE = "linear(150) tanh linear(130) tanh linear(2)"
CLIPS: dict[str, dict[str, float]] = {
    "norm": {"clip_norm": 0.3},
    "a norm that is reached at times": {"clip_norm": 1.0},
    "value": {"clip_value": 0.05},
    "value, then norm": {"clip_value": 0.1, "clip_norm": 0.2},
}
OPTIMIZERS: dict[str, Any] = {
    "sgd(lr=0.1)": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd(lr=0.1, momentum=0.8, weight_decay=0.1)": lambda p: torch.optim.SGD(
        p, lr=0.1, momentum=0.8, weight_decay=0.1
    ),
    "adam(lr=0.01)": lambda p: torch.optim.Adam(p, lr=0.01),
}
STEPS = 20


def text_of(optimizer: str, clips: dict[str, float], layers: str = SMALL) -> str:
    given = "".join(f", {name}={value}" for name, value in clips.items())
    return TEXT.format(optimizer=optimizer, clips=given, layers=layers)


def drift(text: str, optimizer: str, clips: dict[str, float], target: str) -> float:
    """How far the parameters are from torch's, at most, in 20 steps."""
    model = checked(text)
    module = module_of_spec(text, target=target)
    net, reference = module.Model(dtype=torch.float64), Reference(model)
    state = parameters(model)
    net.load_state_dict(state)
    reference.load(state)
    made = OPTIMIZERS[optimizer](list(reference.parameters()))
    found = []
    for t in range(STEPS):
        x, y = samples(model, 1 + t % 5, seed=t)
        y = 2 * y
        net.train_step(x, y, module.learning_rate(t))
        made.zero_grad()
        reference.loss(x, y).backward()
        weights = list(reference.parameters())
        if "clip_value" in clips:
            torch.nn.utils.clip_grad_value_(weights, clips["clip_value"])
        if "clip_norm" in clips:
            torch.nn.utils.clip_grad_norm_(weights, clips["clip_norm"])
        made.step()
        named = reference.named.values()
        pairs = zip(net.parameters.values(), named, strict=True)
        found.append(max(float((a - b).detach().abs().max()) for a, b in pairs))
    return max(found)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("case", CLIPS)
def test_updates_are_those_of_torch(case: str, optimizer: str, target: str) -> None:
    text = text_of(optimizer, CLIPS[case])
    assert drift(text, optimizer, CLIPS[case], target) <= 1e-12


@pytest.mark.parametrize("case", CLIPS)
def test_a_wide_network_is_clipped_too(case: str, target: str) -> None:
    """Where plain sgd is written by the backward pass, unless its gradients are clipped."""
    text = text_of("sgd(lr=0.1)", CLIPS[case], WIDE)
    assert not derive(lower(checked(text)), TORCH).descends
    assert derive(lower(checked(text_of("sgd(lr=0.1)", {}, WIDE))), TORCH).descends
    assert drift(text, "sgd(lr=0.1)", CLIPS[case], target) <= 1e-12


@pytest.mark.parametrize("case", CLIPS)
def test_another_clipping_is_told_apart(case: str) -> None:
    text = text_of("sgd(lr=0.1)", CLIPS[case])
    others = [clips for name, clips in CLIPS.items() if name != case]
    for clips in [*others, {}]:
        assert drift(text, "sgd(lr=0.1)", clips, "torch") > 1e-6, clips
