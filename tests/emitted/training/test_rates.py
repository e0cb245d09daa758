"""Schedules by epoch against their formulas, torch's schedulers, and the documented values."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from specc.library import VOCABULARY
from tests.cases.modules import module_of_spec
from tests.cases.networks import spec
from tests.cases.optimizers import OPTIMIZERS
from tests.cases.schedules import BY_PERIOD, PLATEAUS

RATE = 0.05

Scheduler = torch.optim.lr_scheduler
SCHEDULES: dict[str, tuple[Any, Any]] = {
    "constant": (
        lambda t: RATE,
        lambda o: Scheduler.ConstantLR(o, factor=1.0),
    ),
    "time_decay(decay=0.5)": (
        lambda t: RATE / (1 + 0.5 * t),
        lambda o: Scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.5 * t)),
    ),
    "time_decay(decay=0)": (
        lambda t: RATE,
        lambda o: Scheduler.LambdaLR(o, lambda t: 1.0),
    ),
    "exponential_decay(gamma=0.97)": (
        lambda t: RATE * 0.97**t,
        lambda o: Scheduler.ExponentialLR(o, 0.97),
    ),
    "exponential_decay(rate=0.02)": (
        lambda t: RATE * math.exp(-0.02 * t),
        lambda o: Scheduler.ExponentialLR(o, math.exp(-0.02)),
    ),
    "exponential_decay(rate=0)": (
        lambda t: RATE,
        lambda o: Scheduler.ExponentialLR(o, 1.0),
    ),
    "step_decay(factor=0.5, every=15)": (
        lambda t: RATE * 0.5 ** (t // 15),
        lambda o: Scheduler.StepLR(o, 15, 0.5),
    ),
    "step_decay(factor=0.9, every=1)": (
        lambda t: RATE * 0.9**t,
        lambda o: Scheduler.StepLR(o, 1, 0.9),
    ),
    "step_decay(factor=2, every=50)": (
        lambda t: RATE * 2 ** (t // 50),
        lambda o: Scheduler.StepLR(o, 50, 2),
    ),
}


def rates(schedule: str, target: str, lr: float = RATE) -> list[float]:
    """The 200 values that the emitted module gives."""
    text = spec("linear(3)", optimizer=f"sgd(lr={lr})", schedule=schedule)
    module = module_of_spec(text, target=target)
    return [module.learning_rate(t) for t in range(200)]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_are_the_closed_form(schedule: str, target: str) -> None:
    """200 values equal the formula of the language's semantics to the last few bits."""
    formula, _ = SCHEDULES[schedule]
    found = rates(schedule, target)
    assert found[0] == RATE
    assert all(type(rate) is float for rate in found)
    assert found == pytest.approx([formula(t) for t in range(200)], rel=1e-15)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_are_those_of_torch(schedule: str, target: str) -> None:
    """200 values equal torch's scheduler, which multiplies from step to step."""
    _, make = SCHEDULES[schedule]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = make(optimizer)
    expected = []
    for _ in range(200):
        expected.append(scheduler.get_last_lr()[0])
        scheduler.step()
    assert rates(schedule, target) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("time_decay(decay=0.5)", [0.1, 0.0666667, 0.05, 0.04]),
        ("exponential_decay(rate=0.2)", [0.1, 0.0818731, 0.0670320]),
        ("step_decay(factor=0.5, every=2)", [0.1, 0.1, 0.05, 0.05, 0.025]),
    ],
)
def test_rates_are_the_documented_values(
    schedule: str, expected: list[float], target: str
) -> None:
    """The values that the semantics write out for lr=0.1."""
    found = rates(schedule, target, 0.1)[: len(expected)]
    assert found == pytest.approx(expected, abs=5e-8)


def test_every_schedule_and_optimizer_is_among_the_cases() -> None:
    """A new word of the language fails here until it has a case, here or beside."""
    named = [*SCHEDULES, *BY_PERIOD, *PLATEAUS]
    schedules = {name.partition("(")[0] for name in named}
    assert schedules == VOCABULARY["schedule"].keys()
    optimizers = {"sgd", *(word for word, _, _ in OPTIMIZERS.values())}
    assert VOCABULARY["optimizer"].keys() == optimizers
