"""The types of the results of operations: a shape, whose batch is symbolic, and a dtype.

Takes the operands and attributes of an operation; returns the type of its result. Invariant: what
does not fit raises TypeMismatch, here and nowhere else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from specc.ir.value import Rows, Shape, Type, Value, rows_of


class TypeMismatch(Exception):
    """Operands whose shapes do not fit: the checker lets none through, so a bug in specc."""


def broadcast(*args: Value) -> Type:
    """The type of an elementwise operation."""
    return together(*(arg.shape for arg in args)), "real"


@functools.lru_cache(maxsize=4096)
def together(*shapes: Shape) -> Shape:
    """Return the shape that shapes broadcast to."""
    whole: Shape = ()
    for shape in shapes:
        small, large = sorted((whole, shape), key=len)
        padded = (1,) * (len(large) - len(small)) + small
        for a, b in zip(padded, large, strict=True):
            if a != b and a != 1 and b != 1:
                raise TypeMismatch(
                    f"{[list(each) for each in shapes]} do not broadcast"
                )
        whole = tuple(b if a == 1 else a for a, b in zip(padded, large, strict=True))
    return whole


def same(x: Value, **attrs: Any) -> Type:
    """The type of an operation that keeps the shape."""
    return x.shape, "real"


def truth(*args: Value) -> Type:
    """The type of a comparison."""
    return together(*(arg.shape for arg in args)), "bool"


def scalar(*args: Value, **attrs: Any) -> Type:
    """The type of a single number."""
    return (), "real"


def product(a: Value, b: Value) -> Type:
    """The type of a product of matrices."""
    return times(a.shape, b.shape), "real"


def times(a: Shape, b: Shape) -> Shape:
    """Return the shape of a product of matrices."""
    if len(a) != 2 or len(b) != 2 or a[1] != b[0]:
        raise TypeMismatch(f"{list(a)} times {list(b)}")
    return (a[0], b[1])


def transposed(a: Value) -> Type:
    """The type of a transpose."""
    return (a.shape[1], a.shape[0]), "real"


def without(axis: int) -> Callable[..., Type]:
    """The type of an array without the last place of an axis."""

    def type(x: Value) -> Type:
        return resized(x.shape, axis, -1), "real"

    return type


def resized(shape: Shape, axis: int, by: int) -> Shape:
    """Return a shape with an axis longer or shorter."""
    size = shape[axis]
    if not isinstance(size, int):
        raise TypeMismatch(f"axis {axis} of {list(shape)} is not of a fixed size")
    return (*shape[:axis], size + by, *shape[axis + 1 :])


def reduced(x: Value, axis: int, keep: bool = False) -> Type:
    """The type of a reduction along an axis."""
    kept: Shape = (1,) if keep else ()
    return (*x.shape[:axis], *kept, *x.shape[axis + 1 :]), "real"


def joined(*args: Value, axis: int) -> Type:
    """The type of arrays one behind the other along an axis."""
    first, *others = (arg.shape for arg in args)
    size = 0
    for shape in (first, *others):
        if shape[:axis] != first[:axis] or shape[axis + 1 :] != first[axis + 1 :]:
            raise TypeMismatch(f"{list(shape)} does not go on {list(first)}")
        whole = shape[axis]
        if not isinstance(whole, int):
            raise TypeMismatch(f"axis {axis} of {list(shape)} is not of a fixed size")
        size += whole
    return (*first[:axis], size, *first[axis + 1 :]), "real"


def part(x: Value, axis: int, start: int, stop: int) -> Type:
    """The type of some places along an axis."""
    size = x.shape[axis]
    if not isinstance(size, int) or not 0 <= start < stop <= size:
        raise TypeMismatch(f"places {start} to {stop} of {list(x.shape)}")
    return (*x.shape[:axis], stop - start, *x.shape[axis + 1 :]), "real"


def reshaped(x: Value, rows: int, width: int) -> Type:
    """The type of the same numbers in rows of another width, so many for each of the batch."""
    found = x.shape[-1]
    if not isinstance(found, int) or rows_of(x.shape) * found != rows * width:
        raise TypeMismatch(f"{list(x.shape)} in rows of {width}")
    return (Rows(rows), width), x.dtype


def swapped(x: Value, size: int) -> Type:
    """The type of an array with every `size` rows turned into columns."""
    width = x.shape[-1]
    if not isinstance(width, int) or rows_of(x.shape) % size:
        raise TypeMismatch(f"{list(x.shape)} in blocks of {size} rows")
    return (Rows(rows_of(x.shape) // size * width), size), "real"


def linear(x: Value, weight: Value, bias: Value) -> Type:
    """The type of x W^T + b."""
    shape = times(x.shape, weight.shape[::-1])
    if bias.shape != weight.shape[:1]:
        raise TypeMismatch(f"bias {list(bias.shape)} for weight {list(weight.shape)}")
    return shape, "real"


def affine(matrix: Value, x: Value) -> Type:
    """The type of [W b] [x; 1]."""
    return times(matrix.shape, resized(x.shape, 0, 1)), "real"


def picked(x: Value, index: Value, axis: int) -> Type:
    """The type of one place along an axis, by index."""
    expected = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    if index.shape != expected or index.dtype != "int":
        raise TypeMismatch(f"{list(index.shape)} picks from {list(x.shape)}")
    return index.shape, "real"


def marked(x: Value, index: Value, axis: int, **attrs: Any) -> Type:
    """The type of x where an index points into each row."""
    picked(x, index, axis)
    return x.shape, "real"


def compared(prediction: Value, target: Value, **attrs: Any) -> Type:
    """The type of a loss of a prediction and a target of one shape."""
    if prediction.shape != target.shape:
        raise TypeMismatch(f"{list(prediction.shape)} against {list(target.shape)}")
    return (), "real"


def accumulated(c: Value, a: Value, b: Value, beta: Value, alpha: Value) -> Type:
    """The type of c beta + a b alpha."""
    return together(c.shape, times(a.shape, b.shape)), "real"


def flat(x: Value) -> Type:
    """The type of all elements along one axis."""
    size, rows = 1, 0
    for dim in x.shape:
        size *= dim.each if isinstance(dim, Rows) else dim
        rows += isinstance(dim, Rows)
    return (Rows(size) if rows else size,), x.dtype
