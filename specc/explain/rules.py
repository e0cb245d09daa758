"""The rules of derivatives as a table: what `specc explain --rules` prints.

Reads the rows of `ops.py`. Each rule is written from what its formula gives for arguments that
have the names of the row, so it cannot say anything else than the compiler does.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from specc.calculus.notation import mathematics
from specc.calculus.reverse import ADDED, SUMMED
from specc.explain.equations import spelled
from specc.ir.ops import rules_of
from specc.ir.program import Program, in_order
from specc.ir.rewrite import nameless
from specc.ir.value import BATCH, OPS, DType, Rows, Shape, Value, apply, argument


@dataclass(frozen=True)
class Rule:
    """One rule."""

    name: str
    """Its id: the row and the argument that it differentiates by."""
    forward: str
    """What the row computes."""
    derivative: str
    line: int
    """Of `ops.py`; 0 for what `reverse.py` does for all rows."""


ROWS: Shape = (BATCH, 3)
ARGUMENTS: dict[str, tuple[tuple[Shape, ...], dict[str, object]]] = {
    "where": ((ROWS, ROWS, ROWS), {}),
    "softmax": ((ROWS,), {"axis": 1}),
    "log_softmax": ((ROWS,), {"axis": 1}),
    "logsumexp": ((ROWS,), {"axis": 1, "keep": True}),
    "pick": ((ROWS, (BATCH, 1)), {"axis": 1}),
    "minus_one_hot": ((ROWS, (BATCH, 1)), {"axis": 1}),
    "minus_hot": ((ROWS, (BATCH, 1)), {"axis": 1, "height": 0.9}),
    "sum": ((ROWS,), {"axis": 1, "keep": True}),
    "mean_over": ((ROWS,), {"axis": 1, "keep": True}),
    "normalize": ((ROWS, (BATCH, 1), (BATCH, 1)), {"axis": 1}),
    "reshape": ((ROWS,), {"rows": 3, "width": 1}),
    "swap": (((Rows(2), 3),), {"size": 2}),
    "concat": ((ROWS, (BATCH, 2)), {"axis": 1}),
    "mm": (((2, 3), (3, 4)), {}),
    "linear": ((ROWS, (2, 3), (2,)), {}),
    "affine": (((2, 4), (3, BATCH)), {}),
    "with_ones": (((3, BATCH),), {}),
    "cross_entropy": ((ROWS, (BATCH, 1)), {"axis": 1}),
    "smoothed_cross_entropy": ((ROWS, (BATCH, 1)), {"axis": 1, "smoothing": 0.1}),
}
"""Shapes and attributes of the rows that not any array suits."""
OWN_FUNCTION = "pointwise"
"""The row of the functions that are written as formulas: its slope is derived from them."""


def rules() -> list[Rule]:
    """Give every rule, in the order of `ops.py`."""
    found: list[Rule] = []
    for name, op in OPS.items():
        if op.derivative is not None and name != OWN_FUNCTION:
            found += _rules_of(name)
    found += [
        Rule(
            f"{OWN_FUNCTION}.x",
            "f(x)",
            "dy * f'(x), which the other rules give of f's formula",
            _line(OWN_FUNCTION),
        ),
        Rule(SUMMED, "x, stretched", "the sum of dy over every copy of x", 0),
        Rule(ADDED, "x, used twice", "the sum of what comes back from each use", 0),
    ]
    return found


def _rules_of(name: str) -> list[Rule]:
    """Apply a row to arguments that are called like its own."""
    derivative = OPS[name].derivative
    assert derivative is not None
    parameters = list(inspect.signature(derivative).parameters.values())[2:]
    shapes, attrs = ARGUMENTS.get(name, (None, {}))
    names = [p.name for p in parameters if p.name not in attrs]
    if shapes is None:
        shapes = (ROWS,) * len(names)
    if len(names) < len(shapes):
        names = ["a", "b"]
    kinds: dict[str, DType] = {"i": "int", "c": "bool"}
    if name.endswith("cross_entropy") and name != "binary_cross_entropy":
        kinds["t"] = "int"
    args = [
        argument(word, shape, kinds.get(word, "real"))
        for word, shape in zip(names, shapes, strict=True)
    ]
    forward = apply(name, *args, **attrs)
    y = argument("y", forward.shape, forward.dtype)
    dy = argument("dy", forward.shape)
    parts = derivative(dy, y, *args, **attrs)
    return [
        Rule(rule, _forward(forward), _written(part), _line(name))
        for rule, part in zip(rules_of(name, len(args)), parts, strict=True)
        if part is not None
    ]


def _forward(value: Value) -> str:
    """Write what a row computes, a composite as what it is made of."""
    words = "".join(
        f", {name} {number:g}"
        for name, number in value.attrs
        if name in ("smoothing", "height")
    )
    return mathematics(spelled(value, named=False)) + words


def _written(part: Value) -> str:
    """Write a derivative without names for its parts; counts of several things are told apart."""
    inputs = tuple(v for v in in_order([part]) if v.op == "input")
    ((_, plain),) = nameless(Program("", inputs, (("", part),))).outputs
    counts = [v for v in in_order([plain]) if v.op == "count"]
    names = {v: f"n_{v.args[0].name}" for v in counts}
    return mathematics(plain, names if len(set(names.values())) > 1 else None)


def _line(name: str) -> int:
    derivative = OPS[name].derivative
    assert derivative is not None
    return derivative.__code__.co_firstlineno
