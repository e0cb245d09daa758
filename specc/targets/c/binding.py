"""What the Python module of a C target needs to know of the source beside it.

Takes a checked model, its Programs and its memory, gives the part of the view.
"""

from __future__ import annotations

import math
from typing import Any

from specc.derive.derived import Derived
from specc.emit.pieces import Code
from specc.model.model import Model
from specc.targets.c.flow import figures_of
from specc.targets.c.memory.rows import padded
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.starts import named_views
from specc.targets.python import state
from specc.targets.python.methods import Methods, array_methods, gradients_doc
from specc.targets.python.state import Buffers


def binding_view(model: Model, derived: Derived, kept: Memory) -> dict[str, Any]:
    """Give what the Python module needs."""
    figures = figures_of(model, derived)
    return {
        "shown_count": Code(str(1 + len(model.metrics))),
        "has_state": bool(kept.state) or kept.counts_updates,
        "padded": Code(str(kept.arrays.size)),
        "chunk": Code(str(_chunk(model))),
        "vectors": Code(str(1 + len(kept.state))),
        "state_views": [
            Code(f'"{name}": {_vector(i, kept)}')
            for i, name in enumerate(kept.state, 1)
        ]
        + [Code('"updates": memory[-8:].view(np.int64)')] * kept.counts_updates,
        "run_vectors": Code(str(2 * (1 + len(kept.state)) + kept.restores)),
        "before_views": [
            Code(f'"{name}": vectors[{2 * i}:{2 * i + 2}]')
            for i, name in enumerate(kept.state, 1)
        ]
        + [Code('"updates": counts')] * kept.counts_updates,
        "samples_held": Code(str(kept.samples)),
        "named": named_views(model, kept.arrays),
        "figure_names": Code(
            ", ".join(f'"{name}"' for name in figures) + "," * (len(figures) == 1)
        ),
    }


def bound_buffers(model: Model, kept: Memory) -> Buffers:
    """Return the declarations of the buffers, which lie as in C."""
    return Buffers(
        shapes=state.shapes(model),
        lines=tuple(_views(kept)),
        named=state.named(model),
        starts=(),
        untracked=state.untracked(model),
        whole=state.whole(model),
        size=Code(str(kept.buffered)),
    )


def _views(kept: Memory) -> list[Code]:
    """Look at each buffer within all of them."""
    lines, start = [], 0
    for name, width in kept.arrays.buffers.items():
        lines.append(Code(f"self.{name} = flat[{start}:{start + width}]"))
        start += padded(width)
    return lines


def bound_methods(model: Model, derived: Derived, kept: Memory) -> Methods:
    """Return the methods of `Model` that NumPy's has too."""
    keeps = bool(kept.state) or kept.counts_updates
    measure = f"self._c.{model.name}_measure(self._m, address(x), len(x))"
    standardizes = model.standardize is not None
    parts = array_methods(
        model, derived.evaluation is not None, keeps, "c/predict.py.j2"
    )
    return Methods(
        parts=tuple(parts),
        run=(),
        epochs="c/epochs.py.j2",
        gradients_doc=gradients_doc(overwritten=False),
        measure=(Code(measure),) if standardizes else (),
        clear=(Code("self.flat_parameters[:] = 0  # its padding too"),),
        state=keeps,
        forget=Code("vector[:] = 0"),
    )


def _vector(i: int, kept: Memory) -> str:
    """Look at vector i of the model's memory, behind the parameters and the buffers."""
    if not kept.buffered:
        return f"numbers[{i} * PADDED : {i + 1} * PADDED]"
    start, end = (f"{kept.buffered} + {j} * PADDED" for j in (i, i + 1))
    return f"numbers[{start} : {end}]"


def _chunk(model: Model) -> int:
    """Give how many updates take a tenth of a second or so, at ten thousand million a second."""
    weights = sum(math.prod(p.shape) for p in model.parameters.values())
    operations = 6 * weights * model.train.batch_size * math.prod(model.row_shape[:-1])
    return max(1, 2**30 // operations)
