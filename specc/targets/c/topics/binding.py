"""What the Python module of a C target needs to know of the source beside it.

Takes a checked model, its Programs and its memory, gives the part of the view.
"""

from __future__ import annotations

import math
import textwrap
from typing import Any

from specc.derive.derive import Derived
from specc.emit.pieces import Code
from specc.model.model import Model
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.topics.starts import named_views
from specc.targets.c.topics.steps import figures_of
from specc.targets.numpy.operations import NUMPY
from specc.targets.python.functions import summaries_view
from specc.targets.python.schedule import schedule_view


def binding_view(
    model: Model, derived: Derived, kept: Memory, stem: str
) -> dict[str, Any]:
    """Give what the Python module needs."""
    figures = figures_of(model, derived)
    return {
        **schedule_view(model, derived, NUMPY),
        **summaries_view(model, derived, NUMPY),
        "shown_count": Code(str(1 + len(model.metrics))),
        "in_c": True,
        "binding_says": [
            Code(line)
            for line in textwrap.wrap(
                f"The arithmetic is in {stem}.c, which is built once, when the first Model is"
                " made, and kept in a cache. Arrays are handed over as they are, and so are"
                " torch tensors on the CPU.",
                86,
            )
        ],
        "shuffle": model.train.shuffle,
        "keeps_gradient": kept.keeps_gradient,
        "counts_updates": kept.counts_updates,
        "total_loss": derived.sums,
        "model_bytes": Code(str(kept.model_bytes(4))),
        "model_bytes_double": Code(str(kept.model_bytes(8))),
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
