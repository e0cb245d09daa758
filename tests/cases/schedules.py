"""Schedules as torch.optim.lr_scheduler makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

RATE = 0.05
"""The rate of the optimizer, with which a schedule begins."""

Scheduler = torch.optim.lr_scheduler
BY_PERIOD: dict[str, Callable[[Any, int], Any]] = {
    "constant()": lambda o, n: Scheduler.ConstantLR(o, 1.0),
    "time_decay(0.5)": lambda o, n: Scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.5 * t)),
    "exponential_decay(gamma=0.97)": lambda o, n: Scheduler.ExponentialLR(o, 0.97),
    "step_decay(0.5, 15)": lambda o, n: Scheduler.StepLR(o, 15, 0.5),
    "multi_step([30, 60, 61], 0.1)": lambda o, n: Scheduler.MultiStepLR(
        o, [30, 60, 61], 0.1
    ),
    "multi_step([7], 0.5)": lambda o, n: Scheduler.MultiStepLR(o, [7], 0.5),
    "polynomial()": lambda o, n: Scheduler.PolynomialLR(o, n, 1.0),
    "polynomial(power=2.5)": lambda o, n: Scheduler.PolynomialLR(o, n, 2.5),
    "polynomial(end=0.01, power=2)": lambda o, n: Scheduler.LambdaLR(
        o, lambda t: (0.01 + (RATE - 0.01) * (1 - t / n) ** 2) / RATE
    ),
    "cosine()": lambda o, n: Scheduler.CosineAnnealingLR(o, n),
    "cosine(end=0.002)": lambda o, n: Scheduler.CosineAnnealingLR(o, n, 0.002),
}
"""A schedule of epochs or updates -> torch's, of an optimizer and their number."""

PLATEAUS = {
    "plateau(factor=0.5, patience=2)": {"factor": 0.5, "patience": 1},
    "plateau(factor=0.7, patience=1, min_delta=0.01)": {
        "factor": 0.7,
        "patience": 0,
        "threshold": 0.01,
    },
    "plateau(patience=3, monitor=train_loss)": {"factor": 0.1, "patience": 2},
    "plateau(factor=0.5, patience=2, monitor=val_accuracy)": {
        "factor": 0.5,
        "patience": 1,
        "mode": "max",
    },
    "plateau(factor=0.5, patience=2, monitor=val_loss, mode=max)": {
        "factor": 0.5,
        "patience": 1,
        "mode": "max",
    },
}
"""A schedule -> the arguments of torch's, whose patience is one less."""
