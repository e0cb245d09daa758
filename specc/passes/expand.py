"""Write composites as the operations that they are made of, down to those a target has."""

from __future__ import annotations

from dataclasses import replace

from specc.ir.program import Program
from specc.ir.rewrite import owned, rewrite
from specc.ir.value import OPS, Value


def expand(program: Program, primitive: frozenset[str]) -> Program:
    """Expand every operation that is not in `primitive`, what it expands to included."""

    def expanded(value: Value) -> Value:
        if value.op in primitive:
            return value
        expansion = OPS[value.op].expansion
        assert expansion is not None, f"no target text and no expansion: {value.op}"
        made = owned(
            expansion(*value.args, **dict(value.attrs)), value.args, value.origins
        )
        if made in value.args:
            return made
        return replace(
            made, name=value.name, origins=value.origins, derivation=value.derivation
        )

    while not primitive.issuperset(value.op for value in program.values):
        program = rewrite(program, expanded)
    return program
