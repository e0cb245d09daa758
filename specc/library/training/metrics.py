"""The metrics: each word is one function of prediction and target that returns a scalar Value.

A metric is a mean over samples, or a formula of several such means, so that the metric of an epoch
is that of all its samples. Predictions are probabilities if the loss is about probabilities, else
the output of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from specc.ir import formulas
from specc.ir.value import Value, apply
from specc.library.vocabulary import Fraction, ShapeError, entry

LARGER_IS_BETTER = frozenset({"accuracy", "r2", "precision", "recall", "f1"})
"""The metrics that improve by growing; `mode=auto` minimizes the others."""
OF_TWO_CLASSES = frozenset({"precision", "recall", "f1"})
"""The metrics of one class against the rest."""


@dataclass(frozen=True)
class Summary:
    """A metric that is a formula of several means over samples."""

    means: Mapping[str, Value]
    """The means by their names in a module, in the order of the arguments of `formula`."""
    formula: Callable[..., Value]


@entry("metric", operands=2)
def accuracy(prediction: Value, target: Value, threshold: Fraction = 0.5) -> Value:
    """The fraction of samples that are classified correctly.

    A single output is compared with `threshold`; of several, the largest is the prediction. Source:
    sklearn.metrics.accuracy_score.
    """
    last = len(prediction.shape) - 1
    if target.dtype == "int":
        return formulas.share(
            formulas.equal(formulas.argmax(prediction, axis=last), target)
        )
    if prediction.shape[last] == 1:
        above = formulas.greater(prediction, threshold)
        return formulas.share(
            formulas.equal(above, formulas.greater(target, threshold))
        )
    whole = prediction.args[0] if prediction.op == "sigmoid" else prediction
    largest = formulas.argmax(
        whole, axis=last
    )  # logits: rounding cannot make them equal
    return formulas.share(formulas.equal(largest, formulas.argmax(target, axis=last)))


@entry("metric", operands=2)
def mae(prediction: Value, target: Value) -> Value:
    """mean(|p - t|) over all elements. Source: sklearn.metrics.mean_absolute_error."""
    return formulas.mean(apply("abs", prediction - target))


@entry("metric", operands=2)
def mse(prediction: Value, target: Value) -> Value:
    """mean((p - t)^2) over all elements. Source: sklearn.metrics.mean_squared_error."""
    return formulas.mean((prediction - target) ** 2)


@entry("metric", operands=2)
def r2(prediction: Value, target: Value) -> Summary:
    """1 - sum((t - p)^2) / sum((t - mean(t))^2), for one output.

    For constant targets it is 1 if every prediction is exact, else 0. Source:
    sklearn.metrics.r2_score.
    """
    exact = formulas.double(target)

    def formula(error: Value, mean: Value, square: Value) -> Value:
        # In double: rounding leaves 1e-13. Python's power would raise OverflowError.
        variance = square - mean * mean
        constant = apply("less_equal", variance, ROUNDING * square)
        perfect = formulas.where(formulas.greater(error, 0), 0, 1)
        return formulas.where(constant, perfect, 1 - error / variance)

    means = {
        "squared_error": formulas.mean((formulas.double(prediction) - exact) ** 2),
        "mean_target": formulas.mean(exact),
        "mean_square": formulas.mean(exact**2),
    }
    return Summary(means, formula)


@entry("metric", operands=2)
def precision(prediction: Value, target: Value, threshold: Fraction = 0.5) -> Summary:
    """true positives / predicted positives; 0 if there are none.

    Of two classes the second is the positive one. Source: sklearn.metrics.precision_score.
    """
    means = _positives(prediction, target, threshold)
    del means["positives"]
    return Summary(means, _quotient)


@entry("metric", operands=2)
def recall(prediction: Value, target: Value, threshold: Fraction = 0.5) -> Summary:
    """true positives / positives; 0 if there are none.

    Of two classes the second is the positive one. Source: sklearn.metrics.recall_score.
    """
    means = _positives(prediction, target, threshold)
    del means["predicted_positives"]
    return Summary(means, _quotient)


@entry("metric", operands=2)
def f1(prediction: Value, target: Value, threshold: Fraction = 0.5) -> Summary:
    """2 true positives / (positives + predicted positives); 0 if there are neither.

    Of two classes the second is the positive one. Source: sklearn.metrics.f1_score.
    """
    return Summary(
        _positives(prediction, target, threshold),
        lambda both, predicted, actual: _quotient(2 * both, predicted + actual),
    )


def _positives(prediction: Value, target: Value, threshold: float) -> dict[str, Value]:
    """Return the fractions of samples that are predicted positive, positive, and both."""
    if target.dtype == "int":
        axis = len(prediction.shape) - 1
        predicted = formulas.equal(formulas.argmax(prediction, axis=axis), 1)
        actual = formulas.equal(target, 1)
    else:
        predicted = formulas.greater(prediction, threshold)
        actual = formulas.greater(target, threshold)
    return {
        "true_positives": formulas.share(formulas.both(predicted, actual)),
        "predicted_positives": formulas.share(predicted),
        "positives": formulas.share(actual),
    }


def _quotient(part: Value, whole: Value) -> Value:
    return formulas.where(formulas.greater(whole, 0), part / whole, 0)


ROUNDING = 1e-13
"""A variance below this fraction of the mean square counts as 0."""


def check_shapes(
    metric: str, output: tuple[int, ...], target: tuple[int, ...], dtype: str
) -> None:
    """Raise ShapeError if `metric` is undefined for an output and a target of these shapes."""
    if metric == "accuracy" and not output:
        raise ShapeError("accuracy needs at least one output", "end with `linear(1)`")
    if metric in OF_TWO_CLASSES:
        _check_two_classes(metric, output, dtype)
    if metric in ("mae", "mse", "r2") and dtype != "real":
        raise ShapeError(f"{metric} needs a real target", "measure `accuracy`")
    if metric != "accuracy" and dtype == "real" and output != target:
        raise ShapeError(
            f"the output has shape {list(output)}, but the target has shape"
            f" {list(target)}",
            f"declare the target as `real{list(output)}`",
        )
    if metric == "r2" and output[-1:] not in ((), (1,)):
        raise ShapeError(
            f"r2 needs one output, found {list(output)}", "measure `mse` or `mae`"
        )


def _check_two_classes(metric: str, output: tuple[int, ...], dtype: str) -> None:
    wanted = 2 if dtype == "int" else 1
    if output[-1:] != (wanted,):
        kind = "a target of class indices" if dtype == "int" else "a real target"
        raise ShapeError(
            f"{metric} is defined for two classes: with {kind} it needs {wanted} outputs,"
            f" found {list(output)}".replace("1 outputs", "1 output"),
            "measure `accuracy`",
        )
