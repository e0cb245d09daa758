"""Turn samples from rows into columns, and each linear layer's two parameters into one matrix.

In a small network every call costs more than its arithmetic. With samples as columns an activation
block is contiguous though it carries a last row of ones, so an affine map is one product
[W b] [x; 1], and so are both of its derivatives.
"""

from __future__ import annotations

from dataclasses import replace

from specc.ir.formulas import mm
from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Value, apply, batched


def layout(program: Program) -> Program:
    """Rewrite a Program of matrices with samples as rows into one with samples as columns."""
    matrices: dict[str, Value] = {}

    def turn(value: Value) -> Value:
        match value.op:
            case "const":
                return value
            case "input":
                return _turned(value) if batched(value.shape) else value
            case "linear":
                x, weight, bias = value.args
                units, width = weight.shape
                assert isinstance(width, int)
                name = weight.name.removesuffix("_weight") + "_matrix"
                matrix = Value(
                    "input",
                    attrs=(("role", "parameter"), ("symbol", "[W b]")),
                    shape=(units, width + 1),
                    name=name,
                    origins=weight.origins,
                )
                matrices[weight.name] = matrices[bias.name] = matrix
                return apply("affine", matrix, x)
            case "transpose" if value.args[0].op == "input":
                return value
            case "mm":
                x, transposed = value.args
                return mm(transposed.args[0], x)
        attrs = dict(value.attrs)
        if "axis" in attrs:
            attrs["axis"] = 1 - attrs["axis"]
        return apply(value.op, *value.args, **attrs)

    turned = rewrite(program, turn)
    found = {v.name: v for v in turned.values if v.op == "input"}
    inputs: dict[str, Value] = {}
    for value in program.inputs:
        new = matrices.get(value.name) or found.get(value.name) or value
        inputs[new.name] = new
    return replace(turned, inputs=tuple(inputs.values()))


def _turned(value: Value) -> Value:
    rows, columns = value.shape
    return replace(value, shape=(columns, rows))
