"""How far two runs that should be one drift apart by roundings, which some networks amplify.

It is measured with the reference itself, from a start that is a rounding off; what a module may be
off is a multiple of that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from specc.verify.compare.subject import Subject
from specc.verify.reference.network import Reference
from specc.verify.reference.starts import starts
from specc.verify.reference.training import state_of

DRIFT = 1e-9
"""How far apart two runs may be where nothing amplifies roundings."""
AMPLIFIED = 1000
"""How many times as far as the reference from itself, a rounding off."""
CHAOS = 1e-5
"""Where the reference is as far from itself, nothing can be compared any more."""
KEPT = 1e-5
"""How far off parameters may be that are kept of a training that exploded."""
SHAKEN = ((0.0, 0.0), *(((1.0, 2e-16),) * 4))
"""How the reference is run a second time, tried one after the other: of what the numbers of its
start are moved by a rounding at least, and noise of the gradients. What is 0 may be a rounding off
too, which a kink amplifies; and Adam amplifies what cancels. One draw may move little, as it
happens, so there are a few."""


def apart(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Tell how far two states are from each other, relative to their numbers, or to 1."""
    worst = 0.0
    for name, value in a.items():
        if value.numel():
            difference = (value - b[name]).abs() / value.abs().clamp_min(1.0)
            worst = max(worst, float(difference.max().nan_to_num(math.inf)))
    return worst


def off(
    state: Mapping[str, Tensor], seed: int, least: float = 0.0, by: float = 4e-16
) -> dict[str, Tensor]:
    """Move every number by about a rounding, of itself or of `least`: that moves 0 too."""
    draw = torch.Generator().manual_seed(seed)
    moved = {}
    for name, value in state.items():
        noise = by * torch.randn(value.shape, generator=draw, dtype=torch.float64)
        moved[name] = value * (1 + noise) + least * noise
    return moved


@dataclass(frozen=True)
class Twin:
    """The reference, and itself from a start that is a rounding off."""

    exact: Reference
    other: Reference

    @property
    def apart(self) -> float:
        """How far both are from each other, relative to their numbers."""
        return apart(state_of(self.exact), state_of(self.other))


def started(subject: Subject) -> Reference:
    """Return the reference as a seed of 0 starts it."""
    state = {
        name: torch.from_numpy(value)
        for name, value in starts(subject.model, 0).items()
    }
    state |= {
        name: torch.full(buffer.shape, buffer.start, dtype=torch.float64)
        for name, buffer in subject.model.buffers.items()
    }
    return subject.reference(state)
