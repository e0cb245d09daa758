"""The losses: each word is one function of prediction and target that returns a scalar Value.

`FUSED` has the activation that is fused with a loss: after a last `sigmoid`, `binary_cross_entropy`
is computed from the logits by one stable formula, and predictions stay probabilities.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from specc.calculus.slope import pointwise
from specc.ir import formulas
from specc.ir.value import Value
from specc.library.vocabulary import Fraction, Positive, ShapeError, entry

Reduction = Literal["mean", "sum", "batch_mean"]
"""`mean` is over all elements; `batch_mean` sums the elements of a sample and averages over
samples.

Every loss has this argument and returns a mean over all elements; `reduced` turns it into the
others.
"""

TARGETS: dict[str, tuple[int, int]] = {"binary_cross_entropy": (0, 1)}
"""The least and the largest target that a loss is defined for; the others take any number."""

FUSED = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}


@entry("loss", operands=2)
def mse(
    prediction: Value, target: Value, half: bool = False, reduction: Reduction = "mean"
) -> Value:
    """mean((p - t)^2) over all elements; `half=true` halves it. Source: torch.nn.MSELoss."""
    loss = formulas.mse(prediction, target)
    return 0.5 * loss if half else loss


@entry("loss", operands=2)
def mae(prediction: Value, target: Value, reduction: Reduction = "mean") -> Value:
    """mean(|p - t|) over all elements, with derivative 0 at 0. Source: torch.nn.L1Loss."""
    return of_elements(lambda p, t: formulas.abs(p - t), prediction, target)


@entry("loss", operands=2)
def huber(
    prediction: Value,
    target: Value,
    delta: Positive = 1.0,
    reduction: Reduction = "mean",
) -> Value:
    """mean of (p - t)^2 / 2 if |p - t| < delta, else delta (|p - t| - delta / 2).

    Source: Huber 1964, torch.nn.HuberLoss.
    """

    def element(p: Value, t: Value) -> Value:
        size = formulas.abs(p - t)
        far = delta * (size - 0.5 * delta)
        return formulas.where(formulas.less(size, delta), 0.5 * (p - t) ** 2, far)

    return of_elements(element, prediction, target)


def of_elements(
    element: Callable[[Value, Value], Value], prediction: Value, target: Value
) -> Value:
    """Return the mean of `element` over predictions and targets; its derivative is derived."""
    return formulas.mean(pointwise(element, prediction, target))


REDUCTION = inspect.Parameter(
    "reduction", inspect.Parameter.KEYWORD_ONLY, default="mean", annotation=Reduction
)
"""The common argument of all losses."""


def averaged(element: Callable[..., Value]) -> Callable[..., Value]:
    """Return a loss from its formula for one element, with the common argument added."""

    def loss(
        prediction: Value, target: Value, *, reduction: str, **named: Any
    ) -> Value:
        return of_elements(lambda p, t: element(p, t, **named), prediction, target)

    own = inspect.signature(element)
    parameters = [*own.parameters.values(), REDUCTION]
    loss.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    loss.__annotations__ = {**element.__annotations__, "reduction": Reduction}
    loss.__doc__ = element.__doc__
    return loss


@entry("loss", operands=2)
def binary_cross_entropy(
    prediction: Value, target: Value, reduction: Reduction = "mean"
) -> Value:
    """mean(max(z, 0) - z t + log1p(exp(-|z|))), with z the logits.

    Source: torch.nn.BCEWithLogitsLoss.
    """
    return formulas.binary_cross_entropy(prediction, target)


@entry("loss", operands=2)
def cross_entropy(
    prediction: Value,
    target: Value,
    label_smoothing: Fraction = 0.0,
    reduction: Reduction = "mean",
) -> Value:
    """mean(logsumexp(z) - z[t]), with z the logits over the classes and t the class.

    `label_smoothing` is the part of the target that is spread evenly over all classes. Source:
    torch.nn.CrossEntropyLoss.
    """
    if label_smoothing:
        return formulas.smoothed_cross_entropy(prediction, target, label_smoothing)
    return formulas.cross_entropy(prediction, target)


def reduced(loss: Value, reduction: Reduction, elements: int, compared: Value) -> Value:
    """Return the loss with the reduction of the spec; `loss` is the mean over all elements.

    A target has `elements` elements in a sample, and `compared` has all elements of the batch.
    """
    if reduction == "sum":
        return loss * formulas.count(compared)
    return loss * elements if reduction == "batch_mean" and elements > 1 else loss


def for_classes(output: tuple[int, ...]) -> str:
    """Return what to write for a target of class indices, given the shape of the output."""
    last = "" if output[-1] > 1 else " and end with `linear(2)`"
    real = f"for numbers, declare the target as `real{list(output)}`"
    return f"for classes, write `loss cross_entropy`{last}; {real}"


def check_shapes(
    loss: str, output: tuple[int, ...], target: tuple[int, ...], dtype: str
) -> None:
    """Raise ShapeError if `loss` cannot compare an output and a target of these shapes.

    Shapes are those of one sample; `dtype` is that of the target, "real" or "int".
    """
    if loss == "cross_entropy":
        if dtype != "int":
            raise ShapeError(
                "cross_entropy needs a target of class indices",
                f"declare the target as `int{list(output[:-1])}`",
            )
        if not output:
            raise ShapeError(
                "cross_entropy needs one output for each class", "end with `linear(2)`"
            )
        if output[:-1] != target:
            raise ShapeError(
                f"cross_entropy needs a target of shape {list(output[:-1])} for an output of"
                f" shape {list(output)}, found {list(target)}",
                f"declare the target as `int{list(output[:-1])}`",
            )
        if output[-1] < 2:
            raise ShapeError(
                "cross_entropy needs at least two classes, found 1",
                "end with `linear(2)` or wider",
            )
        return
    if dtype != "real":
        if target == output[:-1]:  # a class of each sample, as in int[]
            raise ShapeError(f"{loss} needs a real target", for_classes(output))
        raise ShapeError(
            f"{loss} needs a real target",
            f"declare the target as `real{list(output)}`",
        )
    if output != target:
        fits = output and target and output[:-1] == target[:-1]
        raise ShapeError(
            f"the output has shape {list(output)}, but the target has shape"
            f" {list(target)}",
            (f"end with `linear({target[-1]})`, or " if fits else "")
            + f"declare the target as `real{list(output)}`",
        )
