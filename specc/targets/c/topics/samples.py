"""How samples lie in the arguments and in the workspace, and how they go from there to here.

Takes a checked model, its Programs and its memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.derive.network import identifier
from specc.emit.pieces import Code
from specc.ir.value import Value
from specc.library.network.norms import CONSTANT
from specc.model.domain import domain_of
from specc.model.model import Model, rows_in
from specc.targets.c.memory.rows import Array
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.names import member
from specc.targets.c.printing.functions import codes
from specc.targets.c.printing.indexing import times
from specc.targets.c.topics.passes import predicted_name


@dataclass(frozen=True)
class Samples:
    """The types and the places of samples."""

    x_type: Code
    """Of a sample in the header."""
    target_type: Code
    """Of a target in the header."""
    label_type: Code
    """The same in the source."""
    defined: Code | None
    """Whether the loss is defined for `target[j]`; None if it is for any number."""
    defined_says: Code
    defined_doc: Code
    """What happens to others, for the header; may be empty."""
    take: tuple[Code, ...]
    """Copies sample k of those given to row s of the workspace."""
    give: tuple[Code, ...]
    """Copies the prediction of part of the samples, from number `at` on."""
    give_dx: tuple[Code, ...]
    """Copies dL/d(the input) of part of the samples, from number `done` on."""
    input_width: Code
    rows: Code
    """How many rows n samples have."""


@dataclass(frozen=True)
class Standardize:
    """The buffers of a network that standardizes its samples."""

    mean: Code
    std: Code
    offset: Code
    constant: Code = Code(repr(CONSTANT))
    """The share of its mean that a constant feature may deviate from it."""


def standardize(model: Model) -> Standardize | None:
    """Name the buffers."""
    if model.standardize is None:
        return None
    own = identifier(model.standardize.name)
    names = (member(f"{own}_{short}") for short in ("mean", "std", "offset"))
    return Standardize(*map(Code, names))


def samples(model: Model, derived: Derived, kept: Memory) -> Samples:
    """Return how samples lie in memory."""
    x = (derived.standardize or derived.forward).inputs[0]
    label = derived.loss.inputs[1]
    last = derived.loss.inputs[0].name
    laid = kept.arrays.samples
    of_x, of_last = rows_in(model.row_shape), rows_in(model.output_shape)
    taken = _copied(x.name, "x", laid[x.name], of_x)
    if model.standardize is not None:
        taken = _shifted(x.name, laid[x.name], of_x)
    if label.dtype == "int":
        taken += _labels(label, of_last)
    else:
        taken += _copied(label.name, "y", laid[label.name], of_last)
    predicted, upper = predicted_name(derived, kept), model.name.upper()
    text = _defined(model)
    return Samples(
        defined=None if text is None else Code(text[0]),
        defined_says=Code("" if text is None else text[1]),
        defined_doc=Code(
            f" Targets are {text[1]}: with any other the loss is NAN, and a step changes nothing."
            if text
            else ""
        ),
        x_type=Code(f"{model.name}_{'real' if model.standardize is None else 'input'}"),
        target_type=Code("int64_t" if label.dtype == "int" else f"{model.name}_real"),
        label_type=Code("int64_t" if label.dtype == "int" else "real"),
        take=tuple(taken),
        give=codes(
            _given(
                predicted, laid[last], of_last, "prediction", "at", f"{upper}_OUTPUT"
            )
        ),
        give_dx=codes(
            _given(f"d_{x.name}", laid[x.name], of_x, "dx", "done", f"{upper}_INPUT")
        ),
        input_width=Code(str(model.row_shape[-1])),
        rows=Code(times("n", of_x)),
    )


def _given(
    name: str, array: Array, positions: int, to: str, first: str, numbers: str
) -> list[str]:
    """Copy the rows of some samples, from number `first` on, to the caller's array."""
    of, size = f"w->{member(name)}", f"sizeof *{to}"
    if array.width == array.pitch:
        count = f"(size_t)part * {numbers}"
        return [f"memcpy({to} + {first} * {numbers}, {of}, {count} * {size});"]
    return [
        f"for (int s = 0; s < {times('part', positions)}; s++)",
        f"  memcpy({to} + {first} * {numbers} + s * {array.width}, {of} + s * {array.pitch},"
        f" {array.width} * {size});",
    ]


def _copied(name: str, given: str, array: Array, positions: int) -> list[Code]:
    """Copy one sample, number k of those given, to row s of the workspace."""
    width, pitch = array.width, array.pitch
    to = f"w->{member(name)}"
    where = "if (y) " if given == "y" else ""
    if positions == 1 or width == pitch:
        count = width * positions
        if count == 1:
            return [Code(f"{where}{to}[{times('s', pitch)}] = {given}[k];")]
        at, of = times("s", pitch * positions), times("k", count)
        size = times(f"sizeof *{given}", count)
        return [Code(f"{where}memcpy({to} + {at}, {given} + {of}, {size});")]
    at = f"(s * {positions} + q) * {pitch}"
    of = f"(k * {positions} + (size_t)q) * {width}"
    return [
        Code(f"for (int q = 0; {'y && ' if where else ''}q < {positions}; q++)"),
        Code(f"  memcpy({to} + {at}, {given} + {of}, {width} * sizeof *{given});"),
    ]


def _shifted(name: str, array: Array, positions: int) -> list[Code]:
    """Subtract the mean from the rows of one sample on their way to the workspace."""
    width, pitch = array.width, array.pitch
    to, row = f"w->{member(name)}", "s" if positions == 1 else f"(s * {positions} + q)"
    of = "k" if positions == 1 else f"(k * {positions} + (size_t)q)"
    line = f"shift_row(m, x + {times(of, width)}, {to} + {times(row, pitch)});"
    if positions == 1:
        return [Code(line)]
    return [Code(f"for (int q = 0; q < {positions}; q++)"), Code(f"  {line}")]


def _defined(model: Model) -> tuple[str, str] | None:
    """Return the condition on a target that the loss is defined for, in C and in words."""
    if model.target.dtype == "int":
        last = model.output_shape[-1] - 1
        return f"target[j] >= 0 && target[j] <= {last}", f"classes from 0 to {last}"
    domain = domain_of(model)
    if domain is None:
        return None
    least, most = domain
    return f"target[j] >= {least} && target[j] <= {most}", f"from {least} to {most}"


def _labels(label: Value, positions: int) -> list[Code]:
    to = f"w->{member(label.name)}"
    if positions == 1:
        return [Code(f"if (y) {to}[s] = y[k];")]
    copy = (
        f"memcpy({to} + s * {positions}, y + k * {positions}, {positions} * sizeof *y);"
    )
    return [Code(f"if (y) {copy}")]
