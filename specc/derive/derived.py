"""Everything that a module computes, as Programs, and the facts that follow from them.

`derive` fills the record; `map` is the only way to change it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from specc.derive.measures import Made, Measure
from specc.ir.program import Program
from specc.ir.value import Value, role


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
    """Every Program of a module."""

    columns: bool
    forward: Program
    """In training, like `backward` and `input_gradient`."""
    evaluation: Pass | None
    """The network of prediction, where it differs from that of training."""
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
    """True if `backward` adds to its results instead of overwriting them."""
    descends: bool
    """True if such a backward pass can be the update itself: plain SGD."""
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
        """True if the optimizer reads how many updates there were."""
        return any(value.name == "t" for value in self.update.inputs)

    @property
    def counts_updates(self) -> bool:
        """True if the optimizer or dropout reads the number of updates."""
        return self.optimizer_counts or bool(self.masks)

    @property
    def masks(self) -> tuple[Value, ...]:
        """The dropout masks, an argument of `forward` for each layer with dropout."""
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
        """The Programs of metrics and of the means that they combine."""
        measures = [each.program for each in self.metrics]
        return (*measures, *(each.program for each in self.summaries))
