"""What a C module keeps: every array and its size, and so how many bytes a model and a run take.

Takes a checked model and its Programs. Invariant: what the header says is what the compiler finds,
on every machine, which the source asserts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from specc.derive.derived import Derived
from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Rows, Value, batched, rows_of
from specc.model.model import Model
from specc.passes.buffers import buffers
from specc.targets.c.memory.rows import (
    CACHED,
    DEPTH,
    LINE,
    MOST_ROWS,
    STRIDE,
    TILE,
    Arrays,
    arrays,
    padded,
    parameter_of,
)


@dataclass(frozen=True)
class Kept:
    """One array of the workspace."""

    name: str
    count: int
    type: str
    """`real`, or `int64_t` for class labels."""
    says: str


@dataclass(frozen=True)
class Memory:
    """All arrays of a module, and the Programs whose results got one here."""

    arrays: Arrays
    positions: int
    """How many rows of a sample count as one of the batch."""
    samples: int
    """How many samples the workspace holds."""
    workspace: tuple[Kept, ...]
    state: tuple[str, ...]
    """The optimizer's vectors."""
    counts_updates: bool
    """Whether updates are counted: by the optimizer, or to draw what is dropped."""
    draws: bool
    """Whether training draws what it drops, and so keeps the seed."""
    keeps_gradient: bool
    """Whether an update needs the gradient in an array of its own."""
    basis: int
    """How many doubles an orthogonal initializer needs."""
    watches: bool
    """Whether there is early stopping."""
    restores: bool
    reduces: bool
    """Whether the rate waits for a gain."""
    output: Program | None
    by_input: Program
    evaluation_by_input: Program | None
    standardize: Program | None
    standardize_backward: Program | None

    @property
    def buffered(self) -> int:
        """How many numbers the buffers take."""
        return sum(map(padded, self.arrays.buffers.values()))

    @property
    def panel(self) -> int:
        """How many numbers the strips take that kernels copy of a weight; 0 for none."""
        return sum(kept.count for kept in self.workspace if kept.name == "panel")

    def workspace_bytes(self, real: int) -> int:
        """Return the size of a workspace whose numbers take `real` bytes."""
        reals = sum(kept.count for kept in self.workspace if kept.type == "real")
        others = sum(kept.count for kept in self.workspace if kept.type != "real")
        return real * reals + 8 * others

    def model_bytes(self, real: int) -> int:
        """Return the size of a model, with its workspace."""
        vectors = 1 + len(self.state) + self.keeps_gradient
        reals = vectors * self.arrays.size + self.buffered
        numbers = self.basis + self.counts_updates + self.draws
        numbers += self.standardize is not None
        return real * reals + self.workspace_bytes(real) + 8 * numbers

    def run_bytes(self, real: int) -> int:
        """Return the size of what a fit keeps beside the model."""
        vectors = 2 * (1 + len(self.state)) + self.restores
        numbers = 16 * (self.watches + self.counts_updates) + 24 * (1 + self.reduces)
        buffers = (2 + self.restores) * self.buffered
        return real * (vectors * self.arrays.size + buffers) + numbers


def memory(model: Model, derived: Derived) -> Memory:
    """Decide what is kept, and where."""
    x, last = derived.forward.inputs[0], derived.loss.inputs[0].name
    by_input = _with_array(derived.input_gradient, f"d_{x.name}")
    output = None if derived.output is None else _with_array(derived.output)
    evaluation, evaluation_by_input = derived.evaluation, None
    if evaluation is not None:
        evaluation_by_input = _with_array(evaluation.input_gradient, f"d_{x.name}")
    standardize, standardize_backward = None, None
    if derived.standardize is not None and derived.standardize_backward is not None:
        d_x = f"d_{model.input.name}"
        standardize = _with_array(_of_shifted(derived.standardize))
        standardize_backward = _with_array(derived.standardize_backward, d_x)
    programs = [standardize, derived.forward, derived.loss_gradient, derived.backward]
    programs += [by_input, standardize_backward]
    if evaluation is not None:
        programs += [evaluation.forward, evaluation.backward, evaluation_by_input]
    kept = [program for program in programs if program is not None]
    laid = arrays(derived, kept)
    more = {"prediction": laid.samples[last]}
    if output is not None:
        more[output.outputs[0][1].slot] = laid.samples[last]
    laid = replace(laid, samples={**laid.samples, **more})
    positions = model.positions
    rows_of_sample = {
        value.slot or value.name: rows_of(value.shape)
        for program in [*kept, *([] if output is None else [output])]
        for value in (*program.values, *derived.loss.inputs)
        if batched(value.shape) and (value.slot or value.name)
    }
    batch = model.train.batch_size
    most = max(MOST_ROWS // (positions * max(rows_of_sample.values())), 1)
    held = max(-(-batch // -(-batch // most)), -(-TILE // positions))
    if derived.track is not None:
        held = max(batch, most)  # a norm over the batch needs all of it
    rows = -(-held * positions // TILE) * TILE
    samples = rows // positions
    stopping = model.early_stopping
    return Memory(
        arrays=laid,
        positions=positions,
        samples=samples,
        workspace=_workspace(derived, laid, rows, kept, output, rows_of_sample),
        state=model.optimizer.use().state(),
        counts_updates=derived.counts_updates,
        draws=bool(derived.masks),
        keeps_gradient=not derived.descends or batch > samples,
        basis=_basis(model),
        watches=stopping is not None,
        restores=stopping is not None and stopping.restore_best,
        reduces=model.schedule.use.entry.name == "plateau",
        output=output,
        by_input=by_input,
        evaluation_by_input=evaluation_by_input,
        standardize=standardize,
        standardize_backward=standardize_backward,
    )


def _basis(model: Model) -> int:
    """Return how many doubles an orthogonal initializer needs; 0 if there is none."""
    orthogonal = [
        math.prod(parameter.shape)
        for parameter in model.parameters.values()
        if parameter.initializer(parameter.fans).distribution == "orthogonal"
    ]
    return max(orthogonal, default=0)


def _of_shifted(program: Program) -> Program:
    """Return the rest of `standardize`: samples come to the workspace with the mean subtracted."""
    x, *_ = program.inputs

    def rule(value: Value) -> Value:
        return x if value.op == "sub" else value

    rest = rewrite(program, rule)
    used = set(rest.values)
    return replace(rest, inputs=tuple(v for v in rest.inputs if v in used))


def _with_array(program: Program, name: str | None = None) -> Program:
    """Keep the result of a Program in an array of its own."""
    outputs = tuple(
        (key, value if value.slot else replace(value, name=name or key))
        for key, value in program.outputs
    )
    return buffers(replace(program, outputs=outputs))


def _workspace(
    derived: Derived,
    laid: Arrays,
    rows: int,
    programs: Sequence[Program],
    output: Program | None,
    rows_of_sample: Mapping[str, int],
) -> tuple[Kept, ...]:
    found: dict[str, Kept] = {}

    def add(name: str) -> None:
        array = laid.samples[name]
        slack = LINE if array.narrow else 0
        rest = f" in rows of {array.pitch}" if array.pitch != array.width else ""
        own = rows_of_sample[name]
        says = f"({Rows(own)}, {array.width}){rest}"
        count = padded(own * rows * array.pitch + slack)
        found.setdefault(name, Kept(name, count, "real", says))

    label = derived.loss.inputs[1]
    x = derived.standardize or derived.forward
    add(x.inputs[0].name)
    if label.dtype == "real":
        add(label.name)
    for mask in derived.masks:
        add(mask.name)
    for program in [*programs, *([] if output is None else [output])]:
        for value in program.values:
            if batched(value.shape) and value.slot in laid.samples:
                add(value.slot)
            elif value.slot in laid.features:
                width = laid.features[value.slot]
                one = Kept(value.slot, padded(width), "real", f"({width},)")
                found.setdefault(value.slot, one)
    size = _panel(derived, laid, rows)
    if size:
        found["panel"] = Kept("panel", size, "real", "scratch: strips of a weight")
    if label.dtype == "int":
        own = rows_of(label.shape)
        found[label.name] = Kept(label.name, own * rows, "int64_t", f"({Rows(own)},)")
    return tuple(found.values())


def _panel(derived: Derived, laid: Arrays, rows: int) -> int:
    """Return the size of the panel that strips of weights are copied to; 0 if none is."""
    deep = 0
    programs = [derived.forward, derived.backward, derived.input_gradient]
    if derived.evaluation is not None:
        programs += derived.evaluation.programs
    for program in programs:
        for value in program.values:
            match value:
                case Value(op="mm", args=(_, Value(op="input") as w)):
                    weight = laid.parameters[w.name]
                    if weight.turned:
                        deep = max(deep, min(DEPTH, padded(weight.row.width)))
                case Value(op="linear" | "mm", args=(_, w, *_)):
                    w = w.args[0] if w.op == "transpose" else w
                    weight = laid.parameters[w.name]
                    if weight.turned and weight.rows * weight.row.pitch > CACHED:
                        deep = max(deep, min(DEPTH, weight.rows))
                case Value(op="accumulate_mm", args=(before, _, x, *_)):
                    weight = laid.parameters[parameter_of(before)]
                    if weight.row.pitch > STRIDE:
                        deep = max(deep, rows * rows_of(x.shape))
    return padded(deep) * 2 * LINE
