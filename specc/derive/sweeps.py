"""The derivatives of a network: by its parameters, by its input, by one argument of a formula.

Takes lowered Programs in the layout of the target; returns verified Programs. Invariant: the
gradient of a parameter is the last Value that reads the parameter where the pass accumulates.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from specc.calculus.reverse import differentiate, outside, saved
from specc.derive.derived import Pass
from specc.ir.program import Program, verify
from specc.ir.value import Value, role
from specc.passes.descend import descend


def parameters_of(forward: Program) -> tuple[Value, ...]:
    """Return the parameters among the arguments of a network."""
    return tuple(v for v in forward.inputs if role(v) == "parameter")


def differentiated(forward: Program, accumulates: bool) -> Pass:
    """Differentiate a network by its parameters and its input.

    With `accumulates`, gradients are added to what is there, if no parameter is read too late.
    """
    verify(forward, "layout")
    prefix = forward.name.removesuffix("forward")
    x = forward.inputs[0]
    parameters = parameters_of(forward)
    layers = [list(group) for _, group in groupby(parameters, _layer)]
    wrt = _descending(forward, layers) if accumulates else _last_first(layers)
    everything = differentiate(forward, (*wrt, x), f"{prefix}backward")
    *gradients, (d_input, by_input) = everything.outputs
    name = f"{prefix}input_backward"
    whole = Program(name, everything.inputs, ((d_input, by_input),))
    gradients += _read_later(replace(everything, outputs=tuple(gradients)), whole)
    backward = arguments(replace(everything, outputs=tuple(gradients)))
    added = descend(backward, parameters) if accumulates else None
    return Pass(
        forward=verify(saved(forward, arguments(everything)), "differentiate"),
        backward=backward if added is None else verify(added, "descend"),
        input_gradient=verify(_keeping(whole, backward), "differentiate"),
        accumulates=added is not None,
    )


def by_argument(program: Program, name: str) -> Program:
    """Differentiate by the first argument, from dL/d(the result), which comes last."""
    made = differentiate(program, program.inputs[:1], name)
    ordered = sorted(made.inputs, key=lambda v: v.name.startswith("d_"))
    return replace(made, inputs=tuple(ordered))


def _last_first(layers: list[list[Value]]) -> list[Value]:
    """Order the parameters by their layers, from the last to the first."""
    return [value for layer in reversed(layers) for value in layer]


def _descending(forward: Program, layers: list[list[Value]]) -> list[Value]:
    """Order the parameters so that each follows the derivatives passed on through its layer."""
    owner = {parameter: _layer(parameter) for layer in layers for parameter in layer}
    below: dict[Value, dict[Value, None]] = {}
    """Value -> the nearest results of layers with parameters that it depends on."""
    through: dict[str, list[Value]] = {}
    for value in forward.values:
        found: dict[Value, None] = {}
        for arg in value.args:
            found |= below.get(arg, {})
        plain = (v.args[0] if v.op == "transpose" else v for v in value.args)
        used = [owner[v] for v in plain if v in owner and value.op != "transpose"]
        if used:
            through.setdefault(used[0], list(found))  # a norm uses two
        below[value] = {value: None} if used else found
    ordered = [[*reversed(through[_layer(layer[0])]), *layer] for layer in layers]
    return list(dict.fromkeys(_last_first(ordered)))


def _read_later(backward: Program, whole: Program) -> list[tuple[str, Value]]:
    """Return the Values that the input's derivative also reads, named so that they are kept."""
    read = set(outside(replace(whole, outputs=_nameless(whole)), backward).inputs)
    names = {value.name for value in read} - {name for name, _ in backward.outputs}
    over = {
        value.args[0] for value in backward.values if value.args and value.row.in_place
    }
    return [(v.name, v) for v in backward.values if v in over and v.name in names]


def _keeping(whole: Program, backward: Program) -> Program:
    """Return the Program that computes one more result from the Values that `backward` kept."""
    unnamed = expression(whole)
    assert unnamed is not None
    return outside(unnamed, backward)


def expression(program: Program | None) -> Program | None:
    """Remove the names of results, so that they are returned and not kept."""
    if program is None:
        return None
    return replace(program, outputs=_nameless(program))


def _nameless(program: Program) -> tuple[tuple[str, Value], ...]:
    return tuple((name, replace(v, name="")) for name, v in program.outputs)


def _layer(parameter: Value) -> str:
    return parameter.origins[0].layer


def arguments(program: Program) -> Program:
    """Return the Program with the arguments that its Values read, and no others."""
    inputs = tuple(v for v in program.values if v.op == "input")
    return replace(program, inputs=inputs)
