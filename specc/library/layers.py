"""The layers: each word is one class; its fields are its arguments.

A layer answers three questions: what shape it gives, which parameters it has, and what it computes
(as Values). Shapes are of one sample; a Value's shape has the batch in front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from specc import ops
from specc.ir import Value
from specc.library.entry import ArgumentError, Count, Of, ShapeError, Use, entry, use
from specc.library.initializers import Fans
from specc.slope import activated

Shape = tuple[int, ...]
Initializer = Annotated[Use, Of("initializer")]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a layer: its shape in torch's layout, how it starts, its fans."""

    shape: Shape
    initializer: Use
    fans: Fans | None


class Layer:
    """What every layer answers; the defaults are those of a layer without parameters."""

    def output_shape(self, shape: Shape) -> Shape:
        """Give the shape of a sample's output; raise ShapeError where `shape` does not fit."""
        return shape

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        """Give the parameters for an input of `shape`, in the order of torch's state_dict."""
        return {}

    def lower(self, x: Value, parameters: Mapping[str, Value]) -> Value:
        """Give the output for the input `x`, whose shape has the batch in front."""
        raise NotImplementedError


@entry("layer")
@dataclass(frozen=True)
class Linear(Layer):
    """x W^T + b over the last axis; W is (units, in). Source: torch.nn.Linear."""

    units: Count
    weight: Initializer = use("initializer", "xavier_uniform")
    bias: Annotated[Use, Of("initializer")] | None = use("initializer", "zeros")

    def output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise ShapeError(
                "linear needs at least one axis, found a single number per sample",
                "declare the input as `real[1]`",
            )
        return (*shape[:-1], self.units)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        fans = Fans(fan_in=shape[-1], fan_out=self.units)
        weight = Parameter((self.units, shape[-1]), self.weight, fans)
        if self.bias is None:
            return {"weight": weight}
        # torch.nn draws the bias from the weight's fan-in; no other initializer reads it.
        return {"weight": weight, "bias": Parameter((self.units,), self.bias, fans)}

    def lower(self, x: Value, parameters: Mapping[str, Value]) -> Value:
        if "bias" not in parameters:
            return ops.mm(x, ops.transpose(parameters["weight"]))
        return ops.linear(x, parameters["weight"], parameters["bias"])


@dataclass(frozen=True)
class Activation(Layer):
    """An activation word as a layer; it keeps the shape."""

    use: Use

    def output_shape(self, shape: Shape) -> Shape:
        axis = dict(self.use.arguments).get("axis")
        if axis is not None and not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"{self.use.entry.name} has no axis {axis} in a sample of shape"
                f" {list(shape)}"
            )
        if axis is not None and axis % len(shape) != len(shape) - 1:
            raise ShapeError(
                f"{self.use.entry.name} along another axis than the last is not"
                " available yet"
            )
        return shape

    def lower(self, x: Value, parameters: Mapping[str, Value]) -> Value:
        if "axis" in dict(self.use.arguments):
            value: Value = self.use(x)
            return value
        return activated(self.use, x)

    @property
    def kept(self) -> tuple[str, ...]:
        """Name the parts of its formula that its derivative reads again."""
        if "axis" in dict(self.use.arguments):
            return ()
        made = activated(self.use, ops.scalar("x"))
        return made.attribute("names")[1:] if made.op == "pointwise" else ()


class Join(Layer):
    """A layer that takes several inputs: what bodies give."""

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Give the shape of a sample's output; raise ShapeError where `shapes` do not fit."""
        raise NotImplementedError

    def join(self, values: Sequence[Value]) -> Value:
        """Give the output, as `lower` does."""
        raise NotImplementedError


@entry("layer")
@dataclass(frozen=True)
class Residual(Join):
    """x + body(x): what goes in, and what the body gives. Source: He et al. 2016."""

    def joined_shape(self, shapes: Sequence[Shape]) -> Shape:
        x, body = shapes
        if body != x:
            raise ShapeError(
                f"residual adds shape {list(body)} to its input of shape {list(x)}",
                "the body has to keep the shape",
            )
        return x

    def join(self, values: Sequence[Value]) -> Value:
        x, body = (
            values  # the body's result is nobody else's: the sum may take its place
        )
        return body + x


JOINS = {
    "residual": ("one body", "residual { … }"),
}
"""The layers that take bodies: how many, and how they are written."""


class View(Layer):
    """A layer that looks at the numbers of a sample in another shape."""

    def lower(self, x: Value, parameters: Mapping[str, Value]) -> Value:
        return x  # the network takes its input in the new shape


@entry("layer")
@dataclass(frozen=True)
class Flatten(View):
    """x, all numbers of a sample along one axis. Source: torch.nn.Flatten."""

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@entry("layer")
@dataclass(frozen=True)
class Reshape(View):
    """x, the numbers of a sample in the order of their rows, in another shape.

    Source: torch.nn.Unflatten.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.shape or min(self.shape) < 1:
            raise ArgumentError("shape", "reshape takes sizes of at least 1")

    def output_shape(self, shape: Shape) -> Shape:
        if math.prod(shape) != math.prod(self.shape):
            raise ShapeError(
                f"reshape to {list(self.shape)}, {math.prod(self.shape)} numbers, of a"
                f" sample of shape {list(shape)}, {math.prod(shape)} numbers"
            )
        return self.shape
