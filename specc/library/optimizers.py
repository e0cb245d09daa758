"""The optimizers: each word is one class whose `update` gives the new parameters as Values.

All parameters are one flat vector, so an update is a handful of elementwise operations. The rules
are those of `torch.optim`, to the letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from specc.ir import Value, named
from specc.library.entry import (
    ArgumentError,
    Interval,
    NotNegative,
    Positive,
    entry,
)


class Optimizer:
    """What every optimizer has: a rate, the vectors that it keeps, an update."""

    lr: float

    def state(self) -> tuple[str, ...]:
        """Name the vectors kept between updates: as long as the parameters, 0 at first."""
        return ()

    def update(
        self, theta: Value, gradient: Value, lr: Value, state: Mapping[str, Value]
    ) -> tuple[Value, dict[str, Value]]:
        """Give the new parameters and the new state; `lr` is the schedule's rate, a scalar."""
        raise NotImplementedError


@entry("optimizer")
@dataclass(frozen=True)
class Sgd(Optimizer):
    """v = momentum v + g; theta = theta - lr v, with g the gradient plus weight_decay theta.

    With `nesterov`, theta = theta - lr (g + momentum v). Source: torch.optim.SGD.
    """

    lr: Positive
    momentum: Annotated[float, Interval(low=0, high=1, high_open=True)] = 0.0
    nesterov: bool = False
    weight_decay: NotNegative = 0.0

    def __post_init__(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ArgumentError("nesterov", "nesterov needs a momentum above 0")

    def state(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def update(
        self, theta: Value, gradient: Value, lr: Value, state: Mapping[str, Value]
    ) -> tuple[Value, dict[str, Value]]:
        if self.weight_decay:
            decayed = gradient + self.weight_decay * theta
            gradient = named(decayed, "decayed_gradient")
        if not self.momentum:
            return theta - lr * gradient, {}
        velocity = self.momentum * state["velocity"] + gradient
        if not self.nesterov:
            return theta - lr * velocity, {"velocity": velocity}
        step = named(gradient + self.momentum * velocity, "step")
        return theta - lr * step, {"velocity": velocity}
