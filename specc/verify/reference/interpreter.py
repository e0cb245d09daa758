"""Evaluates a Program in NumPy, in float64, with one line for each operation.

Takes a Program and arrays, returns its results. Invariant: it uses no target, pass or derivative.
Composites have lines of their own, so that an expansion is compared with something other than
itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from specc.ir.program import Program, in_order
from specc.ir.value import Rows, Shape, Value
from specc.verify.reference.missing import MissingReference

Array = Any
"""A NumPy array of float64, int64 or booleans."""


def evaluate(
    program: Program, arrays: Mapping[str, Array], batch: int = 1
) -> dict[str, Array]:
    """Return the results of a Program by name; every Value must have its declared shape."""
    found: dict[Value, Array] = {}
    for value in program.values:
        if value.op == "input":
            made = np.asarray(arrays[value.name])
        elif value.op == "const":
            made = np.asarray(value.attribute("value"), dtype=np.float64)
        else:
            operands = [found[arg] for arg in value.args]
            if value.op not in LINES:
                raise MissingReference("operation", value.op, "interpreter.py")
            made = np.asarray(LINES[value.op](*operands, **dict(value.attrs)))
        shape = concrete(value.shape, batch)
        assert made.shape == shape, f"{value.op} gives {made.shape}, declares {shape}"
        found[value] = made
    return {name: found[value] for name, value in program.outputs}


def concrete(shape: Shape, batch: int) -> tuple[int, ...]:
    """Return a shape with a number for the batch."""
    return tuple(d.each * batch if isinstance(d, Rows) else d for d in shape)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def log_softmax(x: Array, axis: int) -> Array:
    """Return log(softmax(x)) by its definition."""
    return x - logsumexp(x, axis, True)


def logsumexp(x: Array, axis: int, keep: bool) -> Array:
    """Return log(sum(exp(x))) without overflow."""
    total = np.asarray(np.logaddexp.reduce(x, axis=axis))
    return np.expand_dims(total, axis) if keep else total


def one_hot(x: Array, i: Array, axis: int) -> Array:
    """Return 1 at the index i along an axis, else 0."""
    places = np.arange(x.shape[axis]).reshape([-1 if a == axis else 1 for a in (0, 1)])
    return (places == i).astype(np.float64)


def spread(dy: Array, x: Array, axis: int | None, keep: bool) -> Array:
    """Return dy, which reduced an axis of x, repeated for each number of x."""
    if axis is not None and not keep:
        dy = np.expand_dims(dy, axis)
    return np.broadcast_to(dy, x.shape).copy()


def logistic(z: Array, t: Array) -> Array:
    """Return the cross entropy of the probabilities sigmoid(z)."""
    p = sigmoid(z)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()


def dense(x: Array, w: Array, b: Array, activation: str) -> Array:
    """A linear layer and its activation."""
    return LINES[activation](np.einsum("ni,oi->no", x, w) + b)


def accumulate_mm(c: Array, a: Array, b: Array, beta: Array, alpha: Array) -> Array:
    """beta c + alpha a b."""
    return beta * c + alpha * np.einsum("ij,jk->ik", a, b)


def pointwise(*args: Array, body: Value, slope: Value, names: tuple[str, ...]) -> Array:
    """Return a function of the spec, evaluated operation by operation."""
    leaves = dict(zip(names, args, strict=True))
    if names == ("p", "t"):
        leaves["residual"] = leaves["p"] - leaves["t"]
    found: dict[Value, Array] = {}
    for part in in_order([body]):
        if part.op in ("input", "const"):
            known = part.op == "input"
            found[part] = leaves[part.name] if known else part.attribute("value")
        else:
            found[part] = LINES[part.op](*(found[arg] for arg in part.args))
    return found[body]


def normalize_backward(dy: Array, y: Array, scale: Array, axis: int) -> Array:
    """Return the derivative of (x - mean) scale, where mean and scale depend on x."""
    n = dy.shape[axis]
    sums = [part.sum(axis=axis, keepdims=True) for part in (dy, dy * y)]
    return scale / n * (n * dy - sums[0] - y * sums[1])


LINES: dict[str, Callable[..., Array]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "neg": lambda x: -x,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "expm1_below": lambda x: np.expm1(np.minimum(x, 0)),
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "erf": np.vectorize(math.erf, otypes=[float]),
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "relu": lambda x: np.where(x > 0, x, 0.0),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "minimum": np.minimum,
    "maximum": np.maximum,
    "where": np.where,
    "pointwise": pointwise,
    "softmax": lambda x, axis: np.exp(log_softmax(x, axis)),
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "greater": lambda a, b: a > b,
    "less": lambda a, b: a < b,
    "greater_equal": lambda a, b: a >= b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
    "both": lambda a, b: (a != 0) & (b != 0),
    "double": lambda x: x,
    "rounded": lambda x, like: x,
    "argmax": lambda x, axis: x.argmax(axis=axis, keepdims=True),
    "pick": lambda x, i, axis: np.take_along_axis(x, i, axis),
    "place": lambda dy, x, i, axis: dy * one_hot(x, i, axis),
    "minus_one_hot": lambda x, i, axis: x - one_hot(x, i, axis),
    "minus_hot": lambda x, i, axis, height: x - height * one_hot(x, i, axis),
    "sum": lambda x, axis, keep: x.sum(axis=axis, keepdims=keep),
    "spread": spread,
    "total": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "norm": lambda x: np.sqrt((x * x).sum()),
    "reshape": lambda x, rows, width: x.reshape(-1, width),
    "swap": lambda x, size: np.concatenate(
        [x[i : i + size].T for i in range(0, len(x), size)]
    ),
    "concat": lambda *args, axis: np.concatenate(args, axis=axis),
    "part": lambda x, axis, start, stop: np.take(x, range(start, stop), axis=axis),
    "mean_over": lambda x, axis, keep: x.mean(axis=axis, keepdims=keep),
    "rsqrt": lambda x: x**-0.5,
    "normalize": lambda x, mean, scale, axis: x * scale - mean * scale,
    "normalize_backward": normalize_backward,
    "count": lambda x: np.float64(x.size),
    "share": lambda x: x.mean(),
    "mm": lambda a, b: a @ b,
    "transpose": lambda a: a.T,
    "with_ones": lambda x: np.vstack([x, np.ones((1, x.shape[1]))]),
    "body": lambda x: x[:-1],
    "weight_of": lambda m: m[:, :-1],
    "linear": lambda x, w, b: np.einsum("ni,oi->no", x, w) + b,
    "affine": lambda m, x: np.einsum("oi,in->on", m[:, :-1], x) + m[:, -1:],
    "mse": lambda p, t: ((p - t) ** 2).sum() / p.size,
    "binary_cross_entropy": logistic,
    "smoothed_cross_entropy": lambda z, t, axis, smoothing: -(
        (1 - smoothing) * np.take_along_axis(log_softmax(z, axis), t, axis).mean()
        + smoothing * log_softmax(z, axis).mean()
    ),
    "cross_entropy": lambda z, t, axis: (
        -(log_softmax(z, axis) * one_hot(z, t, axis)).sum() / t.size
    ),
    "relu_backward": lambda dy, y: np.where(y > 0, dy, 0.0),
    "tanh_backward": lambda dy, y: dy - dy * y * y,
    "sigmoid_backward": lambda dy, y: dy * (y - y * y),
    "add_scaled": lambda x, y, a: x + a * y,
    "square": lambda x: x * x,
    "addcmul": lambda x, y, z, a: x + a * y * z,
    "plus_quotient": lambda x, y, z: y / z + x,
    "addcdiv": lambda x, y, z, a: x + a * y / z,
    "flat": np.ravel,
    "dot": np.dot,
    "dense": dense,
    "wide_mm": lambda a, b: np.einsum("ij,jk->ik", a, b),
    "addmm": lambda c, a, b: c + np.einsum("ij,jk->ik", a, b),
    "accumulate_mm": accumulate_mm,
    "wide_accumulate_mm": accumulate_mm,
    "accumulate_sum": lambda c, x, beta, alpha: beta * c + alpha * x.sum(axis=0),
}
"""The formula of each operation."""
