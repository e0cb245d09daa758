"""Values: one operation each, immutable, with a shape whose batch is symbolic.

Names and origins are part of a Value, because people read the emitted text. The table of operations
is declared here and filled by `ops.py`, so that arithmetic on Values can be written with signs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True, repr=False)
class Rows:
    """The size of the axis that counts samples: so many rows for each sample of the batch."""

    each: int = 1

    def __repr__(self) -> str:
        return BATCH_NAME if self.each == 1 else f"{self.each} * {BATCH_NAME}"


BATCH_NAME = "batch"
"""What emitted modules call the number of samples (or positions) of a batch."""
BATCH = Rows()
"""One row for each sample, or for each position where every array has as many."""

Shape = tuple[int | Rows, ...]
DType = Literal["real", "int", "bool"]
Type = tuple[Shape, DType]


@dataclass(frozen=True)
class Origin:
    """Where a Value comes from: one layer, as the spec wrote it."""

    layer: str
    says: str
    line: int


@dataclass(frozen=True, eq=False)
class Value:
    """The result of one operation; two Values are equal only when they are the same one."""

    op: str
    args: tuple[Value, ...] = ()
    attrs: tuple[tuple[str, Any], ...] = ()
    shape: Shape = ()
    dtype: DType = "real"
    name: str = ""
    """What the spec or the sweep calls it: `relu1`, `d_relu1`; empty inside an expression."""
    origins: tuple[Origin, ...] = ()
    """The layers that it belongs to: several, once operations are fused."""
    derivation: str = ""
    """For a derivative: the line of mathematics that it was made by."""
    rules: tuple[str, ...] = ()
    """The rules that this line follows from: `relu.x`, `linear.w`."""
    slot: str = ""
    """The kept buffer that it is written to; several Values may take turns in one."""

    def attribute(self, name: str) -> Any:
        """Return one attribute of the operation, such as its axis."""
        return dict(self.attrs)[name]

    @property
    def row(self) -> Op:
        """The row of the operation in the table; that of a leaf says that it is free."""
        return OPS.get(self.op, _LEAF)

    def of(self, args: tuple[Value, ...]) -> Value:
        """Return the same operation on other arguments, five times as fast as `replace`."""
        made = object.__new__(Value)
        made.__dict__.update(self.__dict__, args=args)
        return made

    def __add__(self, other: Value | float) -> Value:
        return apply("add", self, other)

    def __radd__(self, other: float) -> Value:
        return apply("add", other, self)

    def __sub__(self, other: Value | float) -> Value:
        return apply("sub", self, other)

    def __rsub__(self, other: float) -> Value:
        return apply("sub", other, self)

    def __mul__(self, other: Value | float) -> Value:
        return apply("mul", self, other)

    def __rmul__(self, other: float) -> Value:
        return apply("mul", other, self)

    def __truediv__(self, other: Value | float) -> Value:
        return apply("div", self, other)

    def __rtruediv__(self, other: float) -> Value:
        return apply("div", other, self)

    def __pow__(self, other: Value | float) -> Value:
        return apply("pow", self, other)

    def __rpow__(self, other: float) -> Value:
        return apply("pow", other, self)

    def __neg__(self) -> Value:
        return apply("neg", self)


@dataclass(frozen=True)
class Op:
    """One row of the table of operations."""

    type: Callable[..., Type]
    """Of the result, from the arguments and attributes."""
    derivative: Callable[..., tuple[Value | None, ...]] | None = None
    """None where the operation has none anywhere (a comparison) or is made after the sweep."""
    expansion: Callable[..., Value] | None = None
    """The simpler operations that a composite consists of."""
    in_place: bool = False
    """True if the result may be written over the first operand."""
    view: bool = False
    """True if it only looks at its operand in another way: turned, or without a row."""
    moves: bool = False
    """True if it copies numbers into rows of another width, and computes nothing."""
    looks: bool = False
    """True if the result needs no array of its own where arrays have strides."""
    free: bool = False
    """True if it costs no arithmetic."""
    marks: bool = False
    """True if it changes one number of each row, where an index points."""


OPS: dict[str, Op] = {}
"""Every operation by its name; `specc.ir.ops` fills the table when it is imported."""

_LEAF = Op(lambda: ((), "real"), free=True)
LEAVES = ("input", "const")
"""What a Value can be that is no operation: an argument of a Program, or a number."""


def apply(op: str, *args: Value | float, **attrs: Any) -> Value:
    """Make the Value of an operation; numbers become constants."""
    values = tuple(a if isinstance(a, Value) else constant(a) for a in args)
    shape, dtype = OPS[op].type(*values, **attrs)
    return Value(op, values, tuple(attrs.items()), shape, dtype)


def constant(value: float) -> Value:
    """Return a number as a Value without a shape."""
    return Value("const", attrs=(("value", value),))


def rows_of(shape: Shape) -> int:
    """Return how many rows an array of samples has for each of the batch."""
    return next(dim.each for dim in shape if isinstance(dim, Rows))


def width_of(shape: Shape) -> int:
    """Return the size of the last axis, which is a number."""
    width = shape[-1]
    assert isinstance(width, int)
    return width


def batched(shape: Shape) -> bool:
    """True if an array has rows for the samples of a batch."""
    return any(isinstance(dim, Rows) for dim in shape)


def argument(name: str, shape: Shape = (), dtype: DType = "real") -> Value:
    """Return an argument of a Program."""
    return Value("input", shape=shape, dtype=dtype, name=name)


def named(value: Value, name: str) -> Value:
    """Return the Value under a name, by which it is kept."""
    return replace(value, name=name)


def role(value: Value) -> str:
    """Return the role of a network's argument: `parameter`, `buffer`, `mask` or empty."""
    return str(dict(value.attrs).get("role", ""))


def of_arrays(value: Value) -> bool:
    """True if an operation computes with arrays, False if with single numbers."""
    return any(arg.shape for arg in value.args)


def is_constant(value: Value, number: float | None = None) -> bool:
    """True if `value` is a constant, and this one where a number is passed."""
    return value.op == "const" and number in (None, value.attribute("value"))
