"""What the methods of every module call a batch: rows of samples, blocks of them, the labels.

A sample's leading axes join the batch, so that functions see matrices.
"""

from __future__ import annotations

from typing import Any

from specc.derive.derived import Derived
from specc.emit.pieces import Code
from specc.model.model import Model, rows_in


def batch_view(model: Model, derived: Derived) -> dict[str, Any]:
    """Give the words for rows."""
    positions = model.positions
    of_x, of_last = rows_in(model.row_shape), rows_in(model.output_shape)
    apart = model.rows_differ
    return {
        "samples": Code("samples" if positions == 1 else "positions"),
        "rows_of_x": Code(given_rows("x", model)),
        "rows_of_y": Code(label_rows("y", model)),
        "raw_rows_of_x": Code(sample_rows("x", model)),
        "rows_of_x_val": Code(given_rows("x_val", model).replace("self.", "model.")),
        "rows_of_y_val": Code(label_rows("y_val", model)),
        "rows_of_batch": Code(by("BATCH_SIZE", of_x)),
        "rows_of_last": Code(by("BATCH_SIZE", of_last)),
        "block_of_x": Code(by("BLOCK", of_x if apart else 1)),
        "block_of_last": Code(by("BLOCK", of_last if apart else 1)),
        "count_of_x": Code(f"len(x) // {of_x}" if apart and of_x > 1 else "len(x)"),
        "block_name": Code("block" if of_x == of_last else "x_rows"),
        "block_of_rows": Code(_block(of_x if apart else 1)),
        "block_of_labels": Code(_block(of_last)),
        "labels_of_block": Code("y[block]" if of_x == of_last else "y[y_rows]"),
        "rows_apart": of_x != of_last,
        "length_of_last": Code("len(x)" if of_x == of_last else "len(y)"),
        "count_of_rows": Code(f"len(x) * {positions}" if positions > 1 else "len(x)"),
        "several_rows": of_x > 1,
        "output_axes": len(model.output_shape) > 1,
        "last_width": Code(str(derived.loss.inputs[0].shape[-1])),
        "input_quoted": Code(f'"{model.input.name}"'),
        "descends": derived.descends,
        "loss_name": Code(derived.loss.name),
    }


def _block(rows: int) -> str:
    """Give the slice of the rows of a block of samples."""
    if rows == 1:
        return "slice(start, start + BLOCK)"
    return f"slice(start * {rows}, (start + BLOCK) * {rows})"


def by(text: str, rows: int) -> str:
    """Multiply a count of samples by the rows of each."""
    return text if rows == 1 else f"{text} * {rows}"


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
