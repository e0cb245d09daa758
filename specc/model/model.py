"""The checked network: every name resolved, every argument bound, every shape known.

`check` makes it, `lower` takes it. Invariant: nothing that a later stage needs is optional, and no
later stage can find an error of the user.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Literal

from specc.ir.value import Rows
from specc.library.network.layers import Buffer, Layer, Parameter, View
from specc.library.network.norms import Standardize
from specc.library.training.settings import EarlyStopping, Train
from specc.library.vocabulary import Use
from specc.syntax.source import Source, Span


@dataclass(frozen=True)
class Feature:
    """The input or the target: the name and shape of one sample."""

    name: str
    dtype: Literal["real", "int"]
    shape: tuple[int, ...]
    span: Span


@dataclass(frozen=True)
class Node:
    """One layer of the expanded network."""

    name: str
    """Unique: `linear1`, or the name the spec gave, with a count inside `repeat`."""
    layer: Layer
    use: Use
    """The use in the spec, for headings: `str(node.use)` is `linear(25, weight=he_normal)`."""
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    span: Span
    inputs: tuple[int, ...]
    """The indices of its input nodes, all before it; -1 for the input of the model."""

    @property
    def line(self) -> int:
        """The line of the layer in the spec, from 1."""
        return self.span.line

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The layer's parameters by their short names, in torch's order."""
        return self.layer.parameters(self.input_shape)

    @property
    def buffers(self) -> dict[str, Buffer]:
        """The layer's other state by its short names, in torch's order."""
        return self.layer.buffers(self.input_shape)

    @property
    def looks_across(self) -> bool:
        """True if the layer's features are on another axis than the last."""
        axes = len(self.output_shape)
        return axes > 0 and self.layer.along % axes != axes - 1

    @property
    def numbers_of_feature(self) -> int:
        """How many numbers of a sample belong to each feature of the layer."""
        if not self.input_shape:
            return 1
        return math.prod(self.input_shape) // self.input_shape[self.layer.along]


def rows_in(shape: tuple[int, ...]) -> int:
    """Return how many rows a sample of a shape has; a row is its last axis."""
    return math.prod(shape[:-1])


@dataclass(frozen=True)
class Clause:
    """A statement other than `layers`: its use and its place; span None for a default."""

    use: Use
    span: Span | None


@dataclass(frozen=True)
class Model:
    """A whole network with its training."""

    name: str
    source: Source
    overrides: tuple[tuple[str, str], ...]
    """The `-D name=value` of the command, sorted by name."""
    constants: tuple[tuple[str, object], ...]
    """Every `param` with its value, in order of the file."""
    input: Feature
    target: Feature
    nodes: tuple[Node, ...]
    loss: Clause
    optimizer: Clause
    schedule: Clause
    early_stopping: EarlyStopping | None
    """None if the spec has no such statement: all epochs run, and the last parameters are kept."""
    early_stopping_span: Span | None
    train: Train
    metrics: tuple[Clause, ...]
    data: Clause | None

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of a sample after the views that the network begins with.

        A single number is a row of one.
        """
        views = self.first_views
        shape = self.nodes[views - 1].output_shape if views else self.input.shape
        return shape or (1,)

    @property
    def first_views(self) -> int:
        """The number of views that the network begins with."""
        count = 0
        for node in self.nodes:
            if not isinstance(node.layer, View) or node.inputs != (count - 1,):
                break
            count += 1
        others = [i for node in self.nodes[count:] for i in node.inputs]
        return min([count, *(i + 1 for i in others)])

    @functools.cached_property
    def rows_differ(self) -> bool:
        """True if a layer changes the rows, or has features on another axis than the last."""
        rows = rows_in(self.row_shape)
        return any(
            rows_in(node.output_shape) != rows or node.looks_across
            for node in self.nodes[self.first_views :]
        )

    def rows(self, shape: tuple[int, ...]) -> tuple[Rows, int]:
        """Return the shape of a batch as a matrix: leading axes of a sample join the batch."""
        rows = rows_in(shape) if self.rows_differ else 1
        return Rows(rows), shape[-1] if shape else 1

    @property
    def positions(self) -> int:
        """The number of rows of a sample that count as rows of the batch."""
        return 1 if self.rows_differ else rows_in(self.row_shape)

    @property
    def moves_on_one(self) -> bool:
        """True if a batch of one sample has a variance for every layer that tracks one."""
        return all(n.numbers_of_feature > 1 for n in self.nodes if n.layer.tracks)

    @property
    def standardize(self) -> Node | None:
        """The `standardize` layer, None if there is none."""
        for node in self.nodes:
            if isinstance(node.layer, Standardize):
                return node
        return None

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one sample's prediction."""
        return self.nodes[-1].output_shape if self.nodes else self.input.shape

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter by its full name, `<layer>.<parameter>`, in torch's order."""
        return {
            f"{node.name}.{short}": parameter
            for node in self.nodes
            for short, parameter in node.parameters.items()
        }

    @property
    def buffers(self) -> dict[str, Buffer]:
        """Every buffer by its full name, in the same order."""
        return {
            f"{node.name}.{short}": buffer
            for node in self.nodes
            for short, buffer in node.buffers.items()
        }
