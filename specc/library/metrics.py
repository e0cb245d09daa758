"""The metrics: each word is one function of prediction and target that gives a scalar Value.

A metric is a mean over samples, so that the metric of an epoch is that of its samples together.
Predictions are probabilities where the loss is about probabilities, else what the network gives.
"""

from __future__ import annotations

from specc import ops
from specc.ir import Value
from specc.library.entry import Fraction, ShapeError, entry

LARGER_IS_BETTER = frozenset({"accuracy"})
"""The metrics of which more is better; `mode=auto` takes the rest for errors."""


@entry("metric", operands=2)
def accuracy(prediction: Value, target: Value, threshold: Fraction = 0.5) -> Value:
    """The share of samples that are classified correctly.

    One output is compared with `threshold`; of several the largest counts.
    Source: sklearn.metrics.accuracy_score.
    """
    last = len(prediction.shape) - 1
    if target.dtype == "int":
        return ops.share(ops.equal(ops.argmax(prediction, axis=last), target))
    if prediction.shape[last] == 1:
        above = ops.greater(prediction, threshold)
        return ops.share(ops.equal(above, ops.greater(target, threshold)))
    largest = ops.argmax(prediction, axis=last)
    return ops.share(ops.equal(largest, ops.argmax(target, axis=last)))


@entry("metric", operands=2)
def mae(prediction: Value, target: Value) -> Value:
    """mean |p - t| over all elements. Source: sklearn.metrics.mean_absolute_error."""
    return ops.mean(ops.apply("abs", prediction - target))


@entry("metric", operands=2)
def mse(prediction: Value, target: Value) -> Value:
    """mean (p - t)^2 over all elements. Source: sklearn.metrics.mean_squared_error."""
    return ops.mean((prediction - target) ** 2)


def check_shapes(
    metric: str, output: tuple[int, ...], target: tuple[int, ...], dtype: str
) -> None:
    """Raise ShapeError where `metric` makes no sense for an output and a target of these shapes."""
    if metric == "accuracy" and not output:
        raise ShapeError("accuracy needs at least one output", "end with `linear(1)`")
    if metric in ("mae", "mse") and dtype != "real":
        raise ShapeError(
            f"{metric} needs a real target",
            f"declare the target as `real{list(output)}`",
        )
    if metric in ("mae", "mse") and output != target:
        raise ShapeError(
            f"the network gives {list(output)} and the target is {list(target)};"
            " the two must be equal",
            f"declare the target as `real{list(output)}`",
        )
