"""The normalization layers: each word is one class, as in `layers`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from specc.ir import formulas
from specc.ir.value import Value, named
from specc.library.network.layers import (
    Buffer,
    Initializer,
    Layer,
    Parameter,
    Shape,
    with_features,
)
from specc.library.vocabulary import Fraction, Positive, Use, entry, use, written

CONSTANT = 2e-15
"""Features that deviate less than this from their mean, as a share of it, are constant: so much do
sums in another order change a number."""


class Norm(Layer):
    """A normalization layer with an optional weight and bias for each feature."""

    symbols: ClassVar[Mapping[str, str]] = {"weight": "scale", "bias": "shift"}
    weight: Use | None
    bias: Use | None

    def output_shape(self, shape: Shape) -> Shape:
        return with_features(shape, "a norm")

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        own = (("weight", self.weight), ("bias", self.bias))
        return {
            name: Parameter((shape[self.along],), initializer, None)
            for name, initializer in own
            if initializer is not None
        }

    def numbers(self, shape: Shape, batch_size: int) -> int:
        """Return how many numbers each mean is over, in training."""
        return shape[-1]

    of_one: ClassVar[str] = "0"
    """What it turns a single number into, which is its own mean."""


def _affine(normalized: Value, given: Mapping[str, Value]) -> Value:
    """Return normalized * weight + bias; either may be missing."""
    y = named(normalized, "normalized")
    if "weight" in given:
        y = y * given["weight"]
    return y + given["bias"] if "bias" in given else y


@entry("layer")
@dataclass(frozen=True)
class LayerNorm(Norm):
    """(x - mean) / sqrt(variance + eps) weight + bias, along the last axis of each sample.

    The variance is the biased one. Source: Ba, Kiros and Hinton 2016, torch.nn.LayerNorm.
    """

    eps: Positive = 1e-5
    weight: Initializer | None = use("initializer", "ones")
    bias: Initializer | None = use("initializer", "zeros")

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        axis = len(x.shape) - 1
        mean = named(formulas.mean_over(x, axis=axis, keep=True), "mean")
        variance = formulas.mean_over((x - mean) ** 2, axis=axis, keep=True)
        rstd = named(formulas.rsqrt(variance + self.eps), "rstd")
        return _affine(formulas.normalize(x, mean, rstd, axis=axis), given)


@entry("layer")
@dataclass(frozen=True)
class RmsNorm(Norm):
    """x / sqrt(mean(x^2) + eps) weight, along the last axis of each sample.

    Frameworks disagree on eps: the default of torch is the machine epsilon of the dtype. Source:
    Zhang and Sennrich 2019, torch.nn.RMSNorm.
    """

    eps: Positive = 1e-6
    weight: Initializer | None = use("initializer", "ones")
    bias: ClassVar[None] = None  # type: ignore[misc]

    of_one: ClassVar[str] = "its sign"

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        axis = len(x.shape) - 1
        square = formulas.mean_over(x**2, axis=axis, keep=True)
        rstd = named(formulas.rsqrt(square + self.eps), "rstd")
        return _affine(formulas.normalize(x, 0, rstd, axis=axis), given)


@entry("layer")
@dataclass(frozen=True)
class BatchNorm(Norm):
    """(x - mean) / sqrt(variance + eps) weight + bias, for each feature over the batch.

    Features are along the first axis of a sample: the channels, if there are more axes. Prediction
    uses the running mean and the running, unbiased variance, which training updates by `momentum`;
    a batch with one number for each feature does not update them. Source: Ioffe and Szegedy 2015,
    torch.nn.BatchNorm1d.
    """

    momentum: Fraction = 0.1
    eps: Positive = 1e-5
    weight: Initializer | None = use("initializer", "ones")
    bias: Initializer | None = use("initializer", "zeros")

    along: ClassVar[int] = 0  # type: ignore[misc]
    tracks: ClassVar[bool] = True  # type: ignore[misc]

    def numbers(self, shape: Shape, batch_size: int) -> int:
        return batch_size * math.prod(shape[1:])

    def buffers(self, shape: Shape) -> dict[str, Buffer]:
        return {
            "running_mean": Buffer(shape[:1], 0.0),
            "running_var": Buffer(shape[:1], 1.0),
        }

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        rstd = named(formulas.rsqrt(given["running_var"] + self.eps), "rstd")
        return _affine((x - given["running_mean"]) * rstd, given)

    def train(self, x: Value, given: Mapping[str, Value]) -> Value:
        mean = named(formulas.mean_over(x, axis=0, keep=False), "mean")
        variance = formulas.mean_over((x - mean) ** 2, axis=0, keep=False)
        variance = named(variance, "variance")
        rstd = named(formulas.rsqrt(variance + self.eps), "rstd")
        return _affine(formulas.normalize(x, mean, rstd, axis=0), given)

    def tracked(self, given: Mapping[str, Value], rows: Value) -> dict[str, Value]:
        stays, moves = written(1 - self.momentum), self.momentum
        unbiased = moves * rows / (rows - 1)
        mean = given["running_mean"] * stays + given["mean"] * moves
        variance = given["running_var"] * stays + given["variance"] * unbiased
        return {"running_mean": mean, "running_var": variance}


@entry("layer")
@dataclass(frozen=True)
class Standardize(Layer):
    """(x - mean) / std for each feature, with mean and std of the training samples, which `fit`
    measures.

    What rounding a mean to float32 left out is added afterwards, as `offset`: features that are
    large against their spread keep their digits. A feature that is constant, up to rounding, is
    divided by 1. Source: sklearn.preprocessing.StandardScaler.
    """

    def output_shape(self, shape: Shape) -> Shape:
        return with_features(shape, "standardize")

    def buffers(self, shape: Shape) -> dict[str, Buffer]:
        starts = {"mean": 0.0, "std": 1.0, "offset": 0.0}
        return {name: Buffer(shape[-1:], start) for name, start in starts.items()}

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        return (x - given["mean"]) / given["std"] + given["offset"]

    def measured(self, x: Value, origin: Value, kept: Value) -> dict[str, Value]:
        """Return the buffers for samples x; subtracting `origin`, one of them, keeps sums small.

        `kept` is a number of the kind that buffers keep.
        """
        shifted = named(x - origin, "shifted")
        shift = named(formulas.mean_over(shifted, axis=0, keep=False), "shift")
        variance = formulas.mean_over((shifted - shift) ** 2, axis=0, keep=False)
        whole = named(origin + shift, "whole")
        deviation = named(formulas.sqrt(variance), "deviation")
        varies = formulas.greater(deviation, CONSTANT * formulas.abs(whole))
        std = formulas.where(varies, deviation, 1)
        mean = formulas.rounded(whole, kept)
        return {"mean": mean, "std": std, "offset": (mean - whole) / std}
