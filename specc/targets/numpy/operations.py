"""One line of NumPy an operation, and of plain Python for a scalar.

Each is an expression that makes an array: what is not a statement of its own is part of a formula.
Samples are rows, so an axis is the last one, which the functions of `HELPERS` take for granted.
"""

from __future__ import annotations

from dataclasses import replace

from specc.emit.expressions import ExpressionPrinter
from specc.emit.language import (
    ATOM,
    FREE,
    INFIX,
    NUMBERS,
    POWER,
    PRODUCT,
    SUM,
    Language,
    Text,
)
from specc.targets.numpy_words import ARRAY_WORDS

_METHOD = (ATOM, FREE, FREE)

HELPERS = ("sigmoid", "softmax", "log_softmax", "erf")
"""The operations that a module defines as functions, where it calls them."""

ARRAY: dict[str, Text] = {
    **{op: Text(*pattern) for op, pattern in INFIX.items()},
    "exp": Text("np.exp({0})"),
    "log": Text("np.log({0})"),
    "log1p": Text("np.log1p({0})"),
    "abs": Text("np.abs({0})"),
    **{op: Text(f"np.{op}({{0}})") for op in "expm1 sqrt sin cos sign floor".split()},
    "softplus": Text("np.logaddexp({0}, 0)"),
    "minimum": Text("np.minimum({0}, {1})"),
    "maximum": Text("np.maximum({0}, {1})"),
    "where": Text("np.where({0}, {1}, {2})"),
    "spread": Text("np.full_like({1}, {0})"),
    "norm": Text("float(np.linalg.norm({0}))"),
    "relu": Text("np.maximum({0}, 0)"),
    "tanh": Text("np.tanh({0})"),
    **{op: Text(f"{op}({{0}})") for op in HELPERS},
    "double": Text("{0}.astype(np.float64)", ATOM, _METHOD),
    "rounded": Text("{0}.astype({1}.dtype, copy=False)", ATOM, (ATOM, ATOM)),
    "argmax": Text("{0}.argmax(axis={axis}, keepdims=True)", ATOM, _METHOD),
    "pick": Text("np.take_along_axis({0}, {1}, axis={axis})"),
    "minus_one_hot": Text("{0} - ({1} == np.arange({width}))", SUM, (SUM, SUM)),
    "minus_hot": Text("{0} - {height} * ({1} == np.arange({width}))", SUM, (SUM, SUM)),
    "concat": Text("np.concatenate([{all}], axis={axis})"),
    "part": Text("{0}[:, {start}:{stop}]", ATOM, _METHOD),
    "reshape": Text("{0}.reshape(-1, {width})", ATOM, _METHOD),
    "swap": Text(
        "{0}.reshape(-1, {size}, {width}).swapaxes(1, 2).reshape(-1, {size})",
        ATOM,
        _METHOD,
    ),
    "sum": Text("{0}.sum(axis={axis}{keep})", ATOM, _METHOD),
    "mean_over": Text("{0}.mean(axis={axis}{keep})", ATOM, _METHOD),
    "rsqrt": Text("1 / np.sqrt({0})", PRODUCT),
    "mean": Text("np.mean({0})"),
    "total": Text("np.sum({0})"),
    "share": Text("np.mean({0})"),
    "count": Text("{0}.size", ATOM, _METHOD),
    "mm": Text("{0} @ {1}", PRODUCT, (PRODUCT, POWER)),
    "transpose": Text("{0}.T", ATOM, _METHOD),
}
"""What computes with arrays."""

NUMPY = Language(
    name="numpy",
    tensor=ARRAY,
    scalar=NUMBERS,
    words=replace(
        ARRAY_WORDS,
        needs=(
            "It needs NumPy alone (to save and load, safetensors too): every derivative is"
            " written out below, beside its derivation."
        ),
    ),
    imports=frozenset({"numpy", "safetensors"}),
    helpers=HELPERS,
    printer=ExpressionPrinter,
    columns=False,
    descends="never",
    copies=False,
    workspace=False,
)
