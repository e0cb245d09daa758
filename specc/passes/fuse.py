"""Replace expressions by the one operation that computes them in a single pass over memory.

Kernels that write to a buffer are for Values that have one, which are those with a name.
"""

from __future__ import annotations

from specc.ir import Program, Value, is_constant, rewrite
from specc.ops import apply


def fuse(program: Program) -> Program:
    """Fuse activation derivatives, scaled additions, and products with what is added to them."""
    def fused(value: Value) -> Value:
        match value:
            case Value(op="mul", args=(dy, Value(op="greater", args=(y, zero)))):
                if value.name and is_constant(zero, 0):
                    return apply("relu_backward", dy, y)
            case Value(op="mul", args=(dy, Value(op="sub", args=(one, rest)))):
                if value.name and is_constant(one, 1):
                    return _slope(value, dy, rest)
            case Value(op="add", args=(x, Value(op="mul", args=(y, a)))):
                if x.shape == y.shape != () == a.shape:
                    return apply("add_scaled", x, y, a)
            case Value(op="sub", args=(x, Value(op="mul", args=(y, a)))):
                if x.shape == y.shape != () == a.shape:
                    return apply("add_scaled", x, y, -a)
            case Value(op="add", args=(Value(op="mm", args=(a, b), name=""), c)):
                return apply("addmm", c, a, b)
        return value

    return rewrite(program, fused)


def _slope(value: Value, dy: Value, rest: Value) -> Value:
    """Recognize dy * (1 - y^2) of tanh and dy * y * (1 - y) of sigmoid."""
    if rest.op == "pow" and is_constant(rest.args[1], 2):
        return apply("tanh_backward", dy, rest.args[0])
    if dy.op == "mul" and dy.args[1] is rest:
        return apply("sigmoid_backward", dy.args[0], rest)
    return value
