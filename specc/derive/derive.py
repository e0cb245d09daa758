"""From the lowered network to every Program of a module: the derivatives, and the layout.

Programs that one step runs (forward, loss gradient, backward) see samples as rows or as columns,
as the target chooses; those that look along an axis of many samples (output, loss, metrics) see
rows.
"""

from __future__ import annotations

from dataclasses import replace

from specc.calculus.notation import mathematics
from specc.calculus.reverse import differentiate, outside, saved
from specc.derive.derived import Derived
from specc.derive.lower import Lowered
from specc.derive.sweeps import (
    arguments,
    by_argument,
    differentiated,
    expression,
    parameters_of,
)
from specc.ir.program import Program, verify
from specc.ir.target import Target
from specc.ir.value import OPS, Shape, constant, role
from specc.passes.descend import is_descent
from specc.passes.expand import expand
from specc.passes.layout import layout
from specc.passes.simplify import simplify

WIDE = 16_384
"""A weight of more numbers than this makes arithmetic cost more than calls."""


def derive(lowered: Lowered, target: Target) -> Derived:
    """Choose the layout that the target wants, and differentiate."""
    parameters = parameters_of(lowered.forward)
    wide = any(_elements(v.shape) > WIDE for v in parameters)
    columns = target.columns and not wide and _turns(lowered)
    turn = layout if columns else _as_it_is
    loss = turn(lowered.loss)
    descending = {"never": False, "wide": wide, "always": True}[target.descends]
    descends = descending and is_descent(lowered.update)
    accumulates = descends or target.descends == "always"
    training = differentiated(turn(lowered.forward), accumulates)
    evaluation = None
    if lowered.evaluation is not None:
        evaluation = differentiated(turn(lowered.evaluation), accumulates)
    last = loss.inputs[0]
    loss_gradient = differentiate(
        loss, (last,), f"{loss.name}_gradient", seed=constant(1)
    )
    if lowered.sums:
        loss_gradient = _without_counts(loss_gradient)
    step_loss = _step_loss(loss, loss_gradient) if target.workspace else None
    if step_loss is not None:
        loss_gradient = saved(loss_gradient, step_loss)
    output_gradient = None
    if lowered.output is not None:
        output_gradient = by_argument(lowered.output, "output_gradient")
    forward = training.forward
    if lowered.track is not None:
        forward = verify(saved(forward, lowered.track), "differentiate")
    standardize_backward = None
    if lowered.standardize is not None:
        made = by_argument(lowered.standardize, "standardize_backward")
        standardize_backward = expression(made)
    return Derived(
        columns=columns,
        forward=forward,
        evaluation=evaluation,
        standardize=expression(lowered.standardize),
        standardize_backward=standardize_backward,
        measure=lowered.measure,
        track=lowered.track,
        output=expression(lowered.output),
        loss=lowered.loss,
        sums=lowered.sums,
        metrics=lowered.metrics,
        summaries=lowered.summaries,
        loss_gradient=loss_gradient,
        step_loss=step_loss,
        backward=training.backward,
        accumulates=training.accumulates,
        descends=training.accumulates and descends,
        input_gradient=training.input_gradient,
        output_gradient=expression(output_gradient),
        learning_rate=lowered.learning_rate,
        update=lowered.update,
    )


def _turns(lowered: Lowered) -> bool:
    """True if samples may be columns: every parameter is one of a linear layer.

    A vector of features would have to be turned too.
    """
    networks = [lowered.forward, lowered.evaluation or lowered.forward]
    linear = {"linear", "transpose"}
    if any(v.op in ("reshape", "swap") for n in networks for v in n.values):
        return False
    return not any(
        role(arg) in ("parameter", "buffer") and value.op not in linear
        for network in networks
        for value in network.values
        for arg in value.args
    )


def _without_counts(gradient: Program) -> Program:
    """Write the derivation of a loss that is a sum: the counts of the mean cancel."""
    ((name, value),) = simplify(gradient).outputs
    line = f"dL/d{name[2:]} = {mathematics(replace(value, name=''))}"
    made = replace(value, derivation=line)
    return arguments(replace(gradient, outputs=((name, made),)))


def _step_loss(loss: Program, gradient: Program) -> Program | None:
    """Compute the loss from the Values that its gradient kept; None if they do not suffice."""
    ((name, _),) = loss.outputs
    scalar = {v.op for v in loss.values if not v.shape and v.op in OPS}
    composite = scalar | {"pointwise"}
    composite = {op for op in composite if OPS[op].expansion is not None}
    made = expand(loss, frozenset({"input", "const"} | OPS.keys() - composite))
    kept = outside(replace(made, name="step_loss"), gradient)
    last = loss.inputs[0]
    if last.name in {value.name for value in kept.inputs}:
        return None
    ((_, result),) = kept.outputs
    line = f"L = {mathematics(result)}"
    return replace(kept, outputs=((name, replace(result, name="", derivation=line)),))


def _as_it_is(program: Program) -> Program:
    return program


def _elements(shape: Shape) -> int:
    size = 1
    for dim in shape:
        size *= dim if isinstance(dim, int) else 1
    return size
