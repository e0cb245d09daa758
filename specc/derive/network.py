"""Lowers the layers of a Model: the network in training and prediction, and its running statistics.

A sample's leading axes join the batch, so every Program sees matrices: samples are rows, the last
axis is the other one. A layer whose features lie along another axis receives them along the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from specc.calculus.notation import mathematics
from specc.ir import formulas
from specc.ir.program import Program, in_order, verify
from specc.ir.value import (
    Origin,
    Shape,
    Value,
    argument,
    role,
)
from specc.library.network.layers import Join, Layer, View
from specc.library.network.norms import Standardize
from specc.model.model import Model, Node
from specc.model.on_rows import joined_on_rows, kept_of, on_rows


def identifier(name: str) -> str:
    """Return a dotted name of a layer or parameter as one Python name."""
    return name.replace(".", "_")


def network(model: Model, nodes: tuple[Node, ...], training: bool) -> Program:
    """Lower the layers, in their form for training or for prediction."""
    source = _source(model)
    first = model.first_views
    if model.standardize is not None:
        first = 1 + model.nodes.index(model.standardize)
    values: list[Value] = []
    inputs: list[Value] = [source]
    drawn: list[Value] = []
    for i, node in enumerate(nodes):
        given = [values[i] if i >= 0 else source for i in node.inputs]
        own = _given(node)
        inputs += own.values()
        if i < first:
            x = source
        elif isinstance(node.layer, View):
            rows, width = model.rows(node.output_shape)
            x = formulas.reshape(given[0], rows.each, width)
        elif isinstance(node.layer, Join):
            x = joined_on_rows(node, node.layer, given)
        elif training:
            mask = _mask(node, given[0])
            drawn += mask.values()
            x = on_rows(node, node.layer.train, given[0], own | mask)
        else:
            x = on_rows(node, node.layer.lower, given[0], own)
        if x not in given:
            x = _named(x, node, given)
        values.append(x)
    last = identifier(nodes[-1].name)
    if x.name != last and x is not source:  # of a layer that only training has
        x = replace(x, name=last)
    program = Program("forward", (), ((x.name, x),))
    read = set(program.values)
    used = [v for v in (*inputs, *drawn) if v in read or role(v) == "parameter"]
    name = "forward" if training else "evaluation_forward"
    return replace(
        program, name=name, inputs=(source, *(v for v in used if v is not source))
    )


def _source(model: Model) -> Value:
    """Return the input of the network: samples, perhaps standardized."""
    node, shape = model.standardize, model.rows(model.row_shape)
    name = model.input.name if node is None else identifier(node.name)
    return argument(name, shape)


def _given(node: Node) -> dict[str, Value]:
    """Return a layer's parameters and buffers as arguments, by their short names."""
    shapes = {short: ("parameter", p.shape) for short, p in node.parameters.items()}
    shapes |= {short: ("buffer", b.shape) for short, b in node.buffers.items()}
    return {
        short: _argument(node, short, kind, shape)
        for short, (kind, shape) in shapes.items()
    }


def _mask(node: Node, x: Value) -> dict[str, Value]:
    """Return the dropout mask of a layer as an argument, by its short name."""
    if not node.layer.dropped:
        return {}
    return {"mask": _argument(node, "mask", "mask", x.shape)}


def _argument(node: Node, short: str, kind: str, shape: Shape) -> Value:
    symbol = node.layer.symbols.get(short, short) if kind == "parameter" else ""
    return Value(
        "input",
        attrs=(("role", kind), *([("symbol", symbol)] if symbol else [])),
        shape=shape,
        name=identifier(f"{node.name}.{short}"),
        origins=(origin_of(node),),
    )


def _named(value: Value, node: Node, given: Sequence[Value]) -> Value:
    """Name the result of a layer and its named parts: `silu1`, `silu1_sigmoid`."""
    name, origins = identifier(node.name), (origin_of(node),)
    new: dict[Value, Value] = {each: each for each in given}
    for part in in_order([value], beside=given):
        if part.op in ("input", "const"):
            new[part] = part
            continue
        called = f"{name}_{part.name}" if part.name else ""
        args = tuple(new[arg] for arg in part.args)
        new[part] = replace(part, args=args, name=called, origins=origins)
    return replace(new[value], name=name)


def differs(model: Model) -> bool:
    """True if training and prediction have different networks."""
    return any(
        node.layer.dropped or type(node.layer).train is not Layer.train
        for node in model.nodes
    )


def tracking(model: Model, forward: Program) -> Program | None:
    """Return the Program that updates running statistics from Values of `forward`."""
    parts = {value.name: value for value in forward.values}
    batch = argument("batch")
    inputs: dict[str, Value] = {}
    outputs: list[tuple[str, Value]] = []
    for node in model.nodes:
        given = _given(node)
        for short in kept_of(node):
            part = parts.get(identifier(f"{node.name}.{short}"))
            if part is not None and part.op != "input":
                given[short] = argument(part.name, part.shape)
        rows = node.numbers_of_feature
        seen = batch if rows == 1 else batch * rows
        for short, value in node.layer.tracked(given, seen).items():
            name = given[short].name
            made = f"{name} = {mathematics(value)}"
            made = made.replace(f"{identifier(node.name)}_", "")
            owned = replace(value, origins=(origin_of(node),), derivation=made)
            outputs.append((name, owned))
    if not outputs:
        return None
    program = Program("track", (), tuple(outputs))
    inputs = {v.name: v for v in program.values if v.op == "input"}
    return verify(replace(program, inputs=tuple(inputs.values())), "lower")


def standardizing(model: Model) -> Program | None:
    """Lower the standardization of samples; None where the network has none."""
    node = model.standardize
    if node is None:
        return None
    x = argument(model.input.name, model.rows(model.row_shape))
    given = _given(node)
    value = replace(node.layer.lower(x, given), name=identifier(node.name))
    program = Program("standardize", (x, *given.values()), ((value.name, value),))
    return verify(program, "lower")


def measuring(model: Model) -> Program | None:
    """Lower the measurement of mean and standard deviation."""
    node = model.standardize
    if node is None or not isinstance(node.layer, Standardize):
        return None
    shape = model.rows(model.row_shape)
    x, origin = argument(model.input.name, shape), argument("origin", shape[1:])
    kept = _given(node)["std"]
    made = node.layer.measured(x, origin, kept)
    outputs = tuple(
        (identifier(f"{node.name}.{short}"), value) for short, value in made.items()
    )
    return verify(Program("measure", (x, origin, kept), outputs), "lower")


def origin_of(node: Node) -> Origin:
    """Return the layer of the spec that a Value comes from."""
    return Origin(identifier(node.name), str(node.use), node.line)
