"""The operations under the names that formulas use, with the arguments that they need.

Formulas of layers, losses, metrics, schedules and optimizers are written with these functions and
the signs of arithmetic. Each returns a Value and computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.ir.program import in_order
from specc.ir.value import Value, apply, constant, rows_of


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
    """The largest integer that is not above x, elementwise, with derivative 0."""
    return apply("floor", x)


def relu(x: Value) -> Value:
    """max(x, 0), with derivative 0 at 0."""
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
    """|x|, elementwise, with derivative 0 at 0."""
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


def rounded(x: Value, like: Value) -> Value:
    """x as a number of the kind that `like` is: samples may be float64 where parameters are not."""
    return apply("rounded", x, like)


def where(holds: Value, a: Value | float, b: Value | float) -> Value:
    """Return a where it holds, else b, elementwise."""
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


def normalize(x: Value, mean: Value | float, rstd: Value, axis: int) -> Value:
    """(x - mean) rstd, with x's own mean and 1 / standard deviation along an axis.

    Where x is only scaled, the mean is 0 and the deviation is the root mean square.
    """
    return apply("normalize", x, mean, rstd, axis=axis)


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


def through(dy: Value, slope: Value, leaves: Mapping[str, Value]) -> Value:
    """dy times a slope; a slope with a choice becomes a choice between products."""
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
