"""What no gradient moves: buffers, the functions that make and read them, and masks.

A comment beside a line of code is the derivation that its Value carries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from specc.derive.derived import Derived
from specc.derive.network import identifier
from specc.emit.expressions import ExpressionPrinter
from specc.emit.headings import said
from specc.emit.language import Language, Words
from specc.emit.pieces import Code, Function, comment, derivation_of, function
from specc.emit.places import Names, sentence
from specc.ir.value import BATCH_NAME
from specc.model.model import Clause, Model, Node, rows_in


@dataclass(frozen=True)
class Buffers:
    """How the buffers are declared; a module without buffers has none of the lines."""

    shapes: tuple[Code, ...]
    """An entry of a dict for each buffer."""
    lines: tuple[Code, ...]
    """The views of the class `Buffers`."""
    named: tuple[Code, ...]
    starts: tuple[Code, ...]
    """The statements that set what does not start at 0."""
    untracked: tuple[Code, ...]
    """The names that torch's layers have beside these."""
    whole: Code
    """The attribute of `Model` that has all numbers of its state."""
    size: Code
    """The count of parameters and buffers."""


def buffers(model: Model, words: Words) -> Buffers:
    """Return the declarations of the buffers."""
    count = sum(math.prod(buffer.shape) for buffer in model.buffers.values())
    size = sum(math.prod(p.shape) for p in model.parameters.values())
    starts = {
        name: buffer.start for name, buffer in model.buffers.items() if buffer.start
    }
    return Buffers(
        shapes=shapes(model),
        lines=_lines(model),
        named=named(model),
        starts=tuple(
            Code(words.fill.format(f"self._b.{identifier(name)}", start))
            for name, start in starts.items()
        ),
        untracked=untracked(model),
        whole=whole(model),
        size=Code(str(size + count)),
    )


def shapes(model: Model) -> tuple[Code, ...]:
    """Return the entries of the constant `BUFFERS`."""
    return tuple(
        Code(f'"{name}": {buffer.shape}') for name, buffer in model.buffers.items()
    )


def named(model: Model) -> tuple[Code, ...]:
    """Return the name of each buffer with its view."""
    return tuple(Code(f'"{name}": self.{identifier(name)}') for name in model.buffers)


def untracked(model: Model) -> tuple[Code, ...]:
    """Return the names of torch's counts of batches, which a module does without."""
    return tuple(
        Code(f'"{node.name}.num_batches_tracked"')
        for node in model.nodes
        if "running_mean" in node.buffers
    )


def whole(model: Model) -> Code:
    """Return the attribute of `Model` that has all numbers of its state."""
    return Code("_flat" if model.buffers else "flat_parameters")


def _lines(model: Model) -> tuple[Code, ...]:
    lines, start = [], 0
    for name, buffer in model.buffers.items():
        end = start + math.prod(buffer.shape)
        lines.append(Code(f"self.{identifier(name)} = flat[{start}:{end}]"))
        start = end
    return tuple(lines)


@dataclass(frozen=True)
class StateFunctions:
    """The functions, None where the network has no use for one."""

    standardize: Function | None
    standardize_backward: Function | None
    measure: Function | None
    track: Function | None


def state_functions(
    model: Model, derived: Derived, target: Language, names: Names
) -> StateFunctions:
    """Print the functions."""
    array, x = target.words.array, model.input.name
    standardize = standardize_backward = measure = track = None
    if derived.standardize is not None:
        assert model.standardize is not None
        own = said(model, Clause(model.standardize.use, model.standardize.span))
        standardize = function(
            derived.standardize,
            target,
            names.places(x),
            {"buffers": "Buffers", x: array},
            f"{own}: (x - mean) / std + offset.",
            derivation_of,
        )
    if derived.standardize_backward is not None:
        d_x = f"d_{names.x}"
        standardize_backward = function(
            derived.standardize_backward,
            target,
            names.places(d_x),
            {"buffers": "Buffers", d_x: array},
            sentence(derived.standardize_backward, x),
            derivation_of,
        )
    if derived.measure is not None:
        measure = function(
            derived.measure,
            replace(target, workspace=False, printer=ExpressionPrinter),
            replace(names.places(x, "origin"), kept=frozenset()),
            {"buffers": "Buffers", x: array, "origin": array},
            "Set mean and std to those of x, offset to what rounding the mean left out.",
            derivation_of,
        )
    if derived.track is not None:
        saved = "Workspace" if target.workspace else "Saved"
        track = function(
            derived.track,
            target,
            names.places(BATCH_NAME),
            {"buffers": "Buffers", "s": saved, BATCH_NAME: "int"},
            "Move the running statistics towards those of this batch.",
            derivation_of,
        )
    return StateFunctions(standardize, standardize_backward, measure, track)


def mask_lines(model: Model, derived: Derived, target: Language) -> tuple[Code, ...]:
    """Return the statements that draw every mask, each from the stream of its layer."""
    lines: list[Code] = []
    turned = ".t()" if derived.columns else ""
    for node in model.nodes:
        if not node.layer.dropped:
            continue
        name = f"{identifier(node.name)}_mask"
        lines += comment(f"{node.name}: {said(model, Clause(node.use, node.span))}")
        rate = repr(node.layer.dropped)
        if target.workspace:
            mask = f"s.{name}{turned}"
            lines.append(Code(f'drop({mask}, seed, "{node.name}", t, {rate})'))
        else:
            stream = f'f"dropout/{node.name}/{{t}}"'
            shape = f"({_rows(model, node)}, {model.rows(node.input_shape)[1]})"
            made = f"mask(seed, {stream}, {shape}, {rate}).astype(x.dtype)"
            lines.append(Code(f"s.{name} = {made}"))
    return tuple(lines)


def _rows(model: Model, node: Node) -> str:
    """Count the rows of what a layer takes from those of x."""
    own, of_x = rows_in(node.input_shape), rows_in(model.row_shape)
    if not model.rows_differ or own == of_x:
        return "len(x)"
    if own % of_x == 0:
        return f"{own // of_x} * len(x)"
    return f"{own} * len(x) // {of_x}" if own > 1 else f"len(x) // {of_x}"
