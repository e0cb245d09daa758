"""The schedules: each word is one function (lr, t, total) -> Value, in closed form.

`lr` is the optimizer's rate, `t` the number of epochs so far (of updates with `per=step`), `total`
the largest number. All three are scalar Values, and so is the result, so that every target can
print a schedule. `schedule` adds `warmup` and `per` to every word.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from specc.ir import formulas
from specc.ir.value import Value, is_constant
from specc.ir.value import constant as number
from specc.library.vocabulary import (
    ArgumentError,
    Count,
    CountOrZero,
    Interval,
    NotNegative,
    Positive,
    entry,
    written,
)

COMMON = tuple(
    inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint
    )
    for name, hint, default in (
        ("per", Literal["epoch", "step"], "epoch"),
        ("warmup", CountOrZero, 0),
    )
)
"""The common arguments of all schedules."""


def schedule(make: Callable[..., Value]) -> Callable[..., Value]:
    """Register a schedule."""
    return entry("schedule", operands=3)(warming(make))


def warming(make: Callable[..., Value]) -> Callable[..., Value]:
    """Return a schedule with the common arguments and a warmup."""

    @functools.wraps(make)
    def warmed(
        lr: Value,
        t: Value,
        total: Value,
        *,
        per: str,
        warmup: int,
        **named: Any,
    ) -> Value:
        if per == "step" and make.__name__ == "plateau":
            raise ArgumentError("per", "plateau monitors whole epochs", "remove it")
        if not warmup:
            return make(lr, t, total, **named)
        left = formulas.maximum(total - warmup, 1)
        if is_constant(total):
            left = number(max(total.attribute("value") - warmup, 1))
        after = make(lr, t - warmup, left, **named)
        return formulas.where(formulas.less(t, warmup), lr * (t + 1) / warmup, after)

    own = inspect.signature(make)
    parameters = [*own.parameters.values(), *COMMON]
    warmed.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    hints = {parameter.name: parameter.annotation for parameter in COMMON}
    warmed.__annotations__ = {**make.__annotations__, **hints}
    return warmed


@schedule
def constant(lr: Value, t: Value, total: Value) -> Value:
    """lr, in every epoch. Source: torch.optim.lr_scheduler.ConstantLR."""
    return lr


@schedule
def time_decay(lr: Value, t: Value, total: Value, decay: NotNegative) -> Value:
    """lr / (1 + decay t). Source: keras.optimizers.schedules.InverseTimeDecay."""
    return lr / (1 + decay * t)


@schedule
def exponential_decay(
    lr: Value,
    t: Value,
    total: Value,
    rate: NotNegative | None = None,
    gamma: Positive | None = None,
) -> Value:
    """lr exp(-rate t), or lr gamma^t; exactly one of the two is given.

    Source: torch.optim.lr_scheduler.ExponentialLR.
    """
    if (rate is None) == (gamma is None):
        raise ArgumentError(
            "", "exponential_decay needs exactly one of `rate` and `gamma`"
        )
    if gamma is not None:
        return lr * gamma**t
    assert rate is not None
    return lr * formulas.exp(-rate * t)


@schedule
def step_decay(
    lr: Value, t: Value, total: Value, factor: Positive, every: Count
) -> Value:
    """lr factor^floor(t / every). Source: torch.optim.lr_scheduler.StepLR."""
    return lr * factor ** formulas.floor(t / every)


@schedule
def multi_step(
    lr: Value, t: Value, total: Value, milestones: tuple[int, ...], factor: Positive
) -> Value:
    """lr factor^(number of milestones <= t). Source: torch.optim.lr_scheduler.MultiStepLR."""
    if not milestones:
        raise ArgumentError("milestones", "`milestones` is empty")
    if sorted(set(milestones)) != list(milestones) or milestones[0] < 0:
        raise ArgumentError("milestones", "`milestones` must increase from 0 or above")
    passed = [formulas.greater_equal(t, milestone) for milestone in milestones]
    return lr * factor ** functools.reduce(lambda a, b: a + b, passed)


@schedule
def polynomial(
    lr: Value,
    t: Value,
    total: Value,
    end: NotNegative = 0.0,
    power: Positive = 1.0,
) -> Value:
    """end + (lr - end) (1 - min(t, T) / T)^power, with T the number of epochs or updates.

    Source: torch.optim.lr_scheduler.PolynomialLR.
    """
    return end + _above(lr, end) * (1 - formulas.minimum(t, total) / total) ** power


@schedule
def cosine(lr: Value, t: Value, total: Value, end: NotNegative = 0.0) -> Value:
    """end + (lr - end) (1 + cos(pi min(t, T) / T)) / 2, with T the number of epochs or updates.

    Source: Loshchilov and Hutter 2017.
    """
    angle = math.pi * formulas.minimum(t, total) / total
    return end + _above(lr, end) * (1 + formulas.cos(angle)) / 2


@schedule
def plateau(
    lr: Value,
    t: Value,
    total: Value,
    factor: Annotated[
        float, Interval(low=0, high=1, low_open=True, high_open=True)
    ] = 0.1,
    patience: Count = 10,
    min_delta: NotNegative = 0.0,
    monitor: str = "val_loss",
    mode: Literal["auto", "min", "max"] = "auto",
) -> Value:
    """lr factor^k, with k the number of times that `monitor` did not improve for `patience` epochs.

    Only a change by more than `min_delta` is an improvement. Source:
    torch.optim.lr_scheduler.ReduceLROnPlateau.
    """
    return lr * factor ** formulas.scalar(REDUCTIONS)


REDUCTIONS = "reductions"
"""The name of the argument with the number of reductions so far."""


def _above(lr: Value, end: float) -> Value:
    """Return lr - end, as a person writes the number: 0.09 for 0.1 and 0.01."""
    if is_constant(lr):
        return number(written(lr.attribute("value") - end))
    return lr - end
