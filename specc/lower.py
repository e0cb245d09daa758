"""Model -> Programs: what the spec says, as Values.

A sample's leading axes join the batch, so every Program sees matrices: samples are rows, the
last axis is the other one. A loss that swallows the last activation (`losses.FUSED`) is given
the logits, and that activation becomes a Program of its own, `output`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from specc import ops
from specc.derivation import mathematics
from specc.ir import (
    Origin,
    Program,
    Shape,
    Value,
    argument,
    constant,
    in_order,
    named,
    rewrite,
    role,
    rows_of,
    verify,
)
from specc.library.entry import Use
from specc.library.layers import Join, Layer, Standardize, View
from specc.library.losses import FUSED, reduced
from specc.library.schedules import REDUCTIONS
from specc.library.settings import Train
from specc.measures import Made, Measure, measured
from specc.model import BLOCKS, COLUMNS, Model, Node
from specc.passes.simplify import simplify

SYMBOLS = {"weight": "W", "bias": "b"}
"""What formulas call a parameter."""


@dataclass(frozen=True)
class Lowered:
    """A network in Programs, none of which knows a target."""

    forward: Program
    """input, parameters and masks -> the last layer's value in training (logits, where the loss
    is fused)."""
    evaluation: Program | None
    """input, parameters and buffers -> the last layer's value in prediction; None where training
    has the same."""
    track: Program | None
    """parts of `forward`, buffers and the size of the batch -> the buffers, new."""
    standardize: Program | None
    """the samples and their measures -> the input of the network."""
    measure: Program | None
    """training samples and the first of them -> their measures."""
    output: Program | None
    """logits -> prediction; None where the last layer's value is the prediction."""
    loss: Program
    """the last layer's value and the target -> the loss, a scalar."""
    sums: bool
    """Whether the loss is a sum over the batch, else it is a mean."""
    metrics: tuple[Measure, ...]
    """prediction and target -> a mean over samples."""
    summaries: tuple[Made, ...]
    """means over samples -> a metric."""
    learning_rate: Program
    """t -> the rate."""
    update: Program
    """theta, gradient, lr, perhaps t (the updates before) and the optimizer's vectors
    -> theta and those vectors, new."""

    @property
    def programs(self) -> tuple[Program, ...]:
        """Every Program, in the order of a module."""
        output = () if self.output is None else (self.output,)
        stateful = (self.measure, self.standardize, self.track, self.evaluation)
        others = (program for program in stateful if program is not None)
        first = (self.learning_rate, self.forward, *others, *output, self.loss)
        measures = [each.program for each in self.metrics]
        summaries = [each.program for each in self.summaries]
        return (*first, self.update, *measures, *summaries)


def lower(model: Model) -> Lowered:
    """Lower a checked model; every Program is verified."""
    fused = _is_fused(model)
    nodes = model.nodes[:-1] if fused else model.nodes
    forward = _forward(model, nodes, training=True)
    evaluation = _forward(model, nodes, training=False)
    last = argument(forward.outputs[0][0], forward.outputs[0][1].shape)
    target = _target(model)
    loss = reduced(
        model.loss.use(last, target),
        model.loss.use["reduction"],
        math.prod(model.target.shape),
        target if target.dtype == "int" else last,
    )
    prediction = argument("prediction", last.shape)
    compared = ops.sigmoid(prediction) if gives_logits(model) else prediction
    measures, summaries = measured(model, prediction, compared, target)
    return Lowered(
        forward=verify(forward, "lower"),
        evaluation=verify(evaluation, "lower") if differs(model) else None,
        track=_track(model, forward),
        standardize=_standardize(model),
        measure=_measure(model),
        output=_output(model.nodes[-1], last) if fused else None,
        loss=verify(
            Program(model.loss.use.entry.function, (last, target), (("loss", loss),)),
            "lower",
        ),
        sums=sums(model),
        metrics=measures,
        summaries=summaries,
        learning_rate=_learning_rate(model, argument("t"), _total(model)),
        update=_update(model),
    )


def sums(model: Model) -> bool:
    """Tell whether the loss is a sum over the batch, else it is a mean."""
    return bool(model.loss.use["reduction"] == "sum")


def _is_fused(model: Model) -> bool:
    last = model.nodes[-1]
    swallowed = FUSED.get(model.loss.use.entry.name) == last.use.entry.name
    return swallowed and not last.looks_across


def gives_logits(model: Model) -> bool:
    """Tell whether the network gives logits of probabilities: metrics look at those."""
    return not _is_fused(model) and model.loss.use.entry.name == "binary_cross_entropy"


def identifier(name: str) -> str:
    """Make one Python name of a layer's or a parameter's dotted one."""
    return name.replace(".", "_")


def _forward(model: Model, nodes: tuple[Node, ...], training: bool) -> Program:
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
            x = _reshaped(given[0], model.rows(node.output_shape))
        elif isinstance(node.layer, Join):
            x = _joined(node.layer, given, node, model)
        elif training:
            mask = _mask(node, given[0])
            drawn += mask.values()
            x = _across(node, given[0], lambda x: node.layer.train(x, own | mask))
        else:
            x = _across(node, given[0], lambda x: node.layer.lower(x, own))
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
    """Give what the network takes: samples, perhaps standardized."""
    node, shape = model.standardize, model.rows(model.row_shape)
    name = model.input.name if node is None else identifier(node.name)
    return argument(name, shape)


def _across(node: Node, x: Value, formula: Callable[[Value], Value]) -> Value:
    """Write a formula that finds features along the last axis, for those along another.

    Rows before that axis join the batch, axes behind it are moved in front of it.
    """
    if not node.looks_across:
        return formula(x)
    axis = node.layer.along % len(node.input_shape)
    features = node.input_shape[axis]
    behind = math.prod(node.input_shape[axis + 1 :])
    rows = ops.reshape(x, rows_of(x.shape) * _width(x) // behind, behind)
    columns = ops.swap(rows, features)
    if columns is not x:  # a copy of what has a name would be a second one
        columns = named(columns, COLUMNS[0])
    y = ops.swap(named(formula(columns), COLUMNS[1]), behind)
    return ops.reshape(y, rows_of(x.shape), _width(x))


def _joined(layer: Join, given: Sequence[Value], node: Node, model: Model) -> Value:
    """Join values along the axis that they are joined along."""
    if not node.looks_across:
        return layer.join(given)
    axis = layer.along % len(node.output_shape)
    blocks = math.prod(node.output_shape[:axis])
    whole = [
        ops.reshape(x, blocks, rows_of(x.shape) * _width(x) // blocks) for x in given
    ]
    joined = named(layer.join(whole), BLOCKS)
    return _reshaped(joined, model.rows(node.output_shape))


def _reshaped(x: Value, shape: tuple[str, int]) -> Value:
    return ops.reshape(x, rows_of(shape), shape[1])


def _width(x: Value) -> int:
    width = x.shape[-1]
    assert isinstance(width, int)
    return width


def _given(node: Node) -> dict[str, Value]:
    """Make arguments of what a layer has, by its short names."""
    shapes = {short: ("parameter", p.shape) for short, p in node.parameters.items()}
    shapes |= {short: ("buffer", b.shape) for short, b in node.buffers.items()}
    return {
        short: _argument(node, short, kind, shape)
        for short, (kind, shape) in shapes.items()
    }


def _mask(node: Node, x: Value) -> dict[str, Value]:
    """Make an argument of the mask of a layer that drops some of its input."""
    if not node.layer.dropped:
        return {}
    return {"mask": _argument(node, "mask", "mask", x.shape)}


def _argument(node: Node, short: str, kind: str, shape: Shape) -> Value:
    symbol = SYMBOLS.get(short, short) if kind == "parameter" else ""
    return Value(
        "input",
        attrs=(("role", kind), *([("symbol", symbol)] if symbol else [])),
        shape=shape,
        name=identifier(f"{node.name}.{short}"),
        origins=(_origin(node),),
    )


def _named(value: Value, node: Node, given: Sequence[Value]) -> Value:
    """Name what a layer gives, and the parts that it named: `silu1_sigmoid`."""
    name, origins = identifier(node.name), (_origin(node),)
    known = set(in_order(given))
    new: dict[Value, Value] = {}
    for part in in_order([value]):
        if part in known or part.op in ("input", "const"):
            new[part] = part
            continue
        called = f"{name}_{part.name}" if part.name else ""
        args = tuple(new[arg] for arg in part.args)
        new[part] = replace(part, args=args, name=called, origins=origins)
    return replace(new[value], name=name)


def differs(model: Model) -> bool:
    """Tell whether training has a network other than prediction has."""
    return any(
        node.layer.dropped or type(node.layer).train is not Layer.train
        for node in model.nodes
    )


def _track(model: Model, forward: Program) -> Program | None:
    """Move the buffers that layers keep of training, from what `forward` names."""
    parts = {value.name: value for value in forward.values}
    batch = argument("batch")
    inputs: dict[str, Value] = {}
    outputs: list[tuple[str, Value]] = []
    for node in model.nodes:
        given = _given(node)
        for short in node.kept:
            part = parts.get(identifier(f"{node.name}.{short}"))
            if part is not None and part.op != "input":
                given[short] = argument(part.name, part.shape)
        rows = node.numbers_of_feature
        seen = batch if rows == 1 else batch * rows
        for short, value in node.layer.tracked(given, seen).items():
            name = given[short].name
            made = f"{name} = {mathematics(value)}"
            made = made.replace(f"{identifier(node.name)}_", "")
            owned = replace(value, origins=(_origin(node),), derivation=made)
            outputs.append((name, owned))
    if not outputs:
        return None
    program = Program("track", (), tuple(outputs))
    inputs = {v.name: v for v in program.values if v.op == "input"}
    return verify(replace(program, inputs=tuple(inputs.values())), "lower")


def _standardize(model: Model) -> Program | None:
    node = model.standardize
    if node is None:
        return None
    x = argument(model.input.name, model.rows(model.row_shape))
    given = _given(node)
    value = replace(node.layer.lower(x, given), name=identifier(node.name))
    program = Program("standardize", (x, *given.values()), ((value.name, value),))
    return verify(program, "lower")


def _measure(model: Model) -> Program | None:
    node = model.standardize
    if node is None or not isinstance(node.layer, Standardize):
        return None
    shape = model.rows(model.row_shape)
    x, origin = argument(model.input.name, shape), argument("origin", shape[1:])
    made = node.layer.measured(x, origin)
    outputs = tuple(
        (identifier(f"{node.name}.{short}"), value) for short, value in made.items()
    )
    return verify(Program("measure", (x, origin), outputs), "lower")


def _origin(node: Node) -> Origin:
    return Origin(identifier(node.name), str(node.use), node.line)


def _target(model: Model) -> Value:
    if model.target.dtype == "int":
        rows, _ = model.rows((*model.target.shape, 1))
        return argument(model.target.name, (rows, 1), "int")
    return argument(model.target.name, model.rows(model.target.shape))


def _output(node: Node, logits: Value) -> Program:
    prediction = replace(
        node.layer.lower(logits, {}),
        name=identifier(node.name),
        origins=(_origin(node),),
    )
    outputs = ((prediction.name, prediction),)
    return verify(Program("output", (logits,), outputs), "lower")


def _learning_rate(model: Model, t: Value, total: Value) -> Program:
    lr = constant(_rate(model.optimizer.use))
    rate = model.schedule.use(lr, t, total)
    program = Program("learning_rate", (), (("rate", rate),))
    read = tuple(v for v in (t, total) if v.op == "input" and v in program.values)
    first = () if t.op != "input" or t in read else (t,)
    reductions = tuple(v for v in program.values if v.name == REDUCTIONS)
    return verify(replace(program, inputs=(*first, *read, *reductions)), "lower")


def per_step(model: Model) -> bool:
    """Tell whether the schedule counts updates, not epochs."""
    return bool(model.schedule.use["per"] == "step")


def _total(model: Model) -> Value:
    """Give how many epochs there are; how many updates, only `fit` knows."""
    return argument("total") if per_step(model) else constant(model.train.epochs)


def rate_after(model: Model, epochs: int) -> float:
    """Give the learning rate after so many epochs; OverflowError where it is no number.

    A schedule that counts updates is asked as if an epoch had one, one that reduces the rate as
    if it never had.
    """
    program = _learning_rate(model, constant(epochs), constant(model.train.epochs))
    program = rewrite(program, lambda v: constant(0) if v.name == REDUCTIONS else v)
    result = simplify(program).output("rate")
    if result.op != "const":
        raise OverflowError
    rate: float = result.attribute("value")
    return rate


def _rate(optimizer: Use) -> float:
    rate: float = optimizer["lr"]
    return rate


def _update(model: Model) -> Program:
    optimizer = model.optimizer.use()
    size = sum(_elements(p.shape) for p in model.parameters.values())
    theta = argument("theta", (size,))
    gradient = argument("gradient", (size,))
    lr, t = argument("lr"), argument("t")
    state = {name: argument(name, (size,)) for name in optimizer.state()}
    clipped = _clipped(gradient, model.train)
    new, new_state = optimizer.update(theta, clipped, lr, t, state)
    outputs = (*new_state.items(), ("theta", new))
    inputs = (theta, gradient, lr, t, *state.values())
    program = Program("update", inputs, outputs)
    if t not in program.values:
        program = replace(program, inputs=(theta, gradient, lr, *state.values()))
    return verify(_explained(program), "lower")


def _clipped(gradient: Value, train: Train) -> Value:
    """Bound every number of the gradient, then the length of it all, as torch does."""
    if train.clip_value is not None:
        bounded = ops.minimum(gradient, train.clip_value)
        gradient = named(ops.maximum(bounded, -train.clip_value), "bounded_gradient")
    if train.clip_norm is not None:
        shrinkage = train.clip_norm / (ops.norm(gradient) + 1e-6)
        factor = named(ops.minimum(1, shrinkage), "factor")
        gradient = named(factor * gradient, "clipped_gradient")
    return gradient


def _explained(update: Program) -> Program:
    """Write beside each new vector the formula that it was made by."""
    names = {value: name for name, value in update.outputs}
    formulas = {}
    for value in update.values:
        name = names.get(value, value.name)
        if name and value.shape and value.op != "input":
            formula = mathematics(replace(value, name=""), names)
            formulas[id(value)] = f"{name} = {formula}"
    order = iter(update.values)

    def explained(value: Value) -> Value:
        formula = formulas.get(id(next(order)), "")
        return replace(value, derivation=formula) if formula else value

    return rewrite(update, explained)


def _elements(shape: tuple[int, ...]) -> int:
    size = 1
    for dim in shape:
        size *= dim
    return size
