"""The buffers of a torch module: what its functions write, allocated once for a batch size.

With samples as columns, an array of samples keeps its rows in memory and is looked at transposed,
so that one gathered epoch and one long output serve every batch as slices. Invariant: a buffer is
allocated if and only if a function reads or writes it.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.derive.sweeps import parameters_of
from specc.emit.pieces import Code, Function, gradients_of
from specc.ir.value import Shape
from specc.model.model import Model
from specc.targets.python.network import Functions
from specc.targets.python.parameters import views


@dataclass(frozen=True)
class Workspace:
    """The class `Workspace`, and what the docstring of the module says of it."""

    lines: tuple[Code, ...]
    layout_doc: Code
    samples: Code
    """What a step counts: samples, or positions in them."""


def workspace(model: Model, derived: Derived, made: Functions, wide: bool) -> Workspace:
    """Return the buffers that the functions need; `wide` tells of the faster kernel."""
    doc = _layout_doc(derived, carries_ones(derived, made), wide)
    return Workspace(
        lines=tuple(Code(line) for line in _lines(derived, made)),
        layout_doc=Code(textwrap.fill(doc, 88)),
        samples=Code("samples" if model.positions == 1 else "positions"),
    )


def carries_ones(derived: Derived, made: Functions) -> bool:
    """True if the input has a row of ones."""
    return given_x(made) != derived.forward.inputs[0].name


def given_x(made: Functions) -> str:
    """Return what functions call the input."""
    return made.training.forward.names[-2]


def _layout_doc(derived: Derived, ones: bool, wide: bool) -> str:
    if not derived.columns:
        rows = (
            "Samples are rows. Results are written to buffers that are kept for their"
            " batch size"
        )
        rows += (
            ", but for those of wide products, which take most of the time: what the"
            " faster kernel gives is new."
            if wide
            else "."
        )
        descent = (
            " The backward pass adds to what it is given: with the parameters in place"
            " of the gradients it is the update, which saves a pass over both."
        )
        return rows + descent if derived.descends else rows
    if not ones:
        return "Samples are columns, so that every block of activations is contiguous."
    return (
        "Samples are columns. A linear layer keeps weight and bias as one matrix [W b]"
        " and its input has a last row of ones, so z = [W b] [x; 1] is one product,"
        " and so is its derivative: dL/d[W b] = dL/dz [x; 1]^T. A name in _ones has"
        " that row, a name in _t is a transpose."
    )


def _steps(made: Functions) -> list[Function]:
    """Return the functions that write to the workspace."""
    own = made.training
    found = [own.forward, made.loss_gradient, own.backward, own.input_gradient]
    if made.evaluation is not None:
        other = made.evaluation
        found += [other.forward, other.backward, other.input_gradient]
    return found


def _slots(derived: Derived, made: Functions) -> dict[str, Shape]:
    """Return every array that a function writes, with the shape that it has first."""
    x = derived.forward.inputs[0]
    slots: dict[str, Shape] = {}
    if carries_ones(derived, made):
        slots[x.name] = x.shape
    slots |= {mask.name: mask.shape for mask in derived.masks}
    for function in _steps(made):
        for statement in function.printed.statements:
            slots.setdefault(statement.value.slot, statement.value.shape)
    return slots


def _lines(derived: Derived, made: Functions) -> list[str]:
    """Allocate every slot once; what is read with a row of ones carries that row."""
    x, last = derived.forward.inputs[0].name, derived.loss.inputs[0].name
    carrying = {name for each in made.every for name in each.printed.carrying_ones}
    fresh = {name for each in made.every for name in each.printed.fresh}
    gradients = gradients_of(value.name for value in parameters_of(derived.forward))
    outer = {last, f"d_{last}", *(mask.name for mask in derived.masks)}
    lines = []
    for slot, shape in _slots(derived, made).items():
        if slot in fresh:
            lines.append(f"self.{slot} = like  # each step makes its own")
            continue
        if slot in gradients:
            continue
        sizes = [str(dim) for dim in shape]
        if slot in carrying and derived.columns:
            sizes[0] = str(int(sizes[0]) + 1)
            lines.append(f"self.{slot}_ones = like.new_ones({', '.join(sizes)})")
            rows = ".t()  # rows, to be filled" if slot == x else ""
            lines.append(f"self.{slot} = self.{slot}_ones[:-1]{rows}")
        elif derived.columns and slot in outer and sizes[0] != "1":
            lines.append(f"self.{slot} = like.new_empty({', '.join(sizes[::-1])}).t()")
        else:
            lines.append(f"self.{slot} = like.new_empty({', '.join(sizes)})")
    scalars = {
        name: text for m in made.every for name, text in m.printed.scalars.items()
    }
    lines += [
        f"self.{name} = like.new_full((), {text})" for name, text in scalars.items()
    ]
    return lines + views(made, "s")
