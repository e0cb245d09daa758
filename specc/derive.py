"""From the lowered network to every Program of a module: the derivatives, and the layout.

`columns` tells how samples lie. Programs that one step runs (forward, loss gradient, backward)
follow it; those that look along an axis of many samples (output, loss, metrics) see rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from specc.derivation import mathematics
from specc.differentiate import differentiate, outside, saved
from specc.ir import Program, Value, constant, verify
from specc.lower import Lowered
from specc.ops import OPS
from specc.passes.buffers import OVERWRITING
from specc.passes.descend import descend, is_descent
from specc.passes.expand import expand
from specc.passes.layout import layout
from specc.targets.text import Target

WIDE = 16_384
"""A weight of more numbers than this makes arithmetic cost more than calls."""


@dataclass(frozen=True)
class Derived:
    """Everything that a module computes."""

    columns: bool
    forward: Program
    output: Program | None
    loss: Program
    metrics: tuple[Program, ...]
    loss_gradient: Program
    """the last layer's value and the target -> dL/d(that value)."""
    step_loss: Program | None
    """what loss_gradient kept, perhaps the target -> L, where that is enough; None also where
    the target keeps nothing."""
    backward: Program
    """what forward kept and dL/d(the last layer's value) -> dL/d(every parameter)."""
    accumulates: bool
    """Whether `backward` adds to what its results held."""
    descends: bool
    """Whether such a backward pass can be the update itself: plain SGD."""
    input_gradient: Program
    """what backward kept -> dL/d(the input)."""
    output_gradient: Program | None
    """dL/d(prediction) -> dL/d(logits)."""
    learning_rate: Program
    update: Program

    def map(self, change: Callable[[Program], Program]) -> Derived:
        """Change every Program."""
        changed: dict[str, Any] = {
            name: change(part) if isinstance(part, Program) else part
            for name, part in vars(self).items()
        }
        changed["metrics"] = tuple(change(metric) for metric in self.metrics)
        return Derived(**changed)

    @property
    def formulas(self) -> frozenset[str]:
        """The names of the Programs that are one expression in their arguments."""
        found = (self.loss, self.output, self.output_gradient, self.learning_rate)
        return frozenset(p.name for p in (*found, *self.metrics) if p is not None)

    @property
    def overwritten(self) -> dict[str, dict[str, str]]:
        """Program -> results that are written over an argument: the state of training."""
        names = {"update": {name: name for name, _ in self.update.outputs}}
        if self.accumulates:
            results = (name for name, _ in self.backward.outputs)
            arguments = {value.name for value in self.backward.inputs}
            names["backward"] = {name: name for name in results if name in arguments}
        return names

    @property
    def counts_updates(self) -> bool:
        """Whether the optimizer reads how many updates there were."""
        return any(value.name == "t" for value in self.update.inputs)

    @property
    def programs(self) -> tuple[Program, ...]:
        """Every Program, in the order of a module."""
        single = (
            self.learning_rate,
            self.forward,
            self.output,
            self.loss,
            self.loss_gradient,
            self.step_loss,
            self.backward,
            self.input_gradient,
            self.output_gradient,
            self.update,
        )
        return (*(p for p in single if p is not None), *self.metrics)


def derive(lowered: Lowered, target: Target) -> Derived:
    """Choose the layout, as the target wants it, and differentiate."""
    weights = [v.shape for v in lowered.forward.inputs[1:]]
    wide = any(_elements(shape) > WIDE for shape in weights)
    columns = target.columns and not wide
    turn = layout if columns else _as_it_is
    forward = verify(turn(lowered.forward), "layout")
    loss = turn(lowered.loss)
    x, *parameters = forward.inputs
    layers = [list(group) for _, group in groupby(parameters, _layer)]
    descending = {"never": False, "wide": wide, "always": True}[target.descends]
    descends = descending and is_descent(lowered.update)
    accumulates = descends or target.descends == "always"
    wrt = _descending(forward, layers) if accumulates else _last_first(layers)
    everything = differentiate(forward, (*wrt, x), "backward")
    *gradients, (d_input, by_input) = everything.outputs
    whole = Program("input_backward", everything.inputs, ((d_input, by_input),))
    gradients += _read_later(replace(everything, outputs=tuple(gradients)), whole)
    backward = _arguments(replace(everything, outputs=tuple(gradients)))
    added = descend(backward, tuple(parameters)) if accumulates else None
    last = loss.inputs[0]
    loss_gradient = differentiate(
        loss, (last,), f"{loss.name}_gradient", seed=constant(1)
    )
    step_loss = _step_loss(loss, loss_gradient) if target.workspace else None
    if step_loss is not None:
        loss_gradient = saved(loss_gradient, step_loss)
    output_gradient = None
    if lowered.output is not None:
        logits = lowered.output.inputs
        output_gradient = differentiate(lowered.output, logits, "output_gradient")
        ordered = sorted(output_gradient.inputs, key=lambda v: v.name.startswith("d_"))
        output_gradient = replace(output_gradient, inputs=tuple(ordered))
    return Derived(
        columns=columns,
        forward=verify(saved(forward, _arguments(everything)), "differentiate"),
        output=_expression(lowered.output),
        loss=lowered.loss,
        metrics=lowered.metrics,
        loss_gradient=loss_gradient,
        step_loss=step_loss,
        backward=backward if added is None else verify(added, "descend"),
        accumulates=added is not None,
        descends=added is not None and descends,
        input_gradient=verify(_keeping(whole, backward), "differentiate"),
        output_gradient=_expression(output_gradient),
        learning_rate=lowered.learning_rate,
        update=lowered.update,
    )


def _last_first(layers: list[list[Value]]) -> list[Value]:
    """Order the parameters by their layers, from the last to the first."""
    return [value for layer in reversed(layers) for value in layer]


def _descending(forward: Program, layers: list[list[Value]]) -> list[Value]:
    """Order them likewise, each layer's after the derivatives that are passed on through it."""
    owner = {parameter: _layer(parameter) for layer in layers for parameter in layer}
    below: dict[Value, dict[Value, None]] = {}
    """What the layers with parameters give that a Value is made of, the closest ones."""
    through: dict[str, list[Value]] = {}
    for value in forward.values:
        found: dict[Value, None] = {}
        for arg in value.args:
            found |= below.get(arg, {})
        plain = (v.args[0] if v.op == "transpose" else v for v in value.args)
        used = [owner[v] for v in plain if v in owner and value.op != "transpose"]
        if used:
            through[used[0]] = list(found)
        below[value] = {value: None} if used else found
    ordered = [[*reversed(through[_layer(layer[0])]), *layer] for layer in layers]
    return list(dict.fromkeys(_last_first(ordered)))


def _read_later(backward: Program, whole: Program) -> list[tuple[str, Value]]:
    """Name what the derivative by the input reads too, lest something be written over it."""
    read = set(outside(replace(whole, outputs=_nameless(whole)), backward).inputs)
    names = {value.name for value in read} - {name for name, _ in backward.outputs}
    over = {
        value.args[0]
        for value in backward.values
        if value.args and value.op in OVERWRITING
    }
    return [(v.name, v) for v in backward.values if v in over and v.name in names]


def _step_loss(loss: Program, gradient: Program) -> Program | None:
    """Compute the loss from what its gradient left behind, if it left enough."""
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


def _keeping(whole: Program, backward: Program) -> Program:
    """Compute one more result from what `backward` left behind."""
    unnamed = _expression(whole)
    assert unnamed is not None
    return outside(unnamed, backward)


def _expression(program: Program | None) -> Program | None:
    """Take the names off the results, so that they are not kept but returned."""
    if program is None:
        return None
    return replace(program, outputs=_nameless(program))


def _nameless(program: Program) -> tuple[tuple[str, Value], ...]:
    return tuple((name, replace(v, name="")) for name, v in program.outputs)


def _as_it_is(program: Program) -> Program:
    return program


def _layer(parameter: Value) -> str:
    return parameter.origins[0].layer


def _arguments(program: Program) -> Program:
    inputs = tuple(v for v in program.values if v.op == "input")
    return replace(program, inputs=inputs)


def _elements(shape: tuple[int | str, ...]) -> int:
    size = 1
    for dim in shape:
        size *= dim if isinstance(dim, int) else 1
    return size
