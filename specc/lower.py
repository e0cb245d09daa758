"""Model -> Programs: what the spec says, as Values.

A sample's leading axes join the batch, so every Program sees matrices: samples are rows, the
last axis is the other one. A loss that swallows the last activation (`losses.FUSED`) is given
the logits, and that activation becomes a Program of its own, `output`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from specc import ops
from specc.derivation import mathematics
from specc.ir import (
    BATCH,
    Origin,
    Program,
    Value,
    argument,
    constant,
    named,
    owned,
    rewrite,
    verify,
)
from specc.library.entry import Use
from specc.library.layers import Join
from specc.library.losses import FUSED, reduced
from specc.library.settings import Train
from specc.model import Clause, Model, Node
from specc.passes.simplify import simplify

SYMBOLS = {"weight": "W", "bias": "b"}
"""What formulas call a parameter."""


@dataclass(frozen=True)
class Lowered:
    """A network in Programs, none of which knows a target."""

    forward: Program
    """input and parameters -> the last layer's value (logits, where the loss is fused)."""
    output: Program | None
    """logits -> prediction; None where the last layer's value is the prediction."""
    loss: Program
    """the last layer's value and the target -> the loss, a scalar."""
    metrics: tuple[Program, ...]
    """prediction and target -> the metric, a scalar; `metric_program` names each."""
    learning_rate: Program
    """t -> the rate."""
    update: Program
    """theta, gradient, lr, perhaps t (the updates before) and the optimizer's vectors
    -> theta and those vectors, new."""

    @property
    def programs(self) -> tuple[Program, ...]:
        """Every Program, in the order of a module."""
        output = () if self.output is None else (self.output,)
        first = (self.learning_rate, self.forward, *output, self.loss)
        return (*first, self.update, *self.metrics)


def lower(model: Model) -> Lowered:
    """Lower a checked model; every Program is verified."""
    fused = _is_fused(model)
    nodes = model.nodes[:-1] if fused else model.nodes
    forward = _forward(model, nodes)
    last = argument(forward.outputs[0][0], forward.outputs[0][1].shape)
    target = _target(model)
    loss = reduced(
        model.loss.use(last, target),
        model.loss.use["reduction"],
        math.prod(model.target.shape),
    )
    prediction = argument("prediction", last.shape)
    compared = ops.sigmoid(prediction) if gives_logits(model) else prediction
    return Lowered(
        forward=verify(forward, "lower"),
        output=_output(model.nodes[-1], last) if fused else None,
        loss=verify(
            Program(model.loss.use.entry.function, (last, target), (("loss", loss),)),
            "lower",
        ),
        metrics=tuple(
            verify(
                Program(
                    metric_program(model, metric),
                    (prediction, target),
                    (("metric", metric.use(compared, target)),),
                ),
                "lower",
            )
            for metric in model.metrics
        ),
        learning_rate=_learning_rate(model, argument("t"), _total(model)),
        update=_update(model),
    )


def metric_program(model: Model, metric: Clause) -> str:
    """Name the function of a metric: after it, unless the loss is called that."""
    name = metric.use.entry.name
    return f"{name}_metric" if name == model.loss.use.entry.name else name


def _is_fused(model: Model) -> bool:
    last = model.nodes[-1].use.entry.name
    return FUSED.get(model.loss.use.entry.name) == last


def gives_logits(model: Model) -> bool:
    """Tell whether the network gives logits of probabilities: metrics look at those."""
    return not _is_fused(model) and model.loss.use.entry.name == "binary_cross_entropy"


def identifier(name: str) -> str:
    """Make one Python name of a layer's or a parameter's dotted one."""
    return name.replace(".", "_")


def rows(shape: tuple[int, ...]) -> tuple[int | str, int]:
    """Give the shape of a batch as a matrix: leading axes of a sample join the batch."""
    return (BATCH, shape[-1])


def _forward(model: Model, nodes: tuple[Node, ...]) -> Program:
    x = argument(model.input.name, rows(model.row_shape))
    inputs = [x]
    values: list[Value] = []
    for node in nodes:
        given = [values[i] if i >= 0 else inputs[0] for i in node.inputs]
        parameters = {
            short: Value(
                "input",
                attrs=(("symbol", SYMBOLS.get(short, short)),),
                shape=parameter.shape,
                name=identifier(f"{node.name}.{short}"),
                origins=(_origin(node),),
            )
            for short, parameter in node.parameters.items()
        }
        inputs += parameters.values()
        if isinstance(node.layer, Join):
            x = node.layer.join(given)
        else:
            x = node.layer.lower(given[0], parameters)
        if x not in given:
            x = _named(x, node)
        values.append(x)
    return Program("forward", tuple(inputs), ((x.name, x),))


def _named(value: Value, node: Node) -> Value:
    """Name what a layer gives, and what its derivative reads again: `silu1_sigmoid`."""
    name = identifier(node.name)
    if value.op == "pointwise":
        x, *kept = value.args
        words = value.attribute("names")[1:]
        made = (
            replace(owned(part, [x], (_origin(node),)), name=f"{name}_{word}")
            for part, word in zip(kept, words, strict=True)
        )
        value = replace(value, args=(x, *made))
    return replace(value, name=name, origins=(_origin(node),))


def _origin(node: Node) -> Origin:
    return Origin(identifier(node.name), str(node.use), node.line)


def _target(model: Model) -> Value:
    if model.target.dtype == "int":
        return argument(model.target.name, (BATCH, 1), "int")
    return argument(model.target.name, rows(model.target.shape))


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
    return verify(replace(program, inputs=(*first, *read)), "lower")


def per_step(model: Model) -> bool:
    """Tell whether the schedule counts updates, not epochs."""
    return bool(model.schedule.use["per"] == "step")


def _total(model: Model) -> Value:
    """Give how many epochs there are; how many updates, only `fit` knows."""
    return argument("total") if per_step(model) else constant(model.train.epochs)


def rate_after(model: Model, epochs: int) -> float:
    """Give the learning rate after so many epochs; OverflowError where it is no number.

    A schedule that counts updates is asked as if an epoch had one.
    """
    program = _learning_rate(model, constant(epochs), constant(model.train.epochs))
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
