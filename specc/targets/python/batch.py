"""What the methods of a module call a batch: rows of samples, blocks of them, the labels.

A sample's leading axes join the batch, so that functions see matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.emit.pieces import Code
from specc.model.model import Model, rows_in


@dataclass(frozen=True)
class Batch:
    """The words for rows, as both kinds of array write them."""

    rows_of_x: Code
    rows_of_y: Code
    rows_of_last: Code
    """The rows of the last layer in a batch."""
    count_of_x: Code
    """The samples that x has, counted as the functions count them."""
    length_of_last: Code
    """The rows of the last layer for samples x."""
    last_width: Code
    loss_name: Code


def batch(model: Model, derived: Derived, cast: str) -> Batch:
    """Return the words for rows; `cast` gives standardized ones the model's dtype."""
    of_x, of_last = rows_in(model.row_shape), rows_in(model.output_shape)
    several = model.rows_differ and of_x > 1
    return Batch(
        rows_of_x=Code(given_rows("x", model, cast=cast)),
        rows_of_y=Code(label_rows("y", model)),
        rows_of_last=Code(by("BATCH_SIZE", of_last)),
        count_of_x=Code(f"len(x) // {of_x}" if several else "len(x)"),
        length_of_last=Code("len(x)" if of_x == of_last else "len(y)"),
        last_width=Code(str(derived.loss.inputs[0].shape[-1])),
        loss_name=Code(derived.loss.name),
    )


def rows_of_batch(model: Model) -> str:
    """Count the rows of the input in a batch."""
    return by("BATCH_SIZE", rows_in(model.row_shape))


def by(text: str, rows: int) -> str:
    """Multiply a count of samples by the rows of each."""
    return text if rows == 1 else f"{text} * {rows}"


def rows_of(name: str, shape: tuple[int, ...]) -> str:
    """Join a sample's leading axes to the batch."""
    return name if len(shape) == 1 else f"{name}.reshape(-1, {shape[-1]})"


def sample_rows(name: str, model: Model) -> str:
    """Return the rows of an input, which a network may first look at in another shape."""
    shape = model.row_shape
    if shape == model.input.shape:
        return rows_of(name, shape)
    return f"{name}.reshape(-1, {shape[-1]})"


def given_rows(
    name: str, model: Model, buffers: str = "self._b", cast: str = ""
) -> str:
    """Return the rows that the network takes: those of an input, perhaps standardized."""
    rows = sample_rows(name, model)
    if model.standardize is None:
        return rows
    return f"standardize({buffers}, {rows}){cast}"


def label_rows(name: str, model: Model) -> str:
    """Return the rows of a target; class labels become a column."""
    if model.target.dtype == "int":
        return f"{name}.reshape(-1, 1)"
    return rows_of(name, model.target.shape)
