"""Lowers a Model: loss, metrics, schedule and optimizer as Programs.

Layers are lowered in `network.py`. A loss that includes the last activation (`losses.FUSED`) gets
the logits; the activation becomes a Program of its own, `output`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from specc.calculus.notation import mathematics
from specc.derive.measures import Made, Measure, measured
from specc.derive.network import (
    differs,
    identifier,
    measuring,
    network,
    origin_of,
    standardizing,
    tracking,
)
from specc.ir import formulas
from specc.ir.program import Program, verify
from specc.ir.rewrite import rewrite
from specc.ir.value import Value, argument, named
from specc.library.training.losses import FUSED, reduced
from specc.library.training.settings import Train
from specc.model.model import Model, Node
from specc.model.rate import learning_rate


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
    """True if the loss is a sum over the batch, False if it is a mean."""
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
    forward = network(model, nodes, training=True)
    evaluation = network(model, nodes, training=False)
    last = argument(forward.outputs[0][0], forward.outputs[0][1].shape)
    target = _target(model)
    loss = reduced(
        model.loss.use(last, target),
        model.loss.use["reduction"],
        math.prod(model.target.shape),
        target if target.dtype == "int" else last,
    )
    prediction = argument("prediction", last.shape)
    compared = formulas.sigmoid(prediction) if gives_logits(model) else prediction
    measures, summaries = measured(model, prediction, compared, target)
    return Lowered(
        forward=verify(forward, "lower"),
        evaluation=verify(evaluation, "lower") if differs(model) else None,
        track=tracking(model, forward),
        standardize=standardizing(model),
        measure=measuring(model),
        output=_output(model.nodes[-1], last) if fused else None,
        loss=verify(
            Program(model.loss.use.entry.function, (last, target), (("loss", loss),)),
            "lower",
        ),
        sums=sums(model),
        metrics=measures,
        summaries=summaries,
        learning_rate=learning_rate(model),
        update=_update(model),
    )


def sums(model: Model) -> bool:
    """True if the loss is a sum over the batch, False if it is a mean."""
    return bool(model.loss.use["reduction"] == "sum")


def _is_fused(model: Model) -> bool:
    last = model.nodes[-1]
    swallowed = FUSED.get(model.loss.use.entry.name) == last.use.entry.name
    return swallowed and not last.looks_across


def gives_logits(model: Model) -> bool:
    """True if the network returns logits, whose probabilities metrics compare."""
    return not _is_fused(model) and model.loss.use.entry.name == "binary_cross_entropy"


def _target(model: Model) -> Value:
    if model.target.dtype == "int":
        rows, _ = model.rows((*model.target.shape, 1))
        return argument(model.target.name, (rows, 1), "int")
    return argument(model.target.name, model.rows(model.target.shape))


def _output(node: Node, logits: Value) -> Program:
    prediction = replace(
        node.layer.lower(logits, {}),
        name=identifier(node.name),
        origins=(origin_of(node),),
    )
    outputs = ((prediction.name, prediction),)
    return verify(Program("output", (logits,), outputs), "lower")


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
    """Clip each element of the gradient, then its norm, as torch does."""
    if train.clip_value is not None:
        bounded = formulas.minimum(gradient, train.clip_value)
        gradient = named(
            formulas.maximum(bounded, -train.clip_value), "bounded_gradient"
        )
    if train.clip_norm is not None:
        shrinkage = train.clip_norm / (formulas.norm(gradient) + 1e-6)
        factor = named(formulas.minimum(1, shrinkage), "factor")
        gradient = named(factor * gradient, "clipped_gradient")
    return gradient


def _explained(update: Program) -> Program:
    """Attach to each new vector its formula, as a derivation."""
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
