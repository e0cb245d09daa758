"""A layer's formula on the rows of a batch, and what a module keeps of it.

A sample's leading axes join the batch, so a formula sees a matrix: samples are rows, the last axis
of a sample is the other one. A layer whose features lie along another axis gets them as the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from specc.ir import formulas
from specc.ir.program import in_order
from specc.ir.value import Rows, Value, argument, named, width_of
from specc.library.network.layers import Join
from specc.model.model import Node, rows_in

COLUMNS, OF_COLUMNS = "columns", "of_columns"
"""A layer along another axis than the last: its input with that axis last, and its result."""
BLOCKS = "blocks"
"""A join along another axis: the numbers in blocks that are joined row by row."""

Formula = Callable[[Value, Mapping[str, Value]], Value]


def on_rows(
    node: Node, formula: Formula, x: Value, given: Mapping[str, Value]
) -> Value:
    """Write a layer's formula for rows of samples.

    Axes before that of the features join the batch, axes behind it move in front of it; the
    result goes back to rows of the last axis.
    """
    if not node.looks_across:
        return formula(x, given)
    axis = node.layer.along % len(node.input_shape)
    behind = math.prod(node.input_shape[axis + 1 :])
    rows = formulas.reshape(x, _numbers(x) // behind, behind)
    columns = formulas.swap(rows, node.input_shape[axis])
    if columns is not x:  # a copy of what has a name would be a second one
        columns = named(columns, COLUMNS)
    y = named(formula(columns, given), OF_COLUMNS)
    y = formulas.swap(y, math.prod(node.output_shape[axis + 1 :]))
    return formulas.reshape(y, rows_in(node.output_shape), node.output_shape[-1])


def joined_on_rows(node: Node, layer: Join, given: Sequence[Value]) -> Value:
    """Join values of rows along the axis of a sample that they are joined along."""
    if not node.looks_across:
        return layer.join(given)
    blocks = math.prod(node.output_shape[: layer.along % len(node.output_shape)])
    whole = [formulas.reshape(x, blocks, _numbers(x) // blocks) for x in given]
    joined = named(layer.join(whole), BLOCKS)
    return formulas.reshape(joined, rows_in(node.output_shape), node.output_shape[-1])


def kept_of(node: Node) -> tuple[str, ...]:
    """Return the names that the module keeps of a layer beside its result and parameters.

    They are read off the layer's own Values on the rows that it has in the network.
    """
    if isinstance(node.layer, Join):
        return (BLOCKS,) if node.looks_across else ()
    shape = node.input_shape or (1,)
    x = argument("", (Rows(rows_in(shape)), shape[-1]))
    given = {name: argument("", p.shape) for name, p in node.parameters.items()}
    given |= {name: argument("", buffer.shape) for name, buffer in node.buffers.items()}
    mask = {"mask": x} if node.layer.dropped else {}
    made = (
        on_rows(node, node.layer.lower, x, given),
        on_rows(node, node.layer.train, x, given | mask),
    )
    parts = {value.name: None for value in in_order(made) if value.name}
    return (*parts, *node.buffers, *mask)


def _numbers(x: Value) -> int:
    rows = x.shape[0]
    assert isinstance(rows, Rows)
    return rows.each * width_of(x.shape)
