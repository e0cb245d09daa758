"""The emitted module under test, and the samples of its checks.

Takes a checked Model and the imported module, returns models of it in float64. Invariant: they take
and return tensors for every target.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from specc.derive.network import differs
from specc.model.model import Model
from specc.verify.compare.adapter import Adapted
from specc.verify.compare.expansions import mechanical
from specc.verify.compare.tensors import MissingTorch, Tensor, torch
from specc.verify.reference.network import Reference, parameters, samples
from specc.verify.reference.training import Samples


@dataclass(frozen=True)
class Subject:
    """A module, the Model that it was made from, and the batch size of its checks."""

    model: Model
    module: Any
    """The module, adapted so that `Model` takes tensors."""
    target: str
    samples: int
    seed: int

    @property
    def modes(self) -> tuple[bool, ...]:
        """The modes of the network, as values of the argument `training`."""
        return (False, True) if differs(self.model) else (False,)

    @property
    def most(self) -> int:
        """The largest batch of a step: the workspace of a C module is limited."""
        return int(getattr(self.module, "HELD", 1_000_000))

    @property
    def in_parts(self) -> bool:
        """True if a step can be on more samples: a norm over the batch needs all at once."""
        return not any(node.layer.tracks for node in self.model.nodes)

    def net(self, state: Mapping[str, Tensor] | None = None, seed: int = 0) -> Any:
        """Return a model in float64."""
        net = self.module.Model(seed=seed, dtype=torch.float64)
        if state is not None:
            net.load_state_dict(dict(state))
        return net

    def reference(self, state: Mapping[str, Tensor]) -> Reference:
        """Return the reference with a state."""
        made = Reference(self.model)
        made.load(state)
        return made

    def drawn(self, count: int, seed: int = 0) -> Samples:
        """Return samples whose loss is finite."""
        x, y = samples(self.model, count, self.seed + seed)
        return (x, y.abs()) if self._positive else (x, y)

    @functools.cached_property
    def _positive(self) -> bool:
        """True if a loss of the spec is only defined for positive numbers."""
        if not self.model.loss.use.entry.defined:
            return False
        x, y = samples(self.model, 200, self.seed)
        state = parameters(self.model, self.seed)
        try:
            with torch.no_grad():
                return not math.isfinite(float(self.reference(state).loss(x, y)))
        except MissingTorch:
            arrays = {name: value.numpy() for name, value in state.items()}
            masks = {node.name: np.ones(1) for node in self.model.nodes}
            loss, _ = mechanical(self.model, arrays, x.numpy(), y.numpy(), masks)
            return not math.isfinite(loss)

    @property
    def probabilities(self) -> bool:
        """True if targets are probabilities."""
        return self.model.loss.use.entry.name == "binary_cross_entropy"

    @property
    def any_target(self) -> bool:
        """True if targets can be any real numbers: neither classes nor probabilities."""
        return self.model.target.dtype == "real" and not self.probabilities

    def bias_alone(self, layer: str, state: dict[str, Tensor]) -> None:
        """Make the output of a layer its bias, by a weight of 0."""
        if f"{layer}.weight" in state:
            state[f"{layer}.weight"].zero_()

    @property
    def biased(self) -> list[str]:
        """The layers with a bias, in order."""
        names = (name.rpartition(".") for name in self.model.parameters)
        return [layer for layer, _, short in names if short == "bias"]

    def state(self) -> dict[str, Tensor]:
        """Return random parameters and buffers, none of them 0, so that no term vanishes."""
        return parameters(self.model, self.seed)


def subject(
    model: Model, module: ModuleType, target: str, count: int, seed: int
) -> Subject:
    """Return the Subject of an imported module of any target."""
    met = module if target == "torch" else Adapted(module)
    return Subject(model, met, target, count, seed)
