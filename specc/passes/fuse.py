"""Replace expressions by the one operation that computes them in a single pass over memory.

Kernels that write to a buffer are for Values that have one, which are those with a name.
"""

from __future__ import annotations

from dataclasses import replace

from specc.ir.formulas import count, mm
from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Value, apply, batched, constant, is_constant

WIDE = 64
"""A product with no side shorter than this is left to the kernel for large ones."""


def fuse(program: Program, primitive: frozenset[str]) -> Program:
    """Fuse activation derivatives, scaled additions, and products with what is added to them.

    Only operations of `primitive` are made.
    """
    uses = program.uses()
    once = {value.name for value, count in uses.items() if count == 1}

    def fused(value: Value) -> Value:
        match value:
            case Value(op="mul", args=(dy, Value(op="greater", args=(y, zero)))):
                if value.name and is_constant(zero, 0):
                    return apply("relu_backward", dy, y)
            case Value(op="mul", args=(dy, Value(op="sub", args=(one, rest)))):
                if value.name and is_constant(one, 1):
                    return _slope(value, dy, rest)
            case Value(
                op="add",
                args=(x, Value(op="mul", args=(Value(op="square", args=(y,)), a))),
            ) if (
                "addcmul" in primitive
            ):
                if x.shape == y.shape != () == a.shape:
                    return apply("addcmul", x, y, y, a)
            case Value(op="add", args=(Value(op="div", args=(y, z)), x)):
                if batched(y.shape) and x.shape == z.shape == y.shape[1:]:
                    return apply("plus_quotient", x, y, z)
            case Value(op="add" | "sub", args=(x, Value(op="div", args=(y, z)))):
                return _quotient_added(value, x, y, z)
            case Value(op="add", args=(x, Value(op="mul", args=(y, a)))):
                if x.shape == y.shape != () == a.shape:
                    return apply("add_scaled", x, y, a)
            case Value(op="sub", args=(x, Value(op="mul", args=(y, a)))):
                if x.shape == y.shape != () == a.shape:
                    return apply("add_scaled", x, y, -a)
            case Value(op="add", args=(Value(op="mm", args=(a, b), name=""), c)):
                return apply("addmm", c, a, b)
            case Value(op="relu" | "tanh", args=(Value(op="addmm") as linear,)):
                if _is_wide(linear) and linear.name in once:
                    return _dense(linear, value)
            case Value(op="mm", args=(a, b)):
                if value.name and _is_wide(value):
                    return apply("wide_mm", a, b)
            case Value(op="accumulate_mm", args=(c, a, b, beta, alpha)):
                if _is_wide(mm(a, b)):
                    return apply("wide_accumulate_mm", c, a, b, beta, alpha)
            case Value(op="mean", args=(Value(op="square", args=(x,)),)):
                if x.op == "input" and "dot" in primitive:
                    flat = apply("flat", x)
                    return apply("dot", flat, flat) * (1 / count(x))
            case Value(op="pow", args=(x, two)) if x.shape and is_constant(two, 2):
                return apply("square", x)
            case Value(op="pow", args=(x, three)) if is_constant(three, 3):
                if x.name and x.shape and "square" not in primitive:
                    return x * x**2  # NumPy is quick at a square alone
        return value

    def known(value: Value) -> Value:
        made = fused(value)
        return made if made.op in primitive else value

    return rewrite(program, known)


def _quotient_added(value: Value, x: Value, y: Value, z: Value) -> Value:
    """Add a quotient of vectors, y / z or a y / z, in one pass."""
    factor = constant(1)
    if y.op == "mul" and not y.name and not y.args[1].shape:
        y, factor = y.args
    if not x.shape == y.shape == z.shape != ():
        return value
    return apply("addcdiv", x, y, z, factor if value.op == "add" else -factor)


def _is_wide(product: Value) -> bool:
    """True if no side is short; with samples as columns, products stay what they are."""
    first, second = product.args[-2:]
    turned = second.op == "transpose" and batched(second.shape)
    if turned or not isinstance(second.shape[1], int):
        return False
    sides = [d for arg in (first, second) for d in arg.shape if isinstance(d, int)]
    return min(sides) >= WIDE


def _dense(linear: Value, activation: Value) -> Value:
    """Join a wide linear layer with its activation."""
    bias, x, weight_t = linear.args
    made = apply("dense", x, weight_t.args[0], bias, activation=activation.op)
    return replace(made, origins=linear.origins + activation.origins)


def _slope(value: Value, dy: Value, rest: Value) -> Value:
    """Recognize dy * (1 - y^2) of tanh and dy * y * (1 - y) of sigmoid."""
    if rest.op == "square":
        return apply("tanh_backward", dy, rest.args[0])
    if dy.op == "mul" and dy.args[1] is rest:
        return apply("sigmoid_backward", dy.args[0], rest)
    return value
