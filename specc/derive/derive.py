"""From the lowered network to every Program of a module: the derivatives, and the layout.

`columns` tells how samples lie. Programs that one step runs (forward, loss gradient, backward)
follow it; those that look along an axis of many samples (output, loss, metrics) see rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from specc.calculus.notation import mathematics
from specc.calculus.reverse import differentiate, outside, saved
from specc.derive.lower import Lowered
from specc.derive.measures import Made, Measure
from specc.ir.program import Program, verify
from specc.ir.target import Target
from specc.ir.value import OPS, Shape, Value, constant, role
from specc.passes.descend import descend, is_descent
from specc.passes.expand import expand
from specc.passes.layout import layout
from specc.passes.simplify import simplify

WIDE = 16_384
"""A weight of more numbers than this makes arithmetic cost more than calls."""


@dataclass(frozen=True)
class Pass:
    """A network and its derivatives, as in `Derived`."""

    forward: Program
    backward: Program
    input_gradient: Program
    accumulates: bool

    def map(self, change: Callable[[Program], Program]) -> Pass:
        """Change every Program."""
        forward, backward, input_gradient = map(change, self.programs)
        return Pass(forward, backward, input_gradient, self.accumulates)

    @property
    def programs(self) -> tuple[Program, Program, Program]:
        """Every Program, in the order of a module."""
        return self.forward, self.backward, self.input_gradient


@dataclass(frozen=True)
class Derived:
    """Everything that a module computes."""

    columns: bool
    forward: Program
    """In training, as are `backward` and `input_gradient`."""
    evaluation: Pass | None
    """What prediction has in their place, where it is another network."""
    standardize: Program | None
    """samples -> the input of the network, by rows."""
    standardize_backward: Program | None
    """dL/d(the input of the network) -> dL/d(the samples), by rows."""
    measure: Program | None
    track: Program | None
    output: Program | None
    loss: Program
    sums: bool
    metrics: tuple[Measure, ...]
    summaries: tuple[Made, ...]
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
        changed: dict[str, Any] = dict(vars(self))
        for name, part in vars(self).items():
            if isinstance(part, Program):
                changed[name] = change(part)
            elif isinstance(part, Pass):
                changed[name] = part.map(change)
        for name in ("metrics", "summaries"):
            changed[name] = tuple(
                replace(each, program=change(each.program)) for each in changed[name]
            )
        return Derived(**changed)

    @property
    def formulas(self) -> frozenset[str]:
        """The names of the Programs that are one expression in their arguments."""
        found = (
            self.loss,
            self.output,
            self.output_gradient,
            self.learning_rate,
            self.standardize,
            self.standardize_backward,
        )
        names = (p.name for p in found if p is not None)
        return frozenset((*names, *(p.name for p in self.of_figures)))

    @property
    def overwritten(self) -> dict[str, dict[str, str]]:
        """Program -> results that are written over an argument: the state of training."""
        names = {"update": {name: name for name, _ in self.update.outputs}}
        if self.track is not None:
            names["track"] = {name: name for name, _ in self.track.outputs}
        if self.measure is not None:
            names["measure"] = {name: name for name, _ in self.measure.outputs}
        backwards = [(self.backward, self.accumulates)]
        if self.evaluation is not None:
            backwards.append((self.evaluation.backward, self.evaluation.accumulates))
        for program, accumulates in backwards:
            if accumulates:
                results = (name for name, _ in program.outputs)
                arguments = {value.name for value in program.inputs}
                names[program.name] = {n: n for n in results if n in arguments}
        return names

    @property
    def optimizer_counts(self) -> bool:
        """Whether the optimizer reads how many updates there were."""
        return any(value.name == "t" for value in self.update.inputs)

    @property
    def counts_updates(self) -> bool:
        """Whether anything does: dropout draws anew for each."""
        return self.optimizer_counts or bool(self.masks)

    @property
    def masks(self) -> tuple[Value, ...]:
        """What training drops, an argument of `forward` for each layer that drops."""
        return tuple(v for v in self.forward.inputs if role(v) == "mask")

    @property
    def buffers(self) -> tuple[Value, ...]:
        """The state of layers, in their order."""
        programs = [self.standardize, self.track]
        if self.evaluation is not None:
            programs.append(self.evaluation.forward)
        made = [program for program in programs if program is not None]
        inputs = [value for program in made for value in program.inputs]
        return tuple({v.name: v for v in inputs if role(v) == "buffer"}.values())

    @property
    def programs(self) -> tuple[Program, ...]:
        """Every Program, in the order of a module."""
        single = (
            self.learning_rate,
            self.measure,
            self.standardize,
            self.forward,
            self.output,
            self.loss,
            self.loss_gradient,
            self.step_loss,
            self.backward,
            self.input_gradient,
            *(self.evaluation.programs if self.evaluation is not None else ()),
            self.standardize_backward,
            self.output_gradient,
            self.track,
            self.update,
        )
        return (*(p for p in single if p is not None), *self.of_figures)

    @property
    def of_figures(self) -> tuple[Program, ...]:
        """The Programs of metrics, and of what they are made of."""
        measures = [each.program for each in self.metrics]
        return (*measures, *(each.program for each in self.summaries))


def derive(lowered: Lowered, target: Target) -> Derived:
    """Choose the layout, as the target wants it, and differentiate."""
    parameters = parameters_of(lowered.forward)
    wide = any(_elements(v.shape) > WIDE for v in parameters)
    columns = target.columns and not wide and _turns(lowered)
    turn = layout if columns else _as_it_is
    loss = turn(lowered.loss)
    descending = {"never": False, "wide": wide, "always": True}[target.descends]
    descends = descending and is_descent(lowered.update)
    accumulates = descends or target.descends == "always"
    training = _differentiated(turn(lowered.forward), accumulates)
    evaluation = None
    if lowered.evaluation is not None:
        evaluation = _differentiated(turn(lowered.evaluation), accumulates)
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
        output_gradient = _by_argument(lowered.output, "output_gradient")
    forward = training.forward
    if lowered.track is not None:
        forward = verify(saved(forward, lowered.track), "differentiate")
    standardize_backward = None
    if lowered.standardize is not None:
        made = _by_argument(lowered.standardize, "standardize_backward")
        standardize_backward = _expression(made)
    return Derived(
        columns=columns,
        forward=forward,
        evaluation=evaluation,
        standardize=_expression(lowered.standardize),
        standardize_backward=standardize_backward,
        measure=lowered.measure,
        track=lowered.track,
        output=_expression(lowered.output),
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
        output_gradient=_expression(output_gradient),
        learning_rate=lowered.learning_rate,
        update=lowered.update,
    )


def parameters_of(forward: Program) -> tuple[Value, ...]:
    """Give the parameters among the arguments of a network."""
    return tuple(v for v in forward.inputs if role(v) == "parameter")


def _turns(lowered: Lowered) -> bool:
    """Tell whether samples may be columns: every parameter is one of a linear layer.

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


def _differentiated(forward: Program, accumulates: bool) -> Pass:
    """Differentiate a network by its parameters and its input."""
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
    backward = _arguments(replace(everything, outputs=tuple(gradients)))
    added = descend(backward, parameters) if accumulates else None
    return Pass(
        forward=verify(saved(forward, _arguments(everything)), "differentiate"),
        backward=backward if added is None else verify(added, "descend"),
        input_gradient=verify(_keeping(whole, backward), "differentiate"),
        accumulates=added is not None,
    )


def _by_argument(program: Program, name: str) -> Program:
    """Differentiate by the first argument, from dL/d(the result), which comes last."""
    made = differentiate(program, program.inputs[:1], name)
    ordered = sorted(made.inputs, key=lambda v: v.name.startswith("d_"))
    return replace(made, inputs=tuple(ordered))


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
            through.setdefault(used[0], list(found))  # a norm uses two
        below[value] = {value: None} if used else found
    ordered = [[*reversed(through[_layer(layer[0])]), *layer] for layer in layers]
    return list(dict.fromkeys(_last_first(ordered)))


def _read_later(backward: Program, whole: Program) -> list[tuple[str, Value]]:
    """Name what the derivative by the input reads too, lest something be written over it."""
    read = set(outside(replace(whole, outputs=_nameless(whole)), backward).inputs)
    names = {value.name for value in read} - {name for name, _ in backward.outputs}
    over = {
        value.args[0] for value in backward.values if value.args and value.row.in_place
    }
    return [(v.name, v) for v in backward.values if v in over and v.name in names]


def _without_counts(gradient: Program) -> Program:
    """Derive anew what a sum is a mean of, times as many."""
    ((name, value),) = simplify(gradient).outputs
    line = f"dL/d{name[2:]} = {mathematics(replace(value, name=''))}"
    made = replace(value, derivation=line)
    return _arguments(replace(gradient, outputs=((name, made),)))


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


def _elements(shape: Shape) -> int:
    size = 1
    for dim in shape:
        size *= dim if isinstance(dim, int) else 1
    return size
