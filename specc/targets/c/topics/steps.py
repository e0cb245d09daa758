"""What one part of the samples goes through, in prediction, evaluation and a training step.

Takes a checked model, its Programs and its memory; returns the calls of the network's functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.emit.pieces import Code
from specc.ir.program import Program
from specc.model.model import Model
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.printing.functions import codes, number
from specc.targets.c.printing.indexing import times
from specc.targets.python.loop import measures, stopping


@dataclass(frozen=True)
class Calls:
    """How functions of the network are called: with the workspace, some with the model too."""

    of_model: frozenset[str]

    def one(self, name: str, more: str) -> str:
        """Call a function; `more` are its other arguments, how many rows first."""
        return f"{name}({'m, ' * (name in self.of_model)}w, {more})"

    def each(self, names: Iterable[str], rows: str) -> tuple[Code, ...]:
        """Call one function after the other, as statements."""
        return codes(f"{self.one(name, rows)};" for name in names)


@dataclass(frozen=True)
class Mode:
    """What functions take of the mode, and of how many samples went before."""

    first: Code
    training: Code
    first_call: Code
    training_call: Code


@dataclass(frozen=True)
class Figures:
    """The loss and the metrics, as a struct of doubles."""

    members: tuple[Code, ...]
    counted: tuple[Code, ...]
    """Adds those of n samples, times n, to `sums`."""
    summaries: tuple[Code, ...]
    """Makes of means in `means` those metrics that several means have."""
    averaged: tuple[Code, ...]
    """Makes means of the sums in `sums` of n samples."""
    averaged_in_training: tuple[Code, ...]
    """The same for an epoch, or its metrics measured anew where the best one is kept."""
    says: Code
    kind_of_loss: Code


@dataclass(frozen=True)
class Steps:
    """What is called for a part of the samples."""

    predict: tuple[Code, ...]
    evaluate: tuple[Code, ...]
    forward: tuple[Code, ...]
    backward: tuple[Code, ...]
    by_input: tuple[Code, ...]
    """dL/d(the input), in `if (dx)`."""
    step_loss: Code
    loss: Code
    loss_gradient: Code
    part_loss: Code
    """The loss of a part of n, as it adds up."""
    whole_loss: Code
    update: tuple[Code, ...]
    """One update, from the loss on; leaves it in `loss`."""
    refused: tuple[Code, ...]
    """What `train_step` does where there are too many samples."""
    refused_in_training: tuple[Code, ...]
    metrics: tuple[Code, ...]
    """Makes what metrics read of n samples, where sums are taken."""


def mode(derived: Derived, kept: Memory) -> Mode:
    """Return the parameters of the functions."""
    modes = derived.evaluation is not None
    return Mode(
        first=Code("size_t first, " if kept.draws else ""),
        training=Code("bool training, " if modes else ""),
        first_call=Code("done, " if kept.draws else ""),
        training_call=Code("training, " if modes else ""),
    )


def figures(model: Model, derived: Derived, kept: Memory, calls: Calls) -> Figures:
    """Return the metrics and how their sums become means."""
    means = ["loss"] * (not derived.sums) + [m.figure for m in derived.metrics]
    n = times("n", kept.positions)
    loss = "loss" if derived.sums else "loss * n"
    counted = [f"sums->loss += {loss};"]
    counted += [
        f"sums->{each.figure} += {calls.one(each.program.name, n)} * n;"
        for each in derived.metrics
    ]
    summaries = [
        f"means->{each.figure} = {_of_means(each.program)};"
        for each in derived.summaries
    ]
    seen = "train->n"
    if model.train.drop_last:
        seen = f"(updates * {model.name.upper()}_BATCH_SIZE)"
    now = [f"now.train.{name} /= (double){seen};" for name in means]
    now += ["summarize(&now.train);"] * bool(summaries)
    if measures(stopping(model)):
        now = [
            f"now.train = {model.name}_evaluate(m, &m->workspace, train->x, train->y, train->n);"
            " /* with the parameters that may be kept */"
        ]
    return Figures(
        members=codes(f"double {name};" for name in figures_of(model, derived)),
        counted=codes(counted + ["(void)w;"] * (not derived.metrics)),
        summaries=codes(summaries),
        averaged=codes(
            [f"sums.{name} /= (double)n;" for name in means]
            + ["summarize(&sums);"] * bool(summaries)
        ),
        averaged_in_training=codes(now),
        says=Code(
            "The loss of all samples, and means over them."
            if derived.sums
            else "Means over samples."
        ),
        kind_of_loss=Code("loss" if derived.sums else "mean loss"),
    )


def steps(model: Model, derived: Derived, kept: Memory, calls: Calls) -> Steps:
    """Return which functions a step calls."""
    part = times("part", kept.positions)
    all_n = times("(int)n", kept.positions)
    modes = derived.evaluation is not None
    standardize = ["standardize"] * (kept.standardize is not None)
    output = ["output"] * (kept.output is not None)
    network = "evaluation_forward" if modes else "forward"
    read_by_metrics = output if derived.metrics else []
    upper = model.name.upper()
    too_many = [f"if (n > {upper}_SAMPLES) return NAN;"]
    tracks = derived.track is not None
    too_many_in_training = too_many[0].replace("(n", "(training && n")
    loss = derived.loss.name
    return Steps(
        predict=calls.each([*standardize, network, *output], part),
        evaluate=calls.each([*standardize, network, *read_by_metrics], part),
        forward=calls.each(standardize, part)
        + codes(_forward(kept, modes, part, calls)),
        backward=codes(_backward(modes, part, calls)),
        by_input=codes(_by_input(kept, modes, part, calls)),
        step_loss=Code(
            calls.one(loss if derived.step_loss is None else "step_loss", part)
        ),
        loss=Code(calls.one(loss, part)),
        loss_gradient=Code(
            calls.one(
                derived.loss_gradient.name,
                f"{part}, {times('(double)n', kept.positions)}",
            )
        ),
        part_loss=Code("" if derived.sums else " * part"),
        whole_loss=Code("loss" if derived.sums else "loss / (double)n"),
        update=codes(_update(model, derived, kept, all_n, calls)),
        refused=codes(too_many if tracks or not kept.keeps_gradient else []),
        refused_in_training=codes([too_many_in_training] if tracks else []),
        metrics=codes(
            f"if (sums) {calls.one(name, part)};" for name in read_by_metrics
        ),
    )


def _forward(kept: Memory, modes: bool, n: str, calls: Calls) -> list[str]:
    forward = f"{calls.one('forward', n)};"
    if not modes:
        return [forward]
    first = times("first", kept.positions)
    return [
        "if (training) {",
        *[f"  {calls.one('draw', f'{n}, {first}')};"] * kept.draws,
        f"  {forward}",
        "} else {",
        f"  {calls.one('evaluation_forward', n)};",
        "}",
    ]


def _backward(modes: bool, part: str, calls: Calls) -> list[str]:
    given = f"{part}, g, done ? 1 : 0, 1"
    call = f"{calls.one('backward', given)};"
    says = "/* the first part sets g, others add to it */"
    if not modes:
        return [f"{call} {says}"]
    return [
        f"if (training) {says}",
        f"  {call}",
        "else",
        f"  {calls.one('evaluation_backward', given)};",
    ]


def _by_input(kept: Memory, modes: bool, part: str, calls: Calls) -> list[str]:
    call = f"{calls.one('input_backward', part)};"
    lines = [call]
    if modes:
        other = f"{calls.one('evaluation_input_backward', part)};"
        lines = ["if (training)", f"  {call}", "else", f"  {other}"]
    if kept.standardize_backward is not None:
        lines.append(f"{calls.one('standardize_backward', part)};")
    return lines


def _update(
    model: Model, derived: Derived, kept: Memory, rows: str, calls: Calls
) -> list[str]:
    training = "true, " if derived.evaluation is not None else ""
    m = "" if kept.standardize is None else "m, "
    if kept.keeps_gradient:
        given = f"m, w, from, order, at, n, &m->gradient, NULL, {training}sums"
        lines = [
            f"double loss = gradient_of({given});",
            f"{model.name}_update(m, &m->gradient, lr);",
        ]
    else:
        first = "0, " if kept.draws else ""
        lines = [
            f"take({m}w, from->x, from->y, order, at, (int)n);",
            f"double loss = loss_of(m, w, (int)n, {first}n, {training}sums);",
            f"{calls.one('backward', f'{rows}, &m->parameters, 1, (real)-lr')};",
        ]
    if derived.track is not None:
        unless = "" if model.moves_on_one else f"if ({times('n', kept.positions)} > 1) "
        lines.append(f"{unless}{calls.one('track', rows)};")
    if kept.counts_updates and not derived.optimizer_counts:
        lines.append("m->updates++;")
    return lines


def figures_of(model: Model, derived: Derived) -> list[str]:
    """Name every figure: what is shown first, then what that is made of."""
    shown = ["loss", *(metric.use.entry.name for metric in model.metrics)]
    return [*shown, *(each.figure for each in derived.metrics if each.says)]


def _of_means(program: Program) -> str:
    ((_, result),) = program.outputs
    return number(
        result, {value.name: f"means->{value.name}" for value in program.inputs}
    )
