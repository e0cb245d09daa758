"""Let the backward pass write beta g + alpha dL/dtheta, so that it can be a step of SGD itself.

In a wide network the gradients do not stay in the cache: to write them, and to read them again for
the update, costs as much as a product. With the parameters as g, beta 1 and alpha -lr the products
write the update. Invariant: no parameter is read after its own derivative was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specc.ir.formulas import scalar
from specc.ir.program import Program
from specc.ir.value import Value, apply, argument


def is_descent(update: Program) -> bool:
    """True if the update is theta - lr gradient and nothing else."""
    match [value for _, value in update.outputs]:
        case [Value(op="sub", args=(theta, Value(op="mul", args=(lr, gradient))))]:
            names = [value.name for value in (theta, lr, gradient)]
            return names == ["theta", "lr", "gradient"]
    return False


def descend(backward: Program, parameters: tuple[Value, ...]) -> Program | None:
    """Accumulate the derivative by every parameter; None where that cannot be."""
    wrt = {f"d_{value.name}": value for value in parameters}
    scalars = (scalar("beta"), scalar("alpha"))
    before: list[Value] = []
    outputs: list[tuple[str, Value]] = []
    for name, value in backward.outputs:
        if name in wrt:
            before.append(argument(name, value.shape))
            made = _accumulated(before[-1], value, scalars)
            if made is None:
                return None
            value = made
        outputs.append((name, value))
    inputs = (*backward.inputs, *before, *scalars)
    program = Program(backward.name, inputs, tuple(outputs))
    return program if _reads_in_time(program, wrt) else None


def _accumulated(
    before: Value, value: Value, scalars: tuple[Value, Value]
) -> Value | None:
    """Join a product, or a sum over samples, with what it is added to."""
    match value.op:
        case "mm":
            made = apply("accumulate_mm", before, *value.args, *scalars)
        case "sum" if value.attrs == (("axis", 0), ("keep", False)):
            made = apply("accumulate_sum", before, *value.args, *scalars)
        case _:
            return None
    return replace(made, origins=value.origins, derivation=value.derivation)


def _reads_in_time(program: Program, wrt: Mapping[str, Value]) -> bool:
    written: set[str] = set()
    results = {value: name for name, value in program.outputs}
    for value in program.values:
        if any(f"d_{arg.name}" in written for arg in value.args if arg.op == "input"):
            return False
        if results.get(value, "") in wrt:
            written.add(results[value])
    return True
