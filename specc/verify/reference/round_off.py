"""The drift of two equal runs by rounding errors, which some networks amplify.

Takes the reference, which also runs from a start perturbed by one rounding; the tolerance for a
module is a multiple of the distance. Invariant: the module itself is not used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.network import Reference
from specc.verify.reference.starts import starts
from specc.verify.reference.training import state_of

DRIFT = 1e-9
"""The distance of two runs that amplify nothing."""
AMPLIFIED = 1000
"""The tolerance as a multiple of the distance of both runs of the reference."""
CHAOS = 1e-5
"""If the two runs of the reference are this far apart, nothing can be compared."""
KEPT = 1e-5
"""The tolerance of parameters that are kept after an overflow."""
SHAKEN = ((0.0, 0.0), *(((1.0, 2e-16),) * 4))
"""The second runs of the reference, tried in order: the least perturbation of its start, and the
noise of its gradients. Zeros are perturbed too, since kinks amplify that, and Adam amplifies what
cancels. One draw may have little effect, so there are several."""


def apart(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Return the distance of two states, relative to their numbers, or to 1."""
    worst = 0.0
    for name, value in a.items():
        if value.numel():
            difference = (value - b[name]).abs() / value.abs().clamp_min(1.0)
            worst = max(worst, float(difference.max().nan_to_num(math.inf)))
    return worst


def off(
    state: Mapping[str, Tensor], seed: int, least: float = 0.0, by: float = 4e-16
) -> dict[str, Tensor]:
    """Return numbers perturbed by one rounding of themselves, or of `least`, which moves 0."""
    draw = torch.Generator().manual_seed(seed)
    moved = {}
    for name, value in state.items():
        noise = by * torch.randn(value.shape, generator=draw, dtype=torch.float64)
        moved[name] = value * (1 + noise) + least * noise
    return moved


@dataclass(frozen=True)
class Twin:
    """The reference, and a second one from a perturbed start."""

    exact: Reference
    other: Reference

    @property
    def apart(self) -> float:
        """The distance of both, relative to their numbers."""
        return apart(state_of(self.exact), state_of(self.other))


def started(subject: Subject) -> Reference:
    """Return the reference with the parameters of a seed of 0."""
    state = {
        name: torch.from_numpy(value)
        for name, value in starts(subject.model, 0).items()
    }
    state |= {
        name: torch.full(buffer.shape, buffer.start, dtype=torch.float64)
        for name, buffer in subject.model.buffers.items()
    }
    return subject.reference(state)
