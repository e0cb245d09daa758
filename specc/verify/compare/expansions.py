"""A second derivation of gradients, from elementary operations.

Takes a checked Model, its parameters and a batch, returns loss and gradients. Every operation with
an expansion is expanded before it is differentiated, where the compiler differentiates first, and
the result is evaluated operation by operation. So a formula such as softmax(z) - one_hot(t) is
compared with the derivatives of exp and log. Invariant: no derivative of a composite is used.
Everything is float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specc.calculus.reverse import Guard, differentiate, saved
from specc.derive.lower import Lowered, lower
from specc.derive.network import identifier
from specc.ir.formulas import equal, where
from specc.ir.program import Program, verify
from specc.ir.rewrite import rewrite
from specc.ir.value import OPS, Value, constant, role, width_of
from specc.model.model import Model
from specc.passes.expand import expand
from specc.verify.reference.interpreter import evaluate

ELEMENTARY = frozenset({"input", "const"}).union(
    name for name, op in OPS.items() if op.expansion is None
)
"""The operations without an expansion."""

Numbers = NDArray[Any]


def mechanical(
    model: Model,
    state: Mapping[str, Numbers],
    x: Numbers,
    y: Numbers,
    masks: Mapping[str, Numbers] | None = None,
) -> tuple[float, dict[str, Numbers]]:
    """Return the loss of a batch, and its gradients by the names of an emitted module.

    `x` is (n, *input) and `y` (n, *target); `state` has parameters and buffers by their full names.
    With `masks`, the scaled masks of dropout (0 or 1 / (1 - rate)) by layer, the network is in
    training.
    """
    lowered = lower(model)
    program, source = _whole(model, lowered, training=masks is not None)
    given = {"x": x, "y": y}
    arrays = {identifier(name): value for name, value in state.items()}
    arrays |= {identifier(f"{name}.mask"): m for name, m in (masks or {}).items()}
    for value in program.inputs:
        numbers = given.get(value.name, arrays.get(value.name))
        assert numbers is not None, f"nothing is given for {value.name}"
        if role(value) not in ("parameter", "buffer"):
            arrays[value.name] = numbers.reshape(-1, width_of(value.shape))
    parameters = [v for v in program.inputs if role(v) == "parameter"]
    wanted = (*parameters, source)
    guard = _guard(program)
    backward = differentiate(program, wanted, "backward", constant(1), guard)
    batch = len(x) * model.positions
    kept = evaluate(saved(program, backward), arrays, batch)
    loss = kept[program.outputs[0][0]]
    found = evaluate(backward, arrays | kept, batch)
    zero = {f"d_{v.name}": np.zeros_like(arrays[v.name]) for v in wanted}
    found = zero | found
    gradients = {
        name: found[f"d_{identifier(name)}"].reshape(p.shape)
        for name, p in model.parameters.items()
    }
    gradients[model.input.name] = found["d_x"].reshape(x.shape)
    return float(loss), gradients


def _guard(program: Program) -> Guard:
    """Return a guard that blocks derivatives of branches that are not taken, which may be infinite.

    A value inside a branch is on no other path to the loss.
    """
    users: dict[Value, list[tuple[Value, int]]] = {}
    for value in program.values:
        for place, arg in enumerate(value.args):
            users.setdefault(arg, []).append((value, place))
    inside: set[Value] = set()
    for value in reversed(program.values):
        uses = users.get(value, [])
        if uses and all(
            user in inside or (user.op == "where" and place > 0) for user, place in uses
        ):
            inside.add(value)

    def guard(part: Value, dy: Value, y: Value) -> Value:
        if y in inside and part.shape == dy.shape:
            return where(equal(dy, 0), 0, part)
        return part

    return guard


def _whole(model: Model, lowered: Lowered, training: bool) -> tuple[Program, Value]:
    """Return standardization, network and loss as one elementary Program, and its input."""
    network = lowered.forward
    if not training and lowered.evaluation is not None:
        network = lowered.evaluation
    last, target = lowered.loss.inputs
    source = network.inputs[0]
    x = replace(source, name="x")
    taken: dict[Value, Value] = {source: x}
    parts = [network]
    if lowered.standardize is not None:
        parts.insert(0, lowered.standardize)
        taken[lowered.standardize.inputs[0]] = x
    for program in parts:
        taken[source] = _over(program, taken).outputs[0][1]
    inside = {last: taken[source], target: replace(target, name="y")}
    program = _over(lowered.loss, inside)
    program = _numbered(expand(program, ELEMENTARY))
    inputs = tuple(v for v in program.values if v.op == "input")
    return verify(replace(program, name="whole", inputs=inputs), "mechanical"), x


def _numbered(program: Program) -> Program:
    """Return a Program in which every operation has a name, under which its value is saved."""
    new: dict[Value, Value] = {}
    for value in program.values:
        args = tuple(new[arg] for arg in value.args)
        named = value.op not in ("input", "const")
        name = f"{len(new)}" if named else value.name
        new[value] = replace(value, args=args, name=name) if named else value
    results = (new[value] for _, value in program.outputs)
    return replace(program, outputs=tuple((v.name, v) for v in results))


def _over(program: Program, taken: Mapping[Value, Value]) -> Program:
    """Return a Program with other Values for its arguments."""
    names = {value.name: new for value, new in taken.items()}
    return rewrite(program, lambda v: names.get(v.name, v) if v.op == "input" else v)
