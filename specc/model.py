"""The checked network: every name resolved, every argument bound, every shape known.

What `check` gives and `lower` takes. Nothing in it is optional that a later stage needs, and no
later stage can find a user's mistake.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

from specc.ir import BATCH, argument, in_order
from specc.library.entry import Use
from specc.library.layers import (
    Buffer,
    Join,
    Layer,
    Parameter,
    Standardize,
    View,
)
from specc.library.settings import EarlyStopping, Train
from specc.source import Source, Span


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
    """What the spec said, for headings: `str(node.use)` is `linear(25, weight=he_normal)`."""
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    span: Span
    inputs: tuple[int, ...]
    """The places of the nodes that it takes, all before it; -1 for the model's input."""

    @property
    def line(self) -> int:
        """The line of the spec that the layer stands on, from 1."""
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
    def kept(self) -> tuple[str, ...]:
        """What the emitted module keeps of it, beside its result and its parameters."""
        return kept_of(self.layer, self.input_shape[-1:])


@functools.lru_cache
def kept_of(layer: Layer, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Name what formulas of a layer keep, beside its result and its parameters."""
    if isinstance(layer, Join):
        return ()
    x = argument("", (BATCH, *shape))
    shapes = {name: p.shape for name, p in layer.parameters(shape).items()}
    shapes |= {name: buffer.shape for name, buffer in layer.buffers(shape).items()}
    given = {name: argument("", shape) for name, shape in shapes.items()}
    mask = {"mask": x} if layer.dropped else {}
    made = (layer.lower(x, given), layer.train(x, given | mask))
    parts = {value.name: None for value in in_order(made) if value.name}
    return (*parts, *layer.buffers(shape), *mask)


@dataclass(frozen=True)
class Clause:
    """A statement other than `layers`: what it says and where; span None for a default."""

    use: Use
    span: Span | None


@dataclass(frozen=True)
class Model:
    """A whole network with its training."""

    name: str
    source: Source
    overrides: tuple[tuple[str, str], ...]
    """The `-D name=value` of the command, as given, in order of name."""
    constants: tuple[tuple[str, object], ...]
    """Every `param` with its value, in order of the file."""
    input: Feature
    target: Feature
    nodes: tuple[Node, ...]
    loss: Clause
    optimizer: Clause
    schedule: Clause
    early_stopping: EarlyStopping | None
    """None where the spec has no such statement: then all epochs run and the last one is kept."""
    early_stopping_span: Span | None
    train: Train
    metrics: tuple[Clause, ...]
    data: Clause | None

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape in which the network takes a sample: that of the views it begins with."""
        shape = self.input.shape
        for i, node in enumerate(self.nodes):
            if not isinstance(node.layer, View) or node.inputs != (i - 1,):
                break
            shape = node.output_shape
        return shape

    @property
    def standardize(self) -> Node | None:
        """The layer that measures the samples, where the network begins with one."""
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
        """Every buffer by its full name, likewise."""
        return {
            f"{node.name}.{short}": buffer
            for node in self.nodes
            for short, buffer in node.buffers.items()
        }
