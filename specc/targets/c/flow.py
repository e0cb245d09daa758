"""How samples go in and out of the functions of a C module: text for the templates of training.

Takes a checked model, its Programs and its memory.
"""

from __future__ import annotations

from typing import Any

from specc.derive.derived import Derived
from specc.emit.pieces import Code
from specc.ir.program import Program
from specc.ir.value import Value
from specc.model.model import Model, rows_in
from specc.targets.c.functions import number
from specc.targets.c.memory.rows import Array
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.names import member
from specc.targets.python.batch import by


def predicted_name(derived: Derived, kept: Memory) -> str:
    """Name the array that has the prediction."""
    if kept.output is None:
        return derived.loss.inputs[0].name
    return kept.output.outputs[0][1].slot


def flow_view(model: Model, derived: Derived, kept: Memory) -> dict[str, Any]:
    """Give what the templates need to know of how samples go in and come out."""
    x = (derived.standardize or derived.forward).inputs[0]
    label = derived.loss.inputs[1]
    last, positions = derived.loss.inputs[0].name, kept.positions
    samples = kept.arrays.samples
    figures = figures_of(model, derived)
    means = ["loss"] * (not derived.sums) + [m.figure for m in derived.metrics]

    def rows(n: str) -> Code:
        return Code(n if positions == 1 else f"{n} * {positions}")

    of_x, of_last = rows_in(model.row_shape), rows_in(model.output_shape)
    if label.dtype == "int":
        take_y = _labels(label, of_last)
    else:
        take_y = _copied(label.name, "y", samples[label.name], of_last)
    return {
        "figure_members": [Code(f"double {name};") for name in figures],
        "figures": [Code(name) for name in means],
        "times_n": Code("" if derived.sums else " * n"),
        "times_part": Code("" if derived.sums else " * part"),
        "over_n": Code("" if derived.sums else " / (double)n"),
        "kind_of_loss": Code("loss" if derived.sums else "mean loss"),
        "total_loss": derived.sums,
        "summarized": bool(derived.summaries),
        "summary_lines": [
            Code(f"means->{each.figure} = {_of_means(each.program)};")
            for each in derived.summaries
        ],
        "metrics_read_output": kept.output is not None and bool(derived.metrics),
        "rows_of_n": rows("n"),
        "rows_of_part": rows("part"),
        "rows_of_int_n": rows("(int)n"),
        "times_positions": Code("" if positions == 1 else f" * {positions}"),
        "output_width": Code(str(model.output_shape[-1])),
        "predicted": Code(member(predicted_name(derived, kept))),
        "predicted_at": Code(_times("s", samples[last].pitch)),
        "input_width": Code(str(model.row_shape[-1])),
        "input_at": Code(_times("s", samples[x.name].pitch)),
        "d_input": Code(member(f"d_{x.name}")),
        "rows_of_prediction": Code(by("part", of_last)),
        "rows_of_input": Code(by("part", of_x)),
        "times_rows": Code(by("", of_x)),
        "take_x": _copied(x.name, "x", samples[x.name], of_x),
        "take_y": take_y,
    }


def figures_of(model: Model, derived: Derived) -> list[str]:
    """Name every figure: what is shown first, then what that is made of."""
    shown = ["loss", *(metric.use.entry.name for metric in model.metrics)]
    return [*shown, *(each.figure for each in derived.metrics if each.says)]


def _of_means(program: Program) -> str:
    ((_, result),) = program.outputs
    return number(
        result, {value.name: f"means->{value.name}" for value in program.inputs}
    )


def _times(index: str, size: int) -> str:
    return index if size == 1 else f"{index} * {size}"


def _copied(name: str, given: str, array: Array, positions: int) -> list[Code]:
    """Copy one sample, number k of those given, to row s of the workspace."""
    width, pitch = array.width, array.pitch
    to = f"m->{member(name)}"
    where = "if (y) " if given == "y" else ""
    if positions == 1 or width == pitch:
        count = width * positions
        if count == 1:
            return [Code(f"{where}{to}[{_times('s', pitch)}] = {given}[k];")]
        at, of = _times("s", pitch * positions), _times("k", count)
        size = _times(f"sizeof *{given}", count)
        return [Code(f"{where}memcpy({to} + {at}, {given} + {of}, {size});")]
    at = f"(s * {positions} + q) * {pitch}"
    of = f"(k * {positions} + (size_t)q) * {width}"
    return [
        Code(f"for (int q = 0; {'y && ' if where else ''}q < {positions}; q++)"),
        Code(f"  memcpy({to} + {at}, {given} + {of}, {width} * sizeof *{given});"),
    ]


def _labels(label: Value, positions: int) -> list[Code]:
    to = f"m->{member(label.name)}"
    if positions == 1:
        return [Code(f"if (y) {to}[s] = y[k];")]
    copy = (
        f"memcpy({to} + s * {positions}, y + k * {positions}, {positions} * sizeof *y);"
    )
    return [Code(f"if (y) {copy}")]
