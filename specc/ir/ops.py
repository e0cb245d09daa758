"""Every operation in one row: the type of its result, its derivative, what it is made of.

A derivative is one line of mathematics under one contract: `dy` is dL/dy, `y` the result, then the
arguments; it returns dL/d(each argument), None for an argument that moves nothing. Three things
no row says: broadcasting (the sweep sums over it, once for all), what to save (exactly what a line
mentions), the target (a composite's `expansion` names the primitive operations it is made of; it is
expanded after differentiation).
"""

from __future__ import annotations

import functools
import inspect
import math

from specc.ir import types
from specc.ir.formulas import (
    count,
    equal,
    exp,
    filled,
    greater,
    less,
    linear,
    log,
    log_softmax,
    mean,
    mean_over,
    mm,
    relu,
    sigmoid,
    softmax,
    sqrt,
    sum_over,
    through,
    transpose,
    where,
)
from specc.ir.value import OPS, Op, Value, apply, is_constant, named, rows_of


@functools.cache
def rules_of(op: str, count: int) -> tuple[str, ...]:
    """Return the names of the rules for the derivatives by `count` arguments: `mul.a`, `mul.b`."""
    derivative = OPS[op].derivative
    assert derivative is not None, f"{op} has no derivative"
    _, _, *parameters = inspect.signature(derivative).parameters.values()
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    any_number = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    names = names[:count] + any_number * (count - len(names))
    return tuple(f"{op}.{name}" for name in names)


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
    """dy where a < b, half of it where they are equal, as in torch."""
    return where(less(a, b), dy, where(equal(a, b), dy * 0.5, 0))


def _normalize_backward(dy: Value, y: Value, rstd: Value, axis: int) -> Value:
    by_mean = dy - mean_over(dy, axis=axis, keep=axis > 0)
    by_scale = y * mean_over(dy * y, axis=axis, keep=axis > 0)
    return (by_mean - by_scale) * rstd


def _normalize_slope(dy: Value, y: Value, mean: Value, rstd: Value, axis: int) -> Value:
    if not is_constant(mean, 0):
        return apply("normalize_backward", dy, y, rstd, axis=axis)
    return (dy - y * mean_over(dy * y, axis=axis, keep=axis > 0)) * rstd


def _parts(dy: Value, y: Value, *args: Value, axis: int) -> tuple[Value, ...]:
    found, start = [], 0
    for arg in args:
        size = arg.shape[axis]
        assert isinstance(size, int)
        found.append(apply("part", dy, axis=axis, start=start, stop=start + size))
        start += size
    return tuple(found)


_ERF_SLOPE = 2 / math.sqrt(math.pi)


def _leaves(names: tuple[str, ...], *args: Value) -> dict[str, Value]:
    """Return the leaves of a function; of prediction p and target t the residual is one."""
    leaves = dict(zip(names, args, strict=True))
    if names == ("p", "t"):
        leaves["residual"] = _residual(*args)
    return leaves


OPS |= {
    # Arithmetic.
    "add": Op(types.broadcast, lambda dy, y, a, b: (dy, dy), in_place=True),
    "sub": Op(types.broadcast, lambda dy, y, a, b: (dy, -dy), in_place=True),
    "mul": Op(types.broadcast, lambda dy, y, a, b: (dy * b, dy * a), in_place=True),
    "div": Op(
        types.broadcast, lambda dy, y, a, b: (dy / b, -dy * y / b), in_place=True
    ),
    "pow": Op(
        types.broadcast, lambda dy, y, a, b: (dy * b * a ** (b - 1), dy * y * log(a))
    ),
    "neg": Op(types.same, lambda dy, y, x: (-dy,), in_place=True),
    "exp": Op(types.same, lambda dy, y, x: (dy * y,), in_place=True),
    "log": Op(types.same, lambda dy, y, x: (dy / x,), in_place=True),
    "log1p": Op(types.same, lambda dy, y, x: (dy / (1 + x),), in_place=True),
    "expm1": Op(types.same, lambda dy, y, x: (dy * (y + 1),)),
    "expm1_below": Op(  # for x up to 0 alone: beyond, nobody asks, and nothing overflows
        types.same,
        lambda dy, y, x: (dy * (y + 1),),
        lambda x: apply("expm1", apply("minimum", x, 0)),
    ),
    "sqrt": Op(types.same, lambda dy, y, x: (dy / (2 * y),), in_place=True),
    "rsqrt": Op(
        types.same,
        lambda dy, y, x: (dy * (-0.5 * y**3),),
        lambda x: 1 / sqrt(x),
        in_place=True,
    ),
    "sin": Op(types.same, lambda dy, y, x: (dy * apply("cos", x),)),
    "cos": Op(types.same, lambda dy, y, x: (-dy * apply("sin", x),)),
    "erf": Op(types.same, lambda dy, y, x: (dy * (_ERF_SLOPE * exp(-(x**2))),)),
    "abs": Op(types.same, lambda dy, y, x: (dy * apply("sign", x),), in_place=True),
    "sign": Op(types.same, lambda dy, y, x: (None,)),
    "floor": Op(types.same, lambda dy, y, x: (None,)),
    "minimum": Op(
        types.broadcast,
        lambda dy, y, a, b: (_nearer(dy, a, b), _nearer(dy, b, a)),
        in_place=True,
    ),
    "maximum": Op(
        types.broadcast,
        lambda dy, y, a, b: (_nearer(dy, b, a), _nearer(dy, a, b)),
        in_place=True,
    ),
    "where": Op(
        lambda condition, a, b: types.broadcast(condition, a, b),
        lambda dy, y, c, a, b: (None, where(c, dy, 0), where(c, 0, dy)),
    ),
    # Activations; each derivative is written in the result, which backward has at hand.
    "relu": Op(types.same, lambda dy, y, x: (dy * greater(y, 0),), in_place=True),
    "tanh": Op(types.same, lambda dy, y, x: (dy * (1 - y**2),), in_place=True),
    "sigmoid": Op(types.same, lambda dy, y, x: (dy * y * (1 - y),), in_place=True),
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
    "double": Op(types.same, free=True),
    "rounded": Op(  # x as a number of the kind that `like` is
        lambda x, like: types.same(x), lambda dy, y, x, like: (dy, None), free=True
    ),
    "argmax": Op(lambda x, axis: (types.reduced(x, axis, keep=True)[0], "int")),
    "pick": Op(
        types.picked,
        lambda dy, y, x, i, axis: (apply("place", dy, x, i, axis=axis), None),
        free=True,
    ),
    "place": Op(lambda dy, x, i, axis: types.marked(x, i, axis), free=True),
    "minus_one_hot": Op(
        types.marked, lambda dy, y, x, i, axis: (dy, None), in_place=True, marks=True
    ),
    "minus_hot": Op(
        types.marked,
        lambda dy, y, x, i, axis, height: (dy, None),
        in_place=True,
        marks=True,
    ),
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
    # (x - mean) rstd with the mean and 1 / standard deviation of x itself along an axis, which
    # x moves too. The mean is 0 where x is only scaled.
    "normalize": Op(
        lambda x, mean, rstd, axis: types.broadcast(x, mean, rstd),
        lambda dy, y, x, mean, rstd, axis: (
            _normalize_slope(dy, y, mean, rstd, axis),
            None,
            None,
        ),
        lambda x, mean, rstd, axis: (x - mean) * rstd,
    ),
    "normalize_backward": Op(
        lambda dy, y, rstd, axis: types.broadcast(dy, y, rstd),
        expansion=_normalize_backward,
    ),
    "spread": Op(lambda dy, x, axis, keep: (x.shape, "real"), looks=True, free=True),
    # Rows of another width; `swap` turns every `size` rows into columns.
    "reshape": Op(
        types.reshaped,
        lambda dy, y, x, rows, width: (
            apply("reshape", dy, rows=rows_of(x.shape), width=x.shape[-1]),
        ),
        moves=True,
        looks=True,
        free=True,
    ),
    "swap": Op(
        types.swapped,
        lambda dy, y, x, size: (apply("swap", dy, size=x.shape[-1]),),
        moves=True,
        free=True,
    ),
    "concat": Op(types.joined, _parts, moves=True, free=True),
    "part": Op(types.part, moves=True, looks=True, free=True),
    "mean": Op(
        types.scalar,
        lambda dy, y, x: (apply("spread", dy / count(x), x, axis=None, keep=False),),
    ),
    "total": Op(
        types.scalar,
        lambda dy, y, x: (apply("spread", dy, x, axis=None, keep=False),),
    ),
    "norm": Op(types.scalar, lambda dy, y, x: (x * (dy / y),)),
    "count": Op(types.scalar, lambda dy, y, x: (None,), free=True),
    "share": Op(types.scalar, free=True),
    # Products. `with_ones` is [x; 1], `body` drops a last row, `weight_of` a last column.
    "mm": Op(
        types.product,
        lambda dy, y, a, b: (mm(dy, transpose(b)), mm(transpose(a), dy)),
    ),
    "transpose": Op(
        types.transposed,
        lambda dy, y, a: (transpose(dy),),
        view=True,
        looks=True,
        free=True,
    ),
    "with_ones": Op(
        lambda x: (types.resized(x.shape, 0, 1), "real"),
        lambda dy, y, x: (apply("body", dy),),
        view=True,
        looks=True,
        free=True,
    ),
    "body": Op(types.without(0), view=True, looks=True, free=True),
    "weight_of": Op(types.without(1), view=True, looks=True, free=True),
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
    "relu_backward": Op(
        types.broadcast, expansion=lambda dy, y: dy * greater(y, 0), in_place=True
    ),
    "tanh_backward": Op(
        types.broadcast, expansion=lambda dy, y: dy * (1 - y**2), in_place=True
    ),
    "sigmoid_backward": Op(
        types.broadcast, expansion=lambda dy, y: dy * y * (1 - y), in_place=True
    ),
    "add_scaled": Op(
        types.broadcast, expansion=lambda x, y, a: x + a * y, in_place=True
    ),
    "square": Op(types.same, expansion=lambda x: x**2),
    "addcmul": Op(
        types.broadcast, expansion=lambda x, y, z, a: x + a * (y * z), in_place=True
    ),
    "addcdiv": Op(
        types.broadcast, expansion=lambda x, y, z, a: x + a * (y / z), in_place=True
    ),
    "plus_quotient": Op(types.broadcast, expansion=lambda x, y, z: y / z + x),
    "flat": Op(types.flat, view=True, looks=True, free=True),
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
