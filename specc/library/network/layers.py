"""The layers: each word is one class, its fields are the arguments.

A layer has an output shape, parameters, and a formula in Values. Shapes are those of one sample;
the shape of a Value has the batch in front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from specc.calculus.slope import activated
from specc.ir import formulas
from specc.ir.value import Value
from specc.library.network.initializers import Fans
from specc.library.vocabulary import (
    ArgumentError,
    Interval,
    Of,
    ShapeError,
    Size,
    Use,
    entry,
    use,
)

Shape = tuple[int, ...]
Initializer = Annotated[Use, Of("initializer")]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a layer: its shape in torch's layout, its initializer, its fans."""

    shape: Shape
    initializer: Use
    fans: Fans | None


@dataclass(frozen=True)
class Buffer:
    """State of a layer without a gradient: its shape in torch's layout, its first value."""

    shape: Shape
    start: float


class Layer:
    """A layer; the defaults are those of a layer without parameters.

    `given` in formulas has parameters, buffers, and in training the `mask` of dropout, by short
    names. A named part of a formula is saved under its name.
    """

    symbols: ClassVar[Mapping[str, str]] = {"weight": "W", "bias": "b"}
    """Parameter -> its name in derivations."""
    dropped: float = 0.0
    """The fraction of the input that training drops at random."""
    tracks: bool = False
    """Whether training updates the buffers."""
    along: int = -1
    """The axis of a sample with the features; formulas see it as the last one."""

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of a sample's output; raise ShapeError if `shape` does not fit."""
        return shape

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        """Return the parameters for an input of `shape`, in the order of torch's state_dict."""
        return {}

    def buffers(self, shape: Shape) -> dict[str, Buffer]:
        """Return the buffers for an input of `shape`, by the names of torch's state_dict."""
        return {}

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        """Return the output for the input `x`, whose shape has the batch in front."""
        raise NotImplementedError

    def train(self, x: Value, given: Mapping[str, Value]) -> Value:
        """Return the output in training, if it differs."""
        return self.lower(x, given)

    def tracked(self, given: Mapping[str, Value], rows: Value) -> dict[str, Value]:
        """Return the buffers after a training step on `rows` samples.

        `given` also has the parts that `train` named.
        """
        return {}


def with_features(shape: Shape, what: str) -> Shape:
    """Return a shape; raise ShapeError if it has no axis for features."""
    if not shape:
        raise ShapeError(
            f"{what} needs at least one axis, found a single number per sample",
            "declare the input as `real[1]`",
        )
    return shape


@entry("layer")
@dataclass(frozen=True)
class Linear(Layer):
    """x W^T + b along the last axis; W has shape (units, in). Source: torch.nn.Linear."""

    units: Size
    weight: Initializer = use("initializer", "xavier_uniform")
    bias: Annotated[Use, Of("initializer")] | None = use("initializer", "zeros")

    def output_shape(self, shape: Shape) -> Shape:
        return (*with_features(shape, "linear")[:-1], self.units)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        fans = Fans(fan_in=shape[-1], fan_out=self.units)
        weight = Parameter((self.units, shape[-1]), self.weight, fans)
        if self.bias is None:
            return {"weight": weight}
        # torch.nn draws the bias by the fan-in of the weight; other initializers ignore it.
        return {"weight": weight, "bias": Parameter((self.units,), self.bias, fans)}

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        if "bias" not in given:
            return formulas.mm(x, formulas.transpose(given["weight"]))
        return formulas.linear(x, given["weight"], given["bias"])


@entry("layer")
@dataclass(frozen=True)
class Dropout(Layer):
    """x mask / (1 - rate) in training, with mask 0 with probability `rate` and else 1; otherwise x.

    Source: Srivastava et al. 2014, torch.nn.Dropout.
    """

    rate: Annotated[float, Interval(low=0, high=1, high_open=True)]

    @property
    def dropped(self) -> float:  # type: ignore[override]
        return self.rate

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        return x

    def train(self, x: Value, given: Mapping[str, Value]) -> Value:
        return x * given["mask"] if "mask" in given else x


@dataclass(frozen=True)
class Activation(Layer):
    """An activation as a layer; it keeps the shape."""

    use: Use

    def output_shape(self, shape: Shape) -> Shape:
        axis = dict(self.use.arguments).get("axis")
        if axis is not None and not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"{self.use.entry.name} has no axis {axis} in a sample of shape"
                f" {list(shape)}"
            )
        return shape

    @property
    def along(self) -> int:  # type: ignore[override]
        axis: int = dict(self.use.arguments).get("axis", -1)
        return axis

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        if "axis" in dict(self.use.arguments):
            value: Value = self.use(x)
            return value
        return activated(self.use, x)


class Join(Layer):
    """A layer with several inputs: the outputs of its bodies."""

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Return the shape of a sample's output; raise ShapeError if `shapes` do not fit."""
        raise NotImplementedError

    def join(self, values: Sequence[Value]) -> Value:
        """Return the output, like `lower`."""
        raise NotImplementedError


@entry("layer")
@dataclass(frozen=True)
class Residual(Join):
    """x + body(x), the input plus the output of the body. Source: He et al. 2016."""

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        x, body = shapes
        if body != x:
            raise ShapeError(
                f"residual cannot add shape {list(body)} to its input of shape {list(x)}",
                "the body must keep the shape",
            )
        return x

    def join(self, values: Sequence[Value]) -> Value:
        x, body = values  # only the sum reads the body: it may be computed in place
        return body + x


@entry("layer")
@dataclass(frozen=True)
class Concat(Join):
    """[a(x), b(x), ...], the outputs of the bodies joined along an axis of a sample.

    Source: torch.cat.
    """

    axis: int = 0

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        first = shapes[0]
        if not -len(first) <= self.axis < len(first):
            raise ShapeError(
                f"concat has no axis {self.axis} in a sample of shape {list(first)}"
            )
        axis = self.axis % len(first)
        for shape in shapes[1:]:
            rest = (*shape[:axis], *shape[axis + 1 :])
            if len(shape) != len(first) or rest != (*first[:axis], *first[axis + 1 :]):
                raise ShapeError(
                    f"concat cannot join shapes {list(first)} and {list(shape)} along axis"
                    f" {self.axis}",
                    "the shapes may differ only along that axis",
                )
        joined = sum(shape[axis] for shape in shapes)
        return (*first[:axis], joined, *first[axis + 1 :])

    @property
    def along(self) -> int:  # type: ignore[override]
        return self.axis

    def join(self, values: Sequence[Value]) -> Value:
        return formulas.concat(values, axis=len(values[0].shape) - 1)


JOINS = {
    "residual": ("one body", "residual { … }"),
    "concat": ("two bodies or more", "concat(axis=0) { … } { … }"),
}
"""The layers with bodies: how many, and how they are written."""


class View(Layer):
    """A layer that reads the numbers of a sample in another shape."""

    def lower(self, x: Value, given: Mapping[str, Value]) -> Value:
        return x  # lowering reshapes the rows


@entry("layer")
@dataclass(frozen=True)
class Flatten(View):
    """x with all numbers of a sample along one axis. Source: torch.nn.Flatten."""

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


def _counted(shape: Shape) -> str:
    count = math.prod(shape)
    return f"shape {list(shape)} ({count} number{'s' if count != 1 else ''})"


@entry("layer")
@dataclass(frozen=True)
class Reshape(View):
    """x in another shape; the numbers of a sample stay in row-major order.

    Source: torch.nn.Unflatten.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.shape or min(self.shape) < 1:
            raise ArgumentError("shape", "the sizes of reshape must be at least 1")

    def output_shape(self, shape: Shape) -> Shape:
        if math.prod(shape) != math.prod(self.shape):
            raise ShapeError(
                f"reshape cannot turn {_counted(shape)} into {_counted(self.shape)}"
            )
        return self.shape
