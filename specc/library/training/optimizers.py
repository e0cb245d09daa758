"""The optimizers: each word is one class whose `update` returns the new parameters as Values.

All parameters are one flat vector, so an update is a few elementwise operations. Invariant: the
rules are exactly those of `torch.optim`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from specc.ir import formulas
from specc.ir.value import Value, named
from specc.library.vocabulary import (
    ArgumentError,
    Interval,
    NotNegative,
    Positive,
    entry,
    written,
)

Momentum = Annotated[float, Interval(low=0, high=1, high_open=True)]
"""The decay of a running mean, or of the velocity, in each update."""


class Optimizer:
    """An optimizer: a learning rate, state vectors, an update."""

    lr: float

    def state(self) -> tuple[str, ...]:
        """Return the names of the state vectors: as long as the parameters, 0 at first."""
        return ()

    def update(
        self,
        theta: Value,
        gradient: Value,
        lr: Value,
        t: Value,
        state: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        """Return the new parameters and the new state.

        `lr` is the rate of the schedule, `t` the number of updates so far; both are scalars.
        """
        raise NotImplementedError


@entry("optimizer")
@dataclass(frozen=True)
class Sgd(Optimizer):
    """v = momentum v + g; theta = theta - lr v, with g the gradient plus weight_decay theta.

    With `nesterov`, theta = theta - lr (g + momentum v). Source: torch.optim.SGD.
    """

    lr: Positive
    momentum: Momentum = 0.0
    nesterov: bool = False
    weight_decay: NotNegative = 0.0

    def __post_init__(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ArgumentError(
                "nesterov", "nesterov needs a momentum above 0", "add `momentum=0.9`"
            )

    def state(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def update(
        self,
        theta: Value,
        gradient: Value,
        lr: Value,
        t: Value,
        state: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        gradient = _decayed(gradient, theta, self.weight_decay)
        if not self.momentum:
            return theta - lr * gradient, {}
        velocity = self.momentum * state["velocity"] + gradient
        if not self.nesterov:
            return theta - lr * velocity, {"velocity": velocity}
        step = named(gradient + self.momentum * velocity, "step")
        return theta - lr * step, {"velocity": velocity}


@dataclass(frozen=True)
class Moments(Optimizer):
    """The moments of Adam and AdamW: two running means of the gradient."""

    lr: Positive = 1e-3
    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    eps: Positive = 1e-8

    def state(self) -> tuple[str, ...]:
        return ("first_moment", "second_moment")

    def step(
        self,
        theta: Value,
        gradient: Value,
        lr: Value,
        t: Value,
        state: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        """Return theta after a step by the corrected moments, and the new moments."""
        first = self.beta1 * state["first_moment"] + _rest(self.beta1) * gradient
        second = self.beta2 * state["second_moment"] + _rest(self.beta2) * gradient**2
        step_size = named(lr / (1 - self.beta1 ** (t + 1)), "step_size")
        correction = named(formulas.sqrt(1 - self.beta2 ** (t + 1)), "correction")
        denominator = named(
            formulas.sqrt(second) / correction + self.eps, "denominator"
        )
        new = {"first_moment": first, "second_moment": second}
        return theta - step_size * first / denominator, new


@entry("optimizer")
@dataclass(frozen=True)
class Adam(Moments):
    """theta = theta - lr m' / (sqrt(v') + eps), with m and v the moments of the gradient.

    The corrected moments are m' = m / (1 - beta1^(t + 1)), and v' likewise. Source: Kingma and Ba
    2015, torch.optim.Adam.
    """

    weight_decay: NotNegative = 0.0

    def update(
        self,
        theta: Value,
        gradient: Value,
        lr: Value,
        t: Value,
        state: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        gradient = _decayed(gradient, theta, self.weight_decay)
        return self.step(theta, gradient, lr, t, state)


@entry("optimizer")
@dataclass(frozen=True)
class Adamw(Moments):
    """Adam with decoupled weight decay: first theta = theta - lr weight_decay theta.

    Source: Loshchilov and Hutter 2019, torch.optim.AdamW.
    """

    weight_decay: NotNegative = 0.01

    def update(
        self,
        theta: Value,
        gradient: Value,
        lr: Value,
        t: Value,
        state: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        if self.weight_decay:
            theta = named(1 - lr * self.weight_decay, "shrinkage") * theta
        return self.step(theta, gradient, lr, t, state)


@entry("optimizer")
@dataclass(frozen=True)
class Rmsprop(Optimizer):
    """theta = theta - lr g / (sqrt(s) + eps), with s the running mean of g^2.

    With `momentum`, the quotient is accumulated in a velocity. Source: Hinton 2012,
    torch.optim.RMSprop.
    """

    lr: Positive = 1e-2
    alpha: Momentum = 0.99
    eps: Positive = 1e-8
    momentum: Momentum = 0.0

    def state(self) -> tuple[str, ...]:
        velocity = ("velocity",) if self.momentum else ()
        return ("square_average", *velocity)

    def update(
        self,
        theta: Value,
        gradient: Value,
        lr: Value,
        t: Value,
        state: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        before = state["square_average"]
        average = self.alpha * before + _rest(self.alpha) * gradient**2
        new = {"square_average": average}
        denominator = named(formulas.sqrt(average) + self.eps, "denominator")
        if not self.momentum:
            return theta - lr * gradient / denominator, new
        velocity = self.momentum * state["velocity"] + gradient / denominator
        return theta - lr * velocity, {**new, "velocity": velocity}


@entry("optimizer")
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """theta = theta - lr g / (sqrt(s) + eps), with s the sum of all g^2.

    Source: Duchi, Hazan and Singer 2011, torch.optim.Adagrad.
    """

    lr: Positive = 1e-2
    eps: Positive = 1e-10

    def state(self) -> tuple[str, ...]:
        return ("sum_of_squares",)

    def update(
        self,
        theta: Value,
        gradient: Value,
        lr: Value,
        t: Value,
        state: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        total = state["sum_of_squares"] + gradient**2
        denominator = named(formulas.sqrt(total) + self.eps, "denominator")
        return theta - lr * gradient / denominator, {"sum_of_squares": total}


def _decayed(gradient: Value, theta: Value, weight_decay: float) -> Value:
    """Return the gradient plus the derivative of the coupled weight decay."""
    if not weight_decay:
        return gradient
    return named(gradient + weight_decay * theta, "decayed_gradient")


def _rest(beta: float) -> float:
    """Return 1 - beta as a person writes it: 0.1 for 0.9, which floats miss by 2e-17."""
    return written(1 - beta)
