"""Each optimizer but sgd, whose forms test_sgd.py has, as torch.optim makes it."""

from __future__ import annotations

from typing import Any

import torch

OPTIMIZERS: dict[str, tuple[str, Any, dict[str, float]]] = {
    "adam": ("adam", torch.optim.Adam, {}),
    "adam, decayed": ("adam", torch.optim.Adam, {"lr": 0.02, "weight_decay": 0.1}),
    "adam, other betas": (
        "adam",
        torch.optim.Adam,
        {"lr": 0.01, "beta1": 0.5, "beta2": 0.9, "eps": 1e-4},
    ),
    "adam without a first moment": ("adam", torch.optim.Adam, {"beta1": 0.0}),
    "adamw": ("adamw", torch.optim.AdamW, {}),
    "adamw, decayed": ("adamw", torch.optim.AdamW, {"lr": 0.05, "weight_decay": 0.3}),
    "adamw, not decayed": ("adamw", torch.optim.AdamW, {"weight_decay": 0.0}),
    "rmsprop": ("rmsprop", torch.optim.RMSprop, {}),
    "rmsprop, other": (
        "rmsprop",
        torch.optim.RMSprop,
        {"lr": 0.005, "alpha": 0.9, "eps": 1e-3},
    ),
    "rmsprop, momentum": (
        "rmsprop",
        torch.optim.RMSprop,
        {"lr": 0.002, "momentum": 0.8},
    ),
    "adagrad": ("adagrad", torch.optim.Adagrad, {}),
    "adagrad, other": ("adagrad", torch.optim.Adagrad, {"lr": 0.1, "eps": 1e-3}),
}
"""A case -> (word, torch's class, arguments of the spec)."""
