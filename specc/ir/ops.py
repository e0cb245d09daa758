"""Every operation in one row: the type of its result, its derivative, what it is made of.

A derivative is one line of mathematics under one contract: `dy` is dL/dy, `y` the result, then the
arguments; it gives dL/d(each argument), None for an argument that moves nothing. Three things
no row says: broadcasting (the sweep sums over it, once for all), what to save (exactly what a line
mentions), the target (a composite's `expansion` names the primitive operations it is made of; it is
expanded after differentiation).
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specc.ir import types
from specc.ir.ir import Value, constant, in_order, is_constant, named, rows_of


@dataclass(frozen=True)
class Op:
    """One row."""

    type: Callable[..., types.Type]
    """Of the result, from the arguments and attributes."""
    derivative: Callable[..., tuple[Value | None, ...]] | None = None
    """None where the operation has none anywhere (a comparison) or is made after the sweep."""
    expansion: Callable[..., Value] | None = None


def result_type(op: str, args: tuple[Value, ...], attrs: dict[str, Any]) -> types.Type:
    """Give the shape and dtype of `op` on these arguments."""
    return OPS[op].type(*args, **attrs)


@functools.cache
def rules_of(op: str, count: int) -> tuple[str, ...]:
    """Name the rule for the derivative by each of so many arguments: `mul.a`, `mul.b`."""
    derivative = OPS[op].derivative
    assert derivative is not None, f"{op} has no derivative"
    _, _, *parameters = inspect.signature(derivative).parameters.values()
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    any_number = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    names = names[:count] + any_number * (count - len(names))
    return tuple(f"{op}.{name}" for name in names)


def apply(op: str, *args: Value | float, **attrs: Any) -> Value:
    """Make the Value of an operation; numbers become constants."""
    values = tuple(a if isinstance(a, Value) else constant(a) for a in args)
    shape, dtype = result_type(op, values, attrs)
    return Value(op, values, tuple(attrs.items()), shape, dtype)


# Parts of formulas that have a name, under which a step keeps them, or do not fit on a line.


def _residual(prediction: Value, target: Value) -> Value:
    return named(prediction - target, "residual")


def _log_p(z: Value, axis: int) -> Value:
    return named(log_softmax(z, axis=axis), "log_p")


def _cross_entropy(z: Value, t: Value, axis: int) -> Value:
    return -mean(apply("pick", _log_p(z, axis), t, axis=axis))


def _smoothed(z: Value, t: Value, axis: int, smoothing: float) -> Value:
    log_p = _log_p(z, axis)
    picked = mean(apply("pick", log_p, t, axis=axis))
    return -(picked * (1 - smoothing) + mean(log_p) * smoothing)


def _smoothed_gradient(z: Value, t: Value, axis: int, smoothing: float) -> Value:
    classes = z.shape[axis]
    assert isinstance(classes, int)
    p = exp(_log_p(z, axis)) - smoothing / classes
    return apply("minus_hot", p, t, axis=axis, height=1 - smoothing)


def _gemm(c: Value, a: Value, b: Value, beta: Value, alpha: Value) -> Value:
    return c * beta + mm(a, b) * alpha


def _logistic(z: Value, t: Value) -> Value:
    right = relu(z) * (1 - t) + relu(-z) * t  # relu(z) - z t, but inf - inf where z is
    return mean(right + apply("log1p", exp(-apply("abs", z))))


def _nearer(dy: Value, a: Value, b: Value) -> Value:
    """dy where a < b, half of it where they are equal, as torch has it."""
    return where(less(a, b), dy, where(equal(a, b), dy * 0.5, 0))


def _normalize_backward(dy: Value, y: Value, scale: Value, axis: int) -> Value:
    by_mean = dy - mean_over(dy, axis=axis, keep=axis > 0)
    by_scale = y * mean_over(dy * y, axis=axis, keep=axis > 0)
    return (by_mean - by_scale) * scale


def _normalize_slope(
    dy: Value, y: Value, mean: Value, scale: Value, axis: int
) -> Value:
    if not is_constant(mean, 0):
        return apply("normalize_backward", dy, y, scale, axis=axis)
    return (dy - y * mean_over(dy * y, axis=axis, keep=axis > 0)) * scale


def _parts(dy: Value, y: Value, *args: Value, axis: int) -> tuple[Value, ...]:
    found, start = [], 0
    for arg in args:
        size = arg.shape[axis]
        assert isinstance(size, int)
        found.append(apply("part", dy, axis=axis, start=start, stop=start + size))
        start += size
    return tuple(found)


_ERF_SLOPE = 2 / math.sqrt(math.pi)


def filled(expression: Value, leaves: Mapping[str, Value]) -> Value:
    """Write an expression of scalars over other Values, which may be arrays; leaves go by name."""
    new: dict[Value, Value] = {}
    for part in in_order([expression]):
        if part.op == "input":
            new[part] = leaves[part.name]
        elif part.op == "const":
            new[part] = part
        else:
            args = (new[arg] for arg in part.args)
            new[part] = apply(part.op, *args, **dict(part.attrs))
    return new[expression]


def _leaves(names: tuple[str, ...], *args: Value) -> dict[str, Value]:
    """Give the leaves of a function; of prediction p and target t the residual is one."""
    leaves = dict(zip(names, args, strict=True))
    if names == ("p", "t"):
        leaves["residual"] = _residual(*args)
    return leaves


def through(dy: Value, slope: Value, leaves: Mapping[str, Value]) -> Value:
    """dy times a slope; one that chooses chooses between products, one of them perhaps 0."""
    if slope.op == "const":
        number = slope.attribute("value")
        return constant(0) if number == 0 else dy if number == 1 else dy * number
    if slope.op == "where":
        condition, a, b = slope.args
        made = (through(dy, branch, leaves) for branch in (a, b))
        return where(filled(condition, leaves), *made)
    if slope.op == "neg":
        return -through(dy, slope.args[0], leaves)
    return dy * filled(slope, leaves)


OPS: dict[str, Op] = {
    # Arithmetic.
    "add": Op(types.broadcast, lambda dy, y, a, b: (dy, dy)),
    "sub": Op(types.broadcast, lambda dy, y, a, b: (dy, -dy)),
    "mul": Op(types.broadcast, lambda dy, y, a, b: (dy * b, dy * a)),
    "div": Op(types.broadcast, lambda dy, y, a, b: (dy / b, -dy * y / b)),
    "pow": Op(
        types.broadcast, lambda dy, y, a, b: (dy * b * a ** (b - 1), dy * y * log(a))
    ),
    "neg": Op(types.same, lambda dy, y, x: (-dy,)),
    "exp": Op(types.same, lambda dy, y, x: (dy * y,)),
    "log": Op(types.same, lambda dy, y, x: (dy / x,)),
    "log1p": Op(types.same, lambda dy, y, x: (dy / (1 + x),)),
    "expm1": Op(types.same, lambda dy, y, x: (dy * (y + 1),)),
    "expm1_below": Op(  # for x up to 0 alone: beyond, nobody asks, and nothing overflows
        types.same,
        lambda dy, y, x: (dy * (y + 1),),
        lambda x: apply("expm1", apply("minimum", x, 0)),
    ),
    "sqrt": Op(types.same, lambda dy, y, x: (dy / (2 * y),)),
    "rsqrt": Op(
        types.same, lambda dy, y, x: (dy * (-0.5 * y**3),), lambda x: 1 / sqrt(x)
    ),
    "sin": Op(types.same, lambda dy, y, x: (dy * apply("cos", x),)),
    "cos": Op(types.same, lambda dy, y, x: (-dy * apply("sin", x),)),
    "erf": Op(types.same, lambda dy, y, x: (dy * (_ERF_SLOPE * exp(-(x**2))),)),
    "abs": Op(types.same, lambda dy, y, x: (dy * apply("sign", x),)),
    "sign": Op(types.same, lambda dy, y, x: (None,)),
    "floor": Op(types.same, lambda dy, y, x: (None,)),
    "minimum": Op(
        types.broadcast, lambda dy, y, a, b: (_nearer(dy, a, b), _nearer(dy, b, a))
    ),
    "maximum": Op(
        types.broadcast, lambda dy, y, a, b: (_nearer(dy, b, a), _nearer(dy, a, b))
    ),
    "where": Op(
        lambda condition, a, b: types.broadcast(condition, a, b),
        lambda dy, y, c, a, b: (None, where(c, dy, 0), where(c, 0, dy)),
    ),
    # Activations; each derivative is written in the result, which backward has at hand.
    "relu": Op(types.same, lambda dy, y, x: (dy * greater(y, 0),)),
    "tanh": Op(types.same, lambda dy, y, x: (dy * (1 - y**2),)),
    "sigmoid": Op(types.same, lambda dy, y, x: (dy * y * (1 - y),)),
    "softmax": Op(
        types.same,
        lambda dy, y, x, axis: (y * (dy - sum_over(dy * y, axis=axis, keep=True)),),
        lambda x, axis: exp(log_softmax(x, axis=axis)),
    ),
    "log_softmax": Op(
        types.same,
        lambda dy, y, x, axis: (dy - exp(y) * sum_over(dy, axis=axis, keep=True),),
        lambda x, axis: x - apply("logsumexp", x, axis=axis, keep=True),
    ),
    "logsumexp": Op(
        types.reduced,
        lambda dy, y, x, axis, keep: (
            apply("spread", dy, x, axis=axis, keep=keep) * softmax(x, axis=axis),
        ),
    ),
    "softplus": Op(
        types.same,
        lambda dy, y, x: (dy * sigmoid(x),),
        lambda x: relu(x) + apply("log1p", exp(-apply("abs", x))),
    ),
    # A function of the spec: `body` in x and what is kept of it, `slope` in y and these too.
    "pointwise": Op(
        lambda x, *others, **attrs: types.broadcast(x, *others),
        lambda dy, y, x, *others, body, slope, names: (
            through(dy, slope, _leaves(names, x, *others) | {"y": y}),
            *(None for _ in others),
        ),
        lambda *args, body, slope, names: filled(body, _leaves(names, *args)),
    ),
    # Comparisons and indices.
    "greater": Op(types.truth),
    "less": Op(types.truth),
    "greater_equal": Op(types.truth),
    "less_equal": Op(types.truth),
    "equal": Op(types.truth),
    "not_equal": Op(types.truth),
    "both": Op(types.truth),
    "double": Op(types.same),
    "argmax": Op(lambda x, axis: (types.reduced(x, axis, keep=True)[0], "int")),
    "pick": Op(
        types.picked,
        lambda dy, y, x, i, axis: (apply("place", dy, x, i, axis=axis), None),
    ),
    "place": Op(lambda dy, x, i, axis: types.marked(x, i, axis)),
    "minus_one_hot": Op(types.marked, lambda dy, y, x, i, axis: (dy, None)),
    "minus_hot": Op(types.marked, lambda dy, y, x, i, axis, height: (dy, None)),
    # Reductions; `count` is the number of elements, `share` the part of them that is true.
    "sum": Op(
        types.reduced,
        lambda dy, y, x, axis, keep: (apply("spread", dy, x, axis=axis, keep=keep),),
    ),
    "mean_over": Op(
        types.reduced,
        lambda dy, y, x, axis, keep: (
            apply("spread", dy * (count(y) / count(x)), x, axis=axis, keep=keep),
        ),
    ),
    # (x - mean) scale, where both are those of x along an axis: x moves them too. The mean may
    # be 0, for what is scaled alone.
    "normalize": Op(
        lambda x, mean, scale, axis: types.broadcast(x, mean, scale),
        lambda dy, y, x, mean, scale, axis: (
            _normalize_slope(dy, y, mean, scale, axis),
            None,
            None,
        ),
        lambda x, mean, scale, axis: (x - mean) * scale,
    ),
    "normalize_backward": Op(
        lambda dy, y, scale, axis: types.broadcast(dy, y, scale),
        expansion=_normalize_backward,
    ),
    "spread": Op(lambda dy, x, axis, keep: (x.shape, "real")),
    # Rows of another width; `swap` turns every `size` rows into columns.
    "reshape": Op(
        types.reshaped,
        lambda dy, y, x, rows, width: (
            apply("reshape", dy, rows=rows_of(x.shape), width=x.shape[-1]),
        ),
    ),
    "swap": Op(
        types.swapped, lambda dy, y, x, size: (apply("swap", dy, size=x.shape[-1]),)
    ),
    "concat": Op(types.joined, _parts),
    "part": Op(types.part),
    "mean": Op(
        types.scalar,
        lambda dy, y, x: (apply("spread", dy / count(x), x, axis=None, keep=False),),
    ),
    "total": Op(
        types.scalar,
        lambda dy, y, x: (apply("spread", dy, x, axis=None, keep=False),),
    ),
    "norm": Op(types.scalar, lambda dy, y, x: (x * (dy / y),)),
    "count": Op(types.scalar, lambda dy, y, x: (None,)),
    "share": Op(types.scalar),
    # Products. `with_ones` is [x; 1], `body` drops a last row, `weight_of` a last column.
    "mm": Op(
        types.product,
        lambda dy, y, a, b: (mm(dy, transpose(b)), mm(transpose(a), dy)),
    ),
    "transpose": Op(types.transposed, lambda dy, y, a: (transpose(dy),)),
    "with_ones": Op(
        lambda x: (types.resized(x.shape, 0, 1), "real"),
        lambda dy, y, x: (apply("body", dy),),
    ),
    "body": Op(types.without(0)),
    "weight_of": Op(types.without(1)),
    "linear": Op(
        types.linear,
        lambda dy, y, x, w, b: (
            mm(dy, w),
            mm(transpose(dy), x),
            sum_over(dy, axis=0, keep=False),
        ),
        lambda x, w, b: mm(x, transpose(w)) + b,
    ),
    "affine": Op(
        types.affine,
        lambda dy, y, m, x: (
            mm(dy, transpose(apply("with_ones", x))),
            mm(transpose(apply("weight_of", m)), dy),
        ),
        lambda m, x: mm(m, apply("with_ones", x)),
    ),
    # Losses, each a mean; the target takes no derivative.
    "mse": Op(
        types.compared,
        lambda dy, y, p, t: (_residual(p, t) * (dy * 2 / count(p)), None),
        lambda p, t: mean(_residual(p, t) ** 2),
    ),
    "binary_cross_entropy": Op(
        types.compared,
        lambda dy, y, z, t: ((sigmoid(z) - t) * (dy / count(z)), None),
        _logistic,
    ),
    "cross_entropy": Op(
        lambda z, t, axis: ((), types.picked(z, t, axis)[1]),
        lambda dy, y, z, t, axis: (
            apply("minus_one_hot", exp(_log_p(z, axis)), t, axis=axis)
            * (dy / count(t)),
            None,
        ),
        _cross_entropy,
    ),
    # dL/dz = softmax(z) - ((1 - smoothing) one_hot(t) + smoothing / classes).
    "smoothed_cross_entropy": Op(
        lambda z, t, axis, smoothing: ((), types.picked(z, t, axis)[1]),
        lambda dy, y, z, t, axis, smoothing: (
            _smoothed_gradient(z, t, axis, smoothing) * (dy / count(t)),
            None,
        ),
        _smoothed,
    ),
    # What `fuse` makes of longer expressions; none of them meets the sweep.
    "relu_backward": Op(types.broadcast, expansion=lambda dy, y: dy * greater(y, 0)),
    "tanh_backward": Op(types.broadcast, expansion=lambda dy, y: dy * (1 - y**2)),
    "sigmoid_backward": Op(types.broadcast, expansion=lambda dy, y: dy * y * (1 - y)),
    "add_scaled": Op(types.broadcast, expansion=lambda x, y, a: x + a * y),
    "square": Op(types.same, expansion=lambda x: x**2),
    "addcmul": Op(types.broadcast, expansion=lambda x, y, z, a: x + a * (y * z)),
    "addcdiv": Op(types.broadcast, expansion=lambda x, y, z, a: x + a * (y / z)),
    "flat": Op(types.flat),
    "dot": Op(types.scalar),
    "dense": Op(
        lambda x, w, b, activation: types.linear(x, w, b),
        expansion=lambda x, w, b, activation: apply(activation, linear(x, w, b)),
    ),
    "wide_mm": Op(types.product, expansion=lambda a, b: mm(a, b)),
    # beta c + alpha (a result): what is added to is written over.
    "accumulate_mm": Op(types.accumulated, expansion=_gemm),
    "wide_accumulate_mm": Op(types.accumulated, expansion=_gemm),
    "accumulate_sum": Op(
        lambda c, x, beta, alpha: (c.shape, "real"),
        expansion=lambda c, x, beta, alpha: (
            c * beta + sum_over(x, axis=0, keep=False) * alpha
        ),
    ),
    "addmm": Op(
        lambda c, a, b: types.broadcast(c, mm(a, b)),
        expansion=lambda c, a, b: mm(a, b) + c,
    ),
}


# The operations under the names that formulas use.


def exp(x: Value) -> Value:
    """e^x, elementwise."""
    return apply("exp", x)


def log(x: Value) -> Value:
    """The natural logarithm, elementwise."""
    return apply("log", x)


def sqrt(x: Value) -> Value:
    """The square root, elementwise."""
    return apply("sqrt", x)


def cos(x: Value) -> Value:
    """The cosine, elementwise."""
    return apply("cos", x)


def norm(x: Value) -> Value:
    """The root of the sum of the squares of all elements, a scalar."""
    return apply("norm", x)


def floor(x: Value) -> Value:
    """The largest integer that is not above x, elementwise; of slope 0."""
    return apply("floor", x)


def relu(x: Value) -> Value:
    """max(x, 0), of slope 0 at 0."""
    return apply("relu", x)


def tanh(x: Value) -> Value:
    """The hyperbolic tangent, elementwise."""
    return apply("tanh", x)


def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x)), elementwise."""
    return apply("sigmoid", x)


def softmax(x: Value, axis: int) -> Value:
    """exp(x) / sum exp(x) along an axis, which counts the batch."""
    return apply("softmax", x, axis=axis)


def log_softmax(x: Value, axis: int) -> Value:
    """x - log sum exp(x) along an axis, which counts the batch."""
    return apply("log_softmax", x, axis=axis)


def expm1(x: Value) -> Value:
    """e^x - 1, elementwise, without cancellation."""
    return apply("expm1", x)


def erf(x: Value) -> Value:
    """The error function, elementwise."""
    return apply("erf", x)


def softplus(x: Value) -> Value:
    """log(1 + e^x), elementwise, without overflow."""
    return apply("softplus", x)


def abs(x: Value) -> Value:
    """|x|, elementwise; of slope 0 at 0."""
    return apply("abs", x)


def sign(x: Value) -> Value:
    """-1, 0 or 1, elementwise."""
    return apply("sign", x)


def less(a: Value, b: Value | float) -> Value:
    """[a < b]: 1 where it holds, else 0."""
    return apply("less", a, b)


def greater(a: Value, b: Value | float) -> Value:
    """[a > b]: 1 where it holds, else 0."""
    return apply("greater", a, b)


def equal(a: Value, b: Value | float) -> Value:
    """[a = b]: 1 where it holds, else 0."""
    return apply("equal", a, b)


def greater_equal(a: Value, b: Value | float) -> Value:
    """[a >= b]: 1 where it holds, else 0."""
    return apply("greater_equal", a, b)


def both(a: Value, b: Value) -> Value:
    """[a and b]: 1 where both hold, else 0."""
    return apply("both", a, b)


def double(x: Value) -> Value:
    """x in float64, whatever the model has."""
    return apply("double", x)


def where(holds: Value, a: Value | float, b: Value | float) -> Value:
    """Give a where it holds, else b, elementwise."""
    return apply("where", holds, a, b)


def minimum(a: Value | float, b: Value | float) -> Value:
    """The smaller one, elementwise."""
    return apply("minimum", a, b)


def maximum(a: Value | float, b: Value | float) -> Value:
    """The larger one, elementwise."""
    return apply("maximum", a, b)


def argmax(x: Value, axis: int) -> Value:
    """The index of the largest element along an axis, which stays with size 1."""
    return apply("argmax", x, axis=axis)


def mean(x: Value) -> Value:
    """The mean of all elements, a scalar."""
    return apply("mean", x)


def share(x: Value) -> Value:
    """The part of the elements that is true, a scalar."""
    return apply("share", x)


def count(x: Value) -> Value:
    """How many elements x has, a scalar."""
    return apply("count", x)


def sum_over(x: Value, axis: int, keep: bool) -> Value:
    """The sum along one axis, which stays with size 1 where `keep`."""
    return apply("sum", x, axis=axis, keep=keep)


def mean_over(x: Value, axis: int, keep: bool) -> Value:
    """The mean along one axis, which stays with size 1 where `keep`."""
    return apply("mean_over", x, axis=axis, keep=keep)


def concat(values: Sequence[Value], axis: int) -> Value:
    """The values one behind the other along an axis."""
    return apply("concat", *values, axis=axis)


def reshape(x: Value, rows: int, width: int) -> Value:
    """The same numbers in rows of another width, `rows` of them for each of the batch."""
    if x.op == "reshape" and not x.name:
        return reshape(x.args[0], rows, width)
    if (rows_of(x.shape), x.shape[-1]) == (rows, width):
        return x
    return apply("reshape", x, rows=rows, width=width)


def swap(x: Value, size: int) -> Value:
    """Every `size` rows turned into columns, one such matrix below the other."""
    width = x.shape[-1]
    assert isinstance(width, int)
    if 1 in (size, width):  # then the numbers stay in their order
        return reshape(x, rows_of(x.shape) * width // size, size)
    return apply("swap", x, size=size)


def rsqrt(x: Value) -> Value:
    """1 / sqrt(x), elementwise."""
    return apply("rsqrt", x)


def normalize(x: Value, mean: Value | float, scale: Value, axis: int) -> Value:
    """(x - mean) scale, of x's own mean along an axis, and of the inverse of its deviation.

    Where x is scaled alone, the mean is 0, and the deviation is that from 0.
    """
    return apply("normalize", x, mean, scale, axis=axis)


def mm(a: Value, b: Value) -> Value:
    """The product of two matrices."""
    return apply("mm", a, b)


def transpose(a: Value) -> Value:
    """The transpose of a matrix; of a transpose or a product, without turning it twice."""
    if a.op == "transpose" and not a.name:
        return a.args[0]
    if a.op == "mm" and not a.name:
        first, second = a.args
        return mm(transpose(second), transpose(first))
    return apply("transpose", a)


def linear(x: Value, weight: Value, bias: Value) -> Value:
    """x W^T + b: samples are rows."""
    return apply("linear", x, weight, bias)


def mse(prediction: Value, target: Value) -> Value:
    """mean (p - t)^2."""
    return apply("mse", prediction, target)


def binary_cross_entropy(logits: Value, target: Value) -> Value:
    """mean max(z, 0) - z t + log1p(exp(-|z|))."""
    return apply("binary_cross_entropy", logits, target)


def cross_entropy(logits: Value, target: Value) -> Value:
    """mean logsumexp(z) - z[t], over the last axis of z."""
    return apply("cross_entropy", logits, target, axis=len(logits.shape) - 1)


def number(value: float) -> Value:
    """A number."""
    return constant(value)


def smoothed_cross_entropy(logits: Value, target: Value, smoothing: float) -> Value:
    """Cross entropy against a target that gives `smoothing` to all classes alike."""
    axis = len(logits.shape) - 1
    return apply(
        "smoothed_cross_entropy", logits, target, axis=axis, smoothing=smoothing
    )


def scalar(name: str) -> Value:
    """A scalar argument, such as the learning rate."""
    return Value("input", name=name)
