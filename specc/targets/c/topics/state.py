"""What a C module keeps beside its parameters, and how its Python module looks at it.

Takes a checked model, its Programs and its memory; gives the statements that start buffers and draw
masks, and the views of both.
"""

from __future__ import annotations

from typing import Any

from specc.derive.derive import Derived
from specc.derive.network import identifier
from specc.emit.pieces import Code
from specc.model.model import Model
from specc.targets.c.memory.rows import padded
from specc.targets.c.memory.sizes import Memory


def c_state_view(model: Model, derived: Derived, kept: Memory) -> dict[str, Any]:
    """Give the view."""
    standardize = model.standardize
    return {
        "has_buffers": bool(model.buffers),
        "has_masks": kept.draws,
        "modes": derived.evaluation is not None,
        "tracks": derived.track is not None,
        "moves_on_one": model.moves_on_one,
        "standardizes": standardize is not None,
        "counts_alone": kept.counts_updates and not derived.optimizer_counts,
        "whole": Code("_flat" if model.buffers else "flat_parameters"),
        "run_buffers": Code(str(2 + kept.restores)),
        "in_training": Code(
            ", training=True" if derived.evaluation is not None else ""
        ),
        "buffered": Code(str(kept.buffered)),
        "buffer_shapes": [
            Code(f'"{name}": {buffer.shape}') for name, buffer in model.buffers.items()
        ],
        "buffer_lines": _views(kept),
        "named_buffers": [
            Code(f'"{name}": self.{identifier(name)}') for name in model.buffers
        ],
        "untracked": [
            Code(f'"{node.name}.num_batches_tracked"')
            for node in model.nodes
            if "running_mean" in node.buffers
        ],
        "measure_call": Code(
            f"self._c.{model.name}_measure(self._m, address(x), len(x))"
        ),
    }


def _views(kept: Memory) -> list[Code]:
    """Look at each buffer within all of them."""
    lines, start = [], 0
    for name, width in kept.arrays.buffers.items():
        lines.append(Code(f"self.{name} = flat[{start}:{start + width}]"))
        start += padded(width)
    return lines
