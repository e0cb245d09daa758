"""The table of derivative rules that `specc explain --rules` prints.

Takes the rows of `ops.py`, returns one Rule for each argument. Invariant: a rule is printed from
the formula that the compiler uses, applied to arguments with the names of the row.
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
    """One derivative rule."""

    name: str
    """The row and the argument of the derivative, such as `affine.x`."""
    forward: str
    """The formula of the row."""
    derivative: str
    line: int
    """The line of `ops.py`; 0 for rules that `reverse.py` applies to all rows."""


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
"""The shapes and attributes of the rows that need particular ones."""
OWN_FUNCTION = "pointwise"
"""The row of functions given as formulas, whose derivative is derived from the formula."""


def rules() -> list[Rule]:
    """Return every rule, in the order of `ops.py`."""
    found: list[Rule] = []
    for name, op in OPS.items():
        if op.derivative is not None and name != OWN_FUNCTION:
            found += _rules_of(name)
    found += [
        Rule(
            f"{OWN_FUNCTION}.x",
            "f(x)",
            "dy * f'(x), with f' derived by the other rules",
            _line(OWN_FUNCTION),
        ),
        Rule(SUMMED, "x, broadcast", "the sum of dy over every copy of x", 0),
        Rule(ADDED, "x, used twice", "the sum over all uses of x", 0),
    ]
    return found


def _rules_of(name: str) -> list[Rule]:
    """Return the rules of a row, by applying it to arguments with its own names."""
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
    """Return the formula of a row; a composite is expanded."""
    words = "".join(
        f", {name} {number:g}"
        for name, number in value.attrs
        if name in ("smoothing", "height")
    )
    return mathematics(spelled(value, named=False)) + words


def _written(part: Value) -> str:
    """Return a derivative without names for its parts; different counts get different names."""
    inputs = tuple(v for v in in_order([part]) if v.op == "input")
    ((_, plain),) = nameless(Program("", inputs, (("", part),))).outputs
    counts = [v for v in in_order([plain]) if v.op == "count"]
    names = {v: f"n_{v.args[0].name}" for v in counts}
    return mathematics(plain, names if len(set(names.values())) > 1 else None)


def _line(name: str) -> int:
    derivative = OPS[name].derivative
    assert derivative is not None
    return derivative.__code__.co_firstlineno
