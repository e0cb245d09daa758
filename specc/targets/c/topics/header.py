"""What the header of a C module says of sizes, and what comments say of its functions.

Takes a checked model, its Programs and its memory.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.emit.headings import said
from specc.emit.pieces import Code
from specc.model.model import Model
from specc.targets.c.memory.declarations import aligned
from specc.targets.c.memory.sizes import Memory


@dataclass(frozen=True)
class Header:
    """Constants, and text of comments."""

    constants: tuple[Code, ...]
    usage: tuple[Code, ...]
    build: tuple[Code, ...]
    contents: tuple[Code, ...]
    """Where in the source is what."""
    target: Code
    """What y has."""
    step_limit: Code
    gradient: Code
    """What the loss and its gradient are of."""
    update: Code
    training: Code
    """The argument that tells training from evaluation."""


def header(model: Model, derived: Derived, kept: Memory, stem: str) -> Header:
    """Write the text."""
    c, upper = model.name, model.name.upper()
    top = model.output_shape[-1] - 1
    several = math.prod(model.target.shape) > 1
    labels = f"{upper}_TARGET labels" if several else "a label"
    classes = derived.loss.inputs[1].dtype == "int"
    modes = derived.evaluation is not None
    and_state = " and the state of the optimizer" if kept.state else ""
    return Header(
        constants=_constants(model, kept),
        usage=(
            Code(f"  static {upper}_ALIGNED {c}_model net;"),
            Code(f"  {c}_init(&net, {upper}_SEED);"),
            Code(f"  {c}_fit(&net, ...); or {c}_train_step(&net, x, y, n, lr);"),
            Code(f"  {c}_predict(&net, &net.workspace, x, n, prediction);"),
        ),
        build=_filled(
            f"cc -O3 -march=native -ffp-contract=fast -fno-math-errno -c {stem}.c; it needs"
            " libm and nothing else, allocates nothing, and keeps no state outside of its"
            " arguments."
        ),
        contents=_contents(model, derived),
        target=Code(
            f"{labels} from 0 to {top}, which is not checked"
            if classes
            else f"{upper}_TARGET numbers"
        ),
        step_limit=Code(
            ""
            if kept.keeps_gradient and derived.track is None
            else f" If n is more than {upper}_SAMPLES, return NAN and change nothing."
        ),
        gradient=Code(_gradient(derived, upper)),
        update=Code(f"{and_state} from a gradient: {said(model, model.optimizer)}"),
        training=Code(", int training" if modes else ""),
    )


def _contents(model: Model, derived: Derived) -> tuple[Code, ...]:
    """Return the table of contents of the source."""
    c, loss = model.name, derived.loss
    order = f", {c}_shuffle" if model.train.shuffle else ""
    sections = [
        "Vectors of this machine",
        "What the network calls",
        f"The network: forward, {loss.name}, {derived.loss_gradient.name}, backward, {c}_update",
        f"Training: {c}_predict, {c}_evaluate, {c}_train_step, {c}_fit",
        f"Parameters: {c}_init, {c}_get, {c}_set{order}; random numbers",
        "Kernels: functions of vectors, products",
    ]
    return tuple(
        Code(line)
        for i, says in enumerate(sections, 1)
        for line in textwrap.wrap(f"{i}. {says}", 86, subsequent_indent="   ")
    )


def _gradient(derived: Derived, upper: str) -> str:
    """Return the comment about the loss, its gradient and the mode."""
    says = (
        "Return the loss of n samples, and write its gradient by the parameters to g and, unless"
        f" dx is NULL, by the input to dx: n times {upper}_INPUT numbers. The parameters do not"
        " change."
    )
    if derived.evaluation is not None:
        says += (
            " If `training`, the network is the one of the next training step, else that of"
            " prediction; its state does not change."
        )
    if derived.track is not None:
        says += (
            f" For training, n is {upper}_SAMPLES at most; if it is more, return NAN."
        )
    return says


def _filled(text: str) -> tuple[Code, ...]:
    return tuple(Code(line) for line in textwrap.wrap(text, 86))


def _constants(model: Model, kept: Memory) -> tuple[Code, ...]:
    upper = model.name.upper()
    sizes = [math.prod(p.shape) for p in model.parameters.values()]
    constants = [
        ("INPUT", math.prod(model.input.shape), "numbers of a sample's input"),
        ("TARGET", math.prod(model.target.shape), "of its target"),
        ("OUTPUT", math.prod(model.output_shape), "of its prediction"),
        ("PARAMETERS", sum(sizes), "without padding"),
        ("PADDED", kept.arrays.size, "with padding"),
        ("BATCH_SIZE", model.train.batch_size, ""),
        ("SAMPLES", kept.samples, "room of the workspace"),
        ("EPOCHS", model.train.epochs, ""),
        ("SEED", model.train.seed, ""),
    ]
    if model.early_stopping is not None:
        patience = model.early_stopping.patience
        constants.append(("PATIENCE", patience, "epochs without a gain"))
    if kept.reduces:
        patience = model.schedule.use["patience"]
        constants.append(("PLATEAU", patience, "the same, to reduce the rate"))
    lines = [f"{upper}_{name} = {value}," for name, value, _ in constants]
    lines[-1] = lines[-1].removesuffix(",")
    return tuple(aligned(lines, [says for _, _, says in constants]))
