"""The derivative of what a network is made of: no hand-derived formula of a composite is read.

Takes a checked Model, its parameters and a batch, gives loss and gradients. Every operation that
has an expansion is written out before it is differentiated, where the compiler does it after, and
the result is evaluated operation by operation. A formula such as softmax(z) - one_hot(t) is so
measured against what softmax and the logarithm are. Everything is float64.
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
"""The operations that are made of no others."""

Numbers = NDArray[Any]


def mechanical(
    model: Model,
    state: Mapping[str, Numbers],
    x: Numbers,
    y: Numbers,
    masks: Mapping[str, Numbers] | None = None,
) -> tuple[float, dict[str, Numbers]]:
    """Return the loss of a batch, and its gradients by the names that an emitted module has.

    `x` is (n, *input) and `y` (n, *target); `state` has parameters and buffers by their full
    names. With `masks`, of each layer that drops what is kept (0 or 1 / (1 - rate)), it is the
    network in training.
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
    """Let nothing through a branch that is not taken, where a slope may be infinite.

    What only branches are made of is on no other way to the loss.
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
    """Join samples, network and loss in one Program of elementary operations; give its input."""
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
    """Return every operation a name of its own, under which its value is kept."""
    new: dict[Value, Value] = {}
    for value in program.values:
        args = tuple(new[arg] for arg in value.args)
        named = value.op not in ("input", "const")
        name = f"{len(new)}" if named else value.name
        new[value] = replace(value, args=args, name=name) if named else value
    results = (new[value] for _, value in program.outputs)
    return replace(program, outputs=tuple((v.name, v) for v in results))


def _over(program: Program, taken: Mapping[Value, Value]) -> Program:
    """Put other Values in the place of arguments."""
    names = {value.name: new for value, new in taken.items()}
    return rewrite(program, lambda v: names.get(v.name, v) if v.op == "input" else v)
