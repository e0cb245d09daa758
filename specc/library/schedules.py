"""The schedules: each word is one function (lr, t, total) -> Value, in closed form.

`lr` is the optimizer's rate, `t` the epochs finished so far, from 0, `total` how many there are
at most. All three are scalar Values; the result is too, so a schedule prints on every target.
"""

from __future__ import annotations

from specc import ops
from specc.ir import Value
from specc.library.entry import ArgumentError, Count, NotNegative, Positive, entry

_COMMON = (("per", "epoch"), ("warmup", "0"))


@entry("schedule", operands=3, later=_COMMON)
def constant(lr: Value, t: Value, total: Value) -> Value:
    """lr, at every epoch. Source: torch.optim.lr_scheduler.ConstantLR."""
    return lr


@entry("schedule", operands=3, later=_COMMON)
def time_decay(lr: Value, t: Value, total: Value, decay: NotNegative) -> Value:
    """lr / (1 + decay t). Source: keras.optimizers.schedules.InverseTimeDecay."""
    return lr / (1 + decay * t)


@entry("schedule", operands=3, later=_COMMON)
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
        raise ArgumentError("", "exponential_decay takes either `rate` or `gamma`")
    if gamma is not None:
        return lr * gamma**t
    assert rate is not None
    return lr * ops.exp(-rate * t)


@entry("schedule", operands=3, later=_COMMON)
def step_decay(
    lr: Value, t: Value, total: Value, factor: Positive, every: Count
) -> Value:
    """lr factor^floor(t / every). Source: torch.optim.lr_scheduler.StepLR."""
    return lr * factor ** ops.floor(t / every)
