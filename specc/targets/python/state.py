"""What a module keeps beside its parameters: buffers of layers, masks, the count of updates.

Takes the checked Model and its Programs, gives the functions that make and read them, and how they
are declared. A comment beside a line of code is the derivation that its Value carries.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from specc.derive.derived import Derived
from specc.derive.network import identifier
from specc.emit.headings import said
from specc.emit.language import Language
from specc.emit.pieces import Code, comment, derivation_of, function
from specc.emit.places import Names, sentence
from specc.ir.value import BATCH_NAME
from specc.model.model import Clause, Model, Node, rows_in
from specc.targets.python.expressions import ExpressionPrinter


def state_view(
    model: Model, derived: Derived, target: Language, names: Names
) -> dict[str, Any]:
    """Give the functions and the declarations."""
    view = _functions(model, derived, target, names)
    size = sum(math.prod(p.shape) for p in model.parameters.values())
    count = sum(math.prod(buffer.shape) for buffer in model.buffers.values())
    return view | {
        "has_buffers": bool(model.buffers),
        "has_masks": bool(derived.masks),
        "modes": derived.evaluation is not None,
        "tracks": derived.track is not None,
        "moves_on_one": model.moves_on_one,
        "standardizes": derived.standardize is not None,
        "whole": Code("_flat" if model.buffers else "flat_parameters"),
        "whole_size": Code(str(size + count)),
        "buffer_size": Code(str(count)),
        "buffer_shapes": [
            Code(f'"{name}": {buffer.shape}') for name, buffer in model.buffers.items()
        ],
        "buffer_lines": _buffer_lines(model),
        "named_buffers": [
            Code(f'"{name}": self.{identifier(name)}') for name in model.buffers
        ],
        "buffer_starts": [
            Code(target.words.fill.format(f"self._b.{identifier(name)}", buffer.start))
            for name, buffer in model.buffers.items()
            if buffer.start
        ],
        "untracked": [
            Code(f'"{node.name}.num_batches_tracked"')
            for node in model.nodes
            if "running_mean" in node.buffers
        ],
        "draw_lines": _draw_lines(model, derived, target),
    }


def _buffer_lines(model: Model) -> list[Code]:
    lines, start = [], 0
    for name, buffer in model.buffers.items():
        end = start + math.prod(buffer.shape)
        lines.append(Code(f"self.{identifier(name)} = flat[{start}:{end}]"))
        start = end
    return lines


def _draw_lines(model: Model, derived: Derived, target: Language) -> list[Code]:
    """Draw every mask, each from the stream of its layer and update."""
    lines: list[Code] = []
    turned = ".t()" if derived.columns else ""
    for node in model.nodes:
        if not node.layer.dropped:
            continue
        name = f"{identifier(node.name)}_mask"
        lines += comment(f"{node.name}: {said(model, Clause(node.use, node.span))}")
        stream = f'f"dropout/{node.name}/{{t}}"'
        rate = repr(node.layer.dropped)
        if target.workspace:
            lines.append(Code(f"drop(s.{name}{turned}, seed, {stream}, {rate})"))
        else:
            shape = f"({_rows(model, node)}, {model.rows(node.input_shape)[1]})"
            made = f"mask(seed, {stream}, {shape}, {rate}).astype(x.dtype)"
            lines.append(Code(f"s.{name} = {made}"))
    return lines


def _rows(model: Model, node: Node) -> str:
    """Count the rows of what a layer takes from those of x."""
    own, of_x = rows_in(node.input_shape), rows_in(model.row_shape)
    if not model.rows_differ or own == of_x:
        return "len(x)"
    if own % of_x == 0:
        return f"{own // of_x} * len(x)"
    return f"{own} * len(x) // {of_x}" if own > 1 else f"len(x) // {of_x}"


def _functions(
    model: Model, derived: Derived, target: Language, names: Names
) -> dict[str, Any]:
    """Give the functions that make or read what no gradient moves."""
    array, x = target.words.array, model.input.name
    view: dict[str, Any] = dict.fromkeys(
        ("standardize", "standardize_backward", "measure", "track")
    )
    if derived.standardize is not None and derived.measure is not None:
        assert (
            model.standardize is not None and derived.standardize_backward is not None
        )
        own = said(model, Clause(model.standardize.use, model.standardize.span))
        view["standardize"] = function(
            derived.standardize,
            target,
            names.places(x),
            {"buffers": "Buffers", x: array},
            f"{own}: (x - mean) / std.",
            derivation_of,
        )
        d_x = f"d_{names.x}"
        view["standardize_backward"] = function(
            derived.standardize_backward,
            target,
            names.places(d_x),
            {"buffers": "Buffers", d_x: array},
            sentence(derived.standardize_backward, x),
            derivation_of,
        )
        view["measure"] = function(
            derived.measure,
            replace(target, workspace=False, printer=ExpressionPrinter),
            replace(names.places(x, "origin"), kept=frozenset()),
            {"buffers": "Buffers", x: array, "origin": array},
            "Set mean and std to those of x; sums are of how it differs from a sample.",
            derivation_of,
        )
    if derived.track is not None:
        saved = "Workspace" if target.workspace else "Saved"
        view["track"] = function(
            derived.track,
            target,
            names.places(BATCH_NAME),
            {"buffers": "Buffers", "s": saved, BATCH_NAME: "int"},
            "Move the running statistics towards those of this batch.",
            derivation_of,
        )
    return view
