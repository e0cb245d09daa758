"""What the Python module of a C target needs to know of the source beside it.

Takes a checked model, its Programs and its memory.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.emit.pieces import Code
from specc.model.model import Model
from specc.targets.c.memory.rows import padded
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.printing.functions import codes
from specc.targets.c.topics.starts import named_views
from specc.targets.c.topics.steps import figures_of
from specc.targets.python import state
from specc.targets.python.loop import rated_by_length
from specc.targets.python.methods import (
    Methods,
    array_methods,
    beginning,
    gradients_doc,
    standardize_name,
)
from specc.targets.python.state import Buffers


@dataclass(frozen=True)
class Binding:
    """How the Python module looks at the memory of the source, and calls it."""

    says: tuple[Code, ...]
    padded: Code
    """How many numbers the source keeps for the parameters."""
    figure_names: Code
    shown_count: Code
    chunk: Code
    """How many updates are done before Ctrl-C is looked for."""
    held: Code
    """How many samples the source works on at once."""
    named: tuple[Code, ...]
    """The views of the parameters."""
    model_bytes: Code
    model_bytes_double: Code
    workspace_bytes: Code
    workspace_bytes_double: Code
    sizes: Code
    """Of a model, a workspace and a run, in bytes."""
    sizes_double: Code
    vectors: Code
    """How many vectors as long as the parameters a model has before its workspace."""
    state_views: tuple[Code, ...]
    counts_alone: bool
    """Whether the source counts updates that no optimizer counts."""
    modes: bool
    """Whether training has another network than prediction."""
    tracks: bool
    """Whether layers track what they see, and so need a whole batch."""
    total_loss: bool
    """Whether the loss is a sum over samples."""
    standardizes: bool
    code: Code
    """How a Model finds the library for samples x."""
    measured: Code
    """Where in a model's memory it says whether it was measured."""
    in_parts: bool
    """Whether a step of more samples than the source holds is made of gradients here."""
    in_training: Code
    length_type: Code
    """The type of the argument of `begin` that is the length of the run, with a comma."""


def binding(model: Model, derived: Derived, kept: Memory, stem: str) -> Binding:
    """Return what the Python module needs."""
    names = figures_of(model, derived)
    counted, vectors = kept.counts_updates, 1 + len(kept.state)
    looks = [f'"{name}": {_vector(i, kept)}' for i, name in enumerate(kept.state, 1)]
    tracks = derived.track is not None
    return Binding(
        says=codes(
            textwrap.wrap(
                f"The arithmetic is in {stem}.c, which is built once, when the first Model is"
                " made, and kept in a cache. Arrays are handed over as they are, and so are"
                " torch tensors on the CPU.",
                86,
            )
        ),
        padded=Code(str(kept.arrays.size)),
        figure_names=Code(
            ", ".join(f'"{name}"' for name in names) + "," * (len(names) == 1)
        ),
        shown_count=Code(str(1 + len(model.metrics))),
        chunk=Code(str(_chunk(model))),
        held=Code(str(kept.samples)),
        named=tuple(named_views(model, kept.arrays)),
        model_bytes=Code(str(kept.model_bytes(4))),
        model_bytes_double=Code(str(kept.model_bytes(8))),
        workspace_bytes=Code(str(kept.workspace_bytes(4))),
        workspace_bytes_double=Code(str(kept.workspace_bytes(8))),
        sizes=Code(_sizes(kept, 4)),
        sizes_double=Code(_sizes(kept, 8)),
        vectors=Code(str(vectors)),
        state_views=codes(looks + ['"updates": memory[-8:].view(np.int64)'] * counted),
        counts_alone=counted and not derived.optimizer_counts,
        modes=derived.evaluation is not None,
        tracks=tracks,
        total_loss=derived.sums,
        standardizes=model.standardize is not None,
        code=Code("_c" if model.standardize is None else "_code(x)"),
        measured=Code(_measured(kept)),
        in_parts=not (tracks or kept.keeps_gradient),
        in_training=Code(", training=True" if derived.evaluation is not None else ""),
        length_type=Code(", ctypes.c_int32" * rated_by_length(model)),
    )


def _measured(kept: Memory) -> str:
    behind = 8 * (kept.draws + kept.counts_updates)
    return f"-{behind + 8}:{f'-{behind}' if behind else ''}"


def _sizes(kept: Memory, real: int) -> str:
    sizes = kept.model_bytes(real), kept.workspace_bytes(real), kept.run_bytes(real)
    return f"({', '.join(map(str, sizes))})"


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
    measure = f"self._code(x).{model.name}_measure(self._m, address(x), len(x))"
    standardizes = model.standardize is not None
    parts = array_methods(
        model, derived.evaluation is not None, keeps, "c/predict.py.j2"
    )
    return Methods(
        parts=tuple(parts),
        run=("c/finish_best.py.j2" if kept.restores else "python/finish.py.j2",),
        epochs="c/epochs.py.j2",
        gradients_doc=gradients_doc(overwritten=False),
        measure=(Code(measure),) if standardizes else (),
        standardize=standardize_name(model),
        run_length=Code("self.epochs"),
        clear=(Code("self.flat_parameters[:] = 0  # its padding too"),),
        append_rows=(
            Code("self.table = np.vstack([kept, np.reshape(numbers, (len(new), -1))])"),
        ),
        reduced_length=Code("2"),
        begin=beginning(True),
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
    """Return how many updates take a tenth of a second or so, at 10^10 operations a second."""
    weights = sum(math.prod(p.shape) for p in model.parameters.values())
    operations = 6 * weights * model.train.batch_size * math.prod(model.row_shape[:-1])
    return max(1, 2**30 // operations)
