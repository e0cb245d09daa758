"""What the methods of every module call a batch: rows of samples, blocks of them, the labels.

A sample's leading axes join the batch, so that functions see matrices.
"""

from __future__ import annotations

import math
from typing import Any

from specc.derive import Derived
from specc.model import Model
from specc.view import Code


def batch_view(model: Model, derived: Derived) -> dict[str, Any]:
    """Give the words for rows."""
    positions = math.prod(model.row_shape[:-1])
    rows = f"BATCH_SIZE * {positions}" if positions > 1 else "BATCH_SIZE"
    return {
        "samples": Code("samples" if positions == 1 else "positions"),
        "rows_of_x": Code(given_rows("x", model)),
        "rows_of_y": Code(label_rows("y", model)),
        "raw_rows_of_x": Code(sample_rows("x", model)),
        "rows_of_x_val": Code(given_rows("x_val", model).replace("self.", "model.")),
        "rows_of_y_val": Code(label_rows("y_val", model)),
        "rows_of_batch": Code(rows),
        "count_of_rows": Code(f"len(x) * {positions}" if positions > 1 else "len(x)"),
        "several_positions": positions > 1,
        "output_axes": len(model.output_shape) > 1,
        "last_width": Code(str(derived.loss.inputs[0].shape[-1])),
        "input_quoted": Code(f'"{model.input.name}"'),
        "descends": derived.descends,
        "loss_name": Code(derived.loss.name),
    }


def rows_of(name: str, shape: tuple[int, ...]) -> str:
    """Join a sample's leading axes to the batch."""
    return name if len(shape) == 1 else f"{name}.reshape(-1, {shape[-1]})"


def sample_rows(name: str, model: Model) -> str:
    """Give the rows of an input, which a network may first look at in another shape."""
    shape = model.row_shape
    if shape == model.input.shape:
        return rows_of(name, shape)
    return f"{name}.reshape(-1, {shape[-1]})"


def given_rows(name: str, model: Model) -> str:
    """Give the rows that the network takes: those of an input, perhaps standardized."""
    rows = sample_rows(name, model)
    return f"standardize(self._b, {rows})" if model.standardize is not None else rows


def label_rows(name: str, model: Model) -> str:
    """Give the rows of a target; class labels become a column."""
    if model.target.dtype == "int":
        return f"{name}.reshape(-1, 1)"
    return rows_of(name, model.target.shape)
