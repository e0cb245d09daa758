"""What a C module keeps beside its parameters, and how its Python module looks at it.

Takes a checked model, its Programs and its memory; gives the statements that start buffers and draw
masks, and the views of both.
"""

from __future__ import annotations

import math
from typing import Any

from specc.derive.derived import Derived
from specc.derive.network import identifier
from specc.emit.headings import said
from specc.emit.pieces import Code
from specc.model.model import Clause, Model, rows_in
from specc.targets.c.functions import commented
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.names import member
from specc.targets.python.batch import by


def c_state_view(model: Model, derived: Derived, kept: Memory) -> dict[str, Any]:
    """Give the view."""
    standardize = model.standardize
    own = identifier(standardize.name) if standardize is not None else ""
    return {
        "has_buffers": bool(model.buffers),
        "has_masks": kept.draws,
        "modes": derived.evaluation is not None,
        "tracks": derived.track is not None,
        "moves_on_one": model.moves_on_one,
        "standardizes": standardize is not None,
        "counts_alone": kept.counts_updates and not derived.optimizer_counts,
        "run_buffers": Code(str(2 + kept.restores)),
        "in_training": Code(
            ", training=True" if derived.evaluation is not None else ""
        ),
        "buffered": Code(str(kept.buffered)),
        "buffer_starts": [
            Code(
                f"for (int c = 0; c < {math.prod(buffer.shape)}; c++)"
                f" m->buffers.{member(identifier(name))}[c] = {buffer.start:g};"
            )
            for name, buffer in model.buffers.items()
            if buffer.start
        ],
        **_arguments(derived.evaluation is not None, kept.draws),
        "draw_lines": _draws(model, derived, kept),
        "mean_of_samples": Code(member(f"{own}_mean")),
        "std_of_samples": Code(member(f"{own}_std")),
        "features": Code(str(model.row_shape[-1])),
        "standardize_says": Code(
            said(model, Clause(standardize.use, standardize.span))
            if standardize is not None
            else ""
        ),
    }


def _arguments(modes: bool, draws: bool) -> dict[str, Code]:
    """Give what functions take of the mode, and of how many samples went before."""
    return {
        "first_argument": Code("size_t first, " if draws else ""),
        "first_call": Code("done, " if draws else ""),
        "first_zero": Code("0, " if draws else ""),
        "training_argument": Code("bool training, " if modes else ""),
        "training_call": Code("training, " if modes else ""),
        "training_true": Code("true, " if modes else ""),
        "training_last": Code(", int training" if modes else ""),
    }


def _draws(model: Model, derived: Derived, kept: Memory) -> list[Code]:
    """Draw every mask, each from the stream of its layer and update."""
    lines: list[Code] = []
    for node in model.nodes:
        if not node.layer.dropped:
            continue
        name = f"{identifier(node.name)}_mask"
        a = kept.arrays.samples[name]
        own = rows_in(node.input_shape) if model.rows_differ else 1
        rows, first = by("n", own), by("first", own)
        lines += commented(f"{node.name}: {said(model, Clause(node.use, node.span))}")
        lines += [
            Code(
                f'key = numbered(named("dropout/{node.name}/"), (uint32_t)m->updates);'
            ),
            Code(
                f"drop(m->{member(name)}, {rows}, {a.width}, {a.pitch},"
                f" keyed(m->seed, key), {first}, {node.layer.dropped!r});"
            ),
        ]
    return lines
