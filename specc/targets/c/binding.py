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
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.starts import named_views
from specc.targets.numpy.operations import NUMPY
from specc.targets.python.functions import summaries_view
from specc.targets.python.schedule import schedule_view


def binding_view(model: Model, derived: Derived, kept: Memory) -> dict[str, Any]:
    """Give what the Python module needs."""
    figures = figures_of(model, derived)
    return {
        **schedule_view(model, derived, NUMPY),
        **summaries_view(model, derived, NUMPY),
        "shown_count": Code(str(1 + len(model.metrics))),
        "in_c": True,
        "has_state": bool(kept.state) or kept.counts_updates,
        "descends": True,
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
        "input_quoted": Code(f'"{model.input.name}"'),
    }


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
