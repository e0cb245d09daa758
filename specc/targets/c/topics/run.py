"""The loop of training in C: what a run keeps, when it stops, and what it goes back to.

Takes a checked model, its Programs and its memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.model.model import Model
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.printing.functions import codes
from specc.targets.c.topics.schedule import updates_of_epoch
from specc.targets.python.loop import (
    Gain,
    Plateau,
    Stopping,
    measures,
    plateau,
    rated_by_length,
    stopping,
)


@dataclass(frozen=True)
class Watch:
    """Early stopping."""

    says: Code
    model: Code
    """The argument for the model, if its parameters are kept."""
    too_early: tuple[Code, ...]
    sign: Code
    reference: Code
    keep_best: tuple[Code, ...]


@dataclass(frozen=True)
class Run:
    """The loop over epochs."""

    order: Code
    """The argument for the order of samples."""
    order_says: Code
    shuffles: bool
    seed: Code
    order_call: Code
    seed_call: Code
    shuffle: Code
    """What makes the order of an epoch."""
    updates: Code
    """How many updates an epoch over n samples has."""
    begin: tuple[Code, ...]
    forget: tuple[Code, ...]
    """Sets the state of the optimizer to zeros."""
    prepare: tuple[Code, ...]
    of_training: Code
    """Which moment they are of, for the header."""
    remember: tuple[Code, ...]
    """Keeps the state before an epoch."""
    restore: tuple[Code, ...]
    """Goes back to it."""
    restore_rate: tuple[Code, ...]
    after: tuple[Code, ...]
    """What follows an epoch."""
    ended: tuple[Code, ...]
    finish: tuple[Code, ...]
    measure: tuple[Code, ...]
    """What `fit` does before the run begins."""
    watch: Watch | None
    unwatched: Code


def run(model: Model, kept: Memory) -> Run:
    """Write what differs from one loop to another."""
    shuffles, upper = model.train.shuffle, model.name.upper()
    halt, waits = stopping(model), plateau(model)
    forget = [f"memset(&m->{name}, 0, sizeof m->{name});" for name in kept.state]
    forget += ["m->updates = 0;"] * kept.counts_updates
    return Run(
        order=Code("uint32_t *order, " if shuffles else ""),
        order_says=Code(
            f"`order` has room for {upper}_ORDER(n) numbers. " if shuffles else ""
        ),
        shuffles=shuffles,
        seed=Code("uint64_t seed, " if shuffles else ""),
        order_call=Code("order, " if shuffles else ""),
        seed_call=Code("seed, " if shuffles else ""),
        shuffle=Code(
            f"{model.name}_shuffle(order, train->n, seed, epoch)"
            if shuffles
            else "const uint32_t *order = NULL"
        ),
        updates=Code(updates_of_epoch(model)),
        begin=codes(_begin(halt, waits, forget, rated_by_length(model))),
        forget=codes(forget),
        prepare=codes(_prepare(kept, halt is not None, shuffles)),
        of_training=Code(
            "The figures of training are those of all samples after the last update."
            if measures(halt)
            else "The figures of a training sample are those before its update."
        ),
        remember=codes(_before(kept, "run->before{0}[epoch & 1] = m->{1};")),
        restore=codes(_before(kept, "m->{1} = run->before{0}[epoch & 1];")),
        restore_rate=codes(
            ["run->reductions = run->reductions_before;"] * kept.reduces
        ),
        after=codes(_after(halt, waits, kept)),
        ended=codes(
            [f"if (ended) return {upper}_BY_EARLY_STOPPING;"] * (halt is not None)
        ),
        finish=codes(_finish(kept, forget)),
        measure=codes(
            [f"if (!m->measured) {model.name}_measure(m, train->x, train->n);"]
            * (kept.standardize is not None)
        ),
        watch=None if halt is None else _watch(model, kept, halt),
        unwatched=Code(
            " Early stopping needs `validation`." if halt and halt.of_validation else ""
        ),
    )


def _before(kept: Memory, pattern: str) -> list[str]:
    """Write a line for all that an epoch changes."""
    names = [("", "parameters")]
    names += [("_buffers", "buffers")] * bool(kept.buffered)
    names += [(f"_{name}", name) for name in kept.state]
    names += [("_updates", "updates")] * kept.counts_updates
    return [pattern.format(*each) for each in names]


def _begin(
    halt: Stopping | None, waits: Plateau | None, forget: list[str], by_length: bool
) -> list[str]:
    lines = ["(void)m;"] * (not forget)
    lines += ["memset(run, 0, sizeof *run);", "run->best_epoch = -1;"]
    lines += ["run->length = length;"] * by_length
    if halt is not None:
        lines.append(f"run->best_value = run->reference = {_worst(halt)};")
    if waits is not None:
        lines.append(f"run->level = {_worst(waits)};")
    return lines + forget


def _prepare(kept: Memory, stops: bool, shuffles: bool) -> list[str]:
    lines = ["bool ended = false;"] * stops
    if kept.draws:
        return [*lines, "m->seed = seed;"]
    return lines if shuffles else [*lines, "(void)seed;"]


def _after(halt: Stopping | None, waits: Plateau | None, kept: Memory) -> list[str]:
    lines = []
    if waits is not None:
        condition = "if (validation) " if waits.of_validation else ""
        lines.append(f"{condition}reduce(run, now.{_monitored(waits)});")
    if halt is not None:
        given = ("m, " if kept.restores else "") + "run, epoch"
        condition = "validation && " if halt.of_validation else ""
        lines.append(f"ended = {condition}watch({given}, now.{_monitored(halt)});")
    return lines


def _finish(kept: Memory, forget: list[str]) -> list[str]:
    lines = []
    for name, best in ("parameters", "best"), ("buffers", "best_buffers"):
        if kept.restores and (name == "parameters" or kept.buffered):
            lines.append(f"if (run->best_epoch >= 0) m->{name} = run->{best};")
    if not kept.watches:
        lines.append("run->best_epoch = run->epochs - 1;")
    lines += forget
    if not (kept.restores or forget):
        lines.append("(void)m;")
    if not kept.restores and kept.watches:
        lines.append("(void)run;")
    return lines


def _watch(model: Model, kept: Memory, halt: Stopping) -> Watch:
    delta = halt.delta.text.replace("MIN_DELTA", halt.min_delta.text)
    upper = model.name.upper()
    says = f"after {upper}_PATIENCE epochs without a gain."
    best = ["run->best = m->parameters;"] * kept.restores
    best += ["run->best_buffers = m->buffers;"] * (
        kept.restores and bool(kept.buffered)
    )
    late = []
    if halt.start is not None:
        late.append(f"if (epoch < {halt.start.text}) return false;")
    return Watch(
        says=Code(
            f"Keep the best parameters; return true {says}"
            if kept.restores
            else f"Return true {says}"
        ),
        model=Code(f"const {model.name}_model *m, " if kept.restores else ""),
        too_early=codes(late),
        sign=halt.better,
        reference=Code(
            f"run->reference{delta}" if float(halt.min_delta.text) else "run->reference"
        ),
        keep_best=codes(best),
    )


def _worst(gain: Gain) -> str:
    """Write the number that every figure is better than."""
    return gain.worst.text.replace("math.inf", "INFINITY")


def _monitored(gain: Gain) -> str:
    kind, _, figure = gain.monitor.text.partition("_")
    return f"{'validation' if kind == 'val' else kind}.{figure}"
