"""An emitted module under examination, and the samples that it is examined with.

Takes a checked Model and the imported module, gives models of it in float64 that take and give
tensors whatever the target is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from specc.derive.network import differs
from specc.model.model import Model
from specc.verify.compare.adapter import Adapted
from specc.verify.reference.network import Reference, parameters, samples
from specc.verify.reference.training import Samples


@dataclass(frozen=True)
class Subject:
    """A module, what it was made from, and with how many samples it is examined."""

    model: Model
    module: Any
    """Of which `Model` takes tensors."""
    target: str
    samples: int
    seed: int

    @property
    def modes(self) -> tuple[bool, ...]:
        """Return in which the network may be, for the argument `training`."""
        return (False, True) if differs(self.model) else (False,)

    @property
    def most(self) -> int:
        """How many samples a step takes at once: a module in C has room for so many."""
        return int(getattr(self.module, "HELD", 1_000_000))

    @property
    def in_parts(self) -> bool:
        """True if a step may be of more samples than that: a norm over the batch needs all."""
        return not any(node.layer.tracks for node in self.model.nodes)

    def net(self, state: Mapping[str, Tensor] | None = None, seed: int = 0) -> Any:
        """Make a model in float64."""
        net = self.module.Model(seed=seed, dtype=torch.float64)
        if state is not None:
            net.load_state_dict(dict(state))
        return net

    def reference(self, state: Mapping[str, Tensor]) -> Reference:
        """Make the reference with these numbers."""
        made = Reference(self.model)
        made.load(state)
        return made

    def drawn(self, count: int, seed: int = 0) -> Samples:
        """Draw samples at which the loss is a number."""
        x, y = samples(self.model, count, self.seed + seed)
        return (x, y.abs()) if self._positive else (x, y)

    @functools.cached_property
    def _positive(self) -> bool:
        """True if a loss of the spec's own is for positive numbers alone."""
        if not self.model.loss.use.entry.defined:
            return False
        x, y = samples(self.model, 200, self.seed)
        reference = self.reference(parameters(self.model, self.seed))
        with torch.no_grad():
            return not math.isfinite(float(reference.loss(x, y)))

    @property
    def probabilities(self) -> bool:
        """True if targets are probabilities."""
        return self.model.loss.use.entry.name == "binary_cross_entropy"

    @property
    def any_target(self) -> bool:
        """True if targets may be any real numbers: neither classes nor probabilities."""
        return self.model.target.dtype == "real" and not self.probabilities

    def bias_alone(self, layer: str, state: dict[str, Tensor]) -> None:
        """Let a layer give nothing but its bias, where it has a weight."""
        if f"{layer}.weight" in state:
            state[f"{layer}.weight"].zero_()

    @property
    def biased(self) -> list[str]:
        """The layers with a bias, in order."""
        names = (name.rpartition(".") for name in self.model.parameters)
        return [layer for layer, _, short in names if short == "bias"]

    def state(self) -> dict[str, Tensor]:
        """Draw parameters and buffers: none of them 0, so that nothing hides."""
        return parameters(self.model, self.seed)


def subject(
    model: Model, module: ModuleType, target: str, count: int, seed: int
) -> Subject:
    """Take an imported module of any target."""
    met = module if target == "torch" else Adapted(module)
    return Subject(model, met, target, count, seed)
