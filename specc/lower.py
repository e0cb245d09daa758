"""Model -> Programs: what the spec says, as Values.

A sample's leading axes join the batch, so every Program sees matrices: samples are rows, the
last axis is the other one. A loss that swallows the last activation (`losses.FUSED`) is given
the logits, and that activation becomes a Program of its own, `output`.
"""

from __future__ import annotations

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
    rewrite,
    verify,
)
from specc.library.entry import Use
from specc.library.layers import Join
from specc.library.losses import FUSED
from specc.model import Model, Node
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
    """prediction and target -> the metric, a scalar; each is named after its metric."""
    learning_rate: Program
    """t -> the rate."""
    update: Program
    """theta, gradient, lr and the optimizer's vectors -> theta and those vectors, new."""

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
    loss = model.loss.use(last, target)
    prediction = argument("prediction", last.shape)
    compared = ops.sigmoid(prediction) if gives_logits(model) else prediction
    return Lowered(
        forward=verify(forward, "lower"),
        output=_output(model.nodes[-1], last) if fused else None,
        loss=verify(
            Program(model.loss.use.entry.name, (last, target), (("loss", loss),)),
            "lower",
        ),
        metrics=tuple(
            verify(
                Program(
                    metric.use.entry.name,
                    (prediction, target),
                    (("metric", metric.use(compared, target)),),
                ),
                "lower",
            )
            for metric in model.metrics
        ),
        learning_rate=_learning_rate(model, argument("t")),
        update=_update(model),
    )


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
            name = identifier(node.name)
            x = replace(x, name=name, origins=(_origin(node),))
        values.append(x)
    return Program("forward", tuple(inputs), ((x.name, x),))


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


def _learning_rate(model: Model, t: Value) -> Program:
    lr = constant(_rate(model.optimizer.use))
    total = constant(model.train.epochs)
    rate = model.schedule.use(lr, t, total)
    inputs = (t,) if t.op == "input" else ()
    return verify(Program("learning_rate", inputs, (("rate", rate),)), "lower")


def rate_after(model: Model, epochs: int) -> float:
    """Give the learning rate after so many epochs; OverflowError where it is no number."""
    program = _learning_rate(model, constant(epochs))
    rate: float = simplify(program).output("rate").attribute("value")
    return rate


def _rate(optimizer: Use) -> float:
    rate: float = optimizer["lr"]
    return rate


def _update(model: Model) -> Program:
    optimizer = model.optimizer.use()
    size = sum(_elements(p.shape) for p in model.parameters.values())
    theta = argument("theta", (size,))
    gradient = argument("gradient", (size,))
    lr = argument("lr")
    state = {name: argument(name, (size,)) for name in optimizer.state()}
    new, new_state = optimizer.update(theta, gradient, lr, state)
    outputs = (*new_state.items(), ("theta", new))
    inputs = (theta, gradient, lr, *state.values())
    program = Program("update", inputs, outputs)
    return verify(_explained(program), "lower")


def _explained(update: Program) -> Program:
    """Write beside each new vector the formula that it was made by."""
    names = {value: name for name, value in update.outputs}
    formulas = {}
    for value in update.values:
        name = names.get(value, value.name)
        if name and value.op != "input":
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
