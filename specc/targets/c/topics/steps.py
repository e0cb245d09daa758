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


def figures(model: Model, derived: Derived, kept: Memory) -> Figures:
    """Return the metrics and how their sums become means."""
    means = ["loss"] * (not derived.sums) + [m.figure for m in derived.metrics]
    n = times("n", kept.positions)
    loss = "loss" if derived.sums else "loss * n"
    counted = [f"sums->loss += {loss};"]
    counted += [
        f"sums->{each.figure} += {each.program.name}(m, {n}) * n;"
        for each in derived.metrics
    ]
    summaries = [
        f"means->{each.figure} = {_of_means(each.program)};"
        for each in derived.summaries
    ]
    seen = "train->n"
    if model.train.drop_last:
        seen = f"(updates * {model.name.upper()}_BATCH_SIZE)"
    return Figures(
        members=codes(f"double {name};" for name in figures_of(model, derived)),
        counted=codes(counted + ["(void)m;"] * (not derived.metrics)),
        summaries=codes(summaries),
        averaged=codes(
            [f"sums.{name} /= (double)n;" for name in means]
            + ["summarize(&sums);"] * bool(summaries)
        ),
        averaged_in_training=codes(
            [f"now.train.{name} /= (double){seen};" for name in means]
            + ["summarize(&now.train);"] * bool(summaries)
        ),
        says=Code(
            "The loss of all samples, and means over them."
            if derived.sums
            else "Means over samples."
        ),
        kind_of_loss=Code("loss" if derived.sums else "mean loss"),
    )


def steps(model: Model, derived: Derived, kept: Memory) -> Steps:
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
        predict=_calls([*standardize, network, *output], part),
        evaluate=_calls([*standardize, network, *read_by_metrics], part),
        forward=_calls(standardize, part) + codes(_forward(kept, modes, part)),
        backward=codes(_backward(modes, part)),
        by_input=codes(_by_input(kept, modes, part)),
        step_loss=Code(
            f"{loss if derived.step_loss is None else 'step_loss'}(m, {part})"
        ),
        loss=Code(f"{loss}(m, {part})"),
        loss_gradient=Code(
            f"{derived.loss_gradient.name}(m, {part}, {times('(double)n', kept.positions)})"
        ),
        part_loss=Code("" if derived.sums else " * part"),
        whole_loss=Code("loss" if derived.sums else "loss / (double)n"),
        update=codes(_update(model, derived, kept, all_n)),
        refused=codes(too_many if tracks or not kept.keeps_gradient else []),
        refused_in_training=codes([too_many_in_training] if tracks else []),
        metrics=codes(f"if (sums) {name}(m, {part});" for name in read_by_metrics),
    )


def _calls(names: Iterable[str], rows: str) -> tuple[Code, ...]:
    return codes(f"{name}(m, {rows});" for name in names)


def _forward(kept: Memory, modes: bool, n: str) -> list[str]:
    if not modes:
        return [f"forward(m, {n});"]
    first = times("first", kept.positions)
    return [
        "if (training) {",
        *[f"  draw(m, {n}, {first});"] * kept.draws,
        f"  forward(m, {n});",
        "} else {",
        f"  evaluation_forward(m, {n});",
        "}",
    ]


def _backward(modes: bool, part: str) -> list[str]:
    call = f"backward(m, {part}, g, done ? 1 : 0, 1);"
    says = "/* the first part sets g, others add to it */"
    if not modes:
        return [f"{call} {says}"]
    return [f"if (training) {says}", f"  {call}", "else", f"  evaluation_{call}"]


def _by_input(kept: Memory, modes: bool, part: str) -> list[str]:
    call = f"input_backward(m, {part});"
    lines = [call]
    if modes:
        lines = ["if (training)", f"  {call}", "else", f"  evaluation_{call}"]
    if kept.standardize_backward is not None:
        lines.append(f"standardize_backward(m, {part});")
    return lines


def _update(model: Model, derived: Derived, kept: Memory, rows: str) -> list[str]:
    training = "true, " if derived.evaluation is not None else ""
    if kept.keeps_gradient:
        given = f"m, from, order, at, n, &m->gradient, NULL, {training}sums"
        lines = [
            f"double loss = gradient_of({given});",
            f"{model.name}_update(m, &m->gradient, lr);",
        ]
    else:
        first = "0, " if kept.draws else ""
        lines = [
            "take(m, from->x, from->y, order, at, (int)n);",
            f"double loss = loss_of(m, (int)n, {first}n, {training}sums);",
            f"backward(m, {rows}, &m->parameters, 1, (real)-lr);",
        ]
    if derived.track is not None:
        unless = "" if model.moves_on_one else f"if ({times('n', kept.positions)} > 1) "
        lines.append(f"{unless}track(m, {rows});")
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
