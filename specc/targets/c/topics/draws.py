"""What dropout drops, and what layers remember at the start: statements of C.

Takes a checked model and its memory.
"""

from __future__ import annotations

import math

from specc.derive.network import identifier
from specc.emit.headings import said
from specc.emit.pieces import Code
from specc.model.model import Clause, Model, rows_in
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.names import member
from specc.targets.c.printing.functions import codes, commented
from specc.targets.c.printing.indexing import times


def buffer_starts(model: Model) -> tuple[Code, ...]:
    """Write the loops that fill buffers which do not start at zero."""
    return codes(
        f"for (int c = 0; c < {math.prod(buffer.shape)}; c++)"
        f" m->buffers.{member(identifier(name))}[c] = {buffer.start:g};"
        for name, buffer in model.buffers.items()
        if buffer.start
    )


def draws(model: Model, kept: Memory) -> list[Code]:
    """Draw every mask, each from the stream of its layer and update."""
    lines: list[Code] = []
    for node in model.nodes:
        if not node.layer.dropped:
            continue
        name = f"{identifier(node.name)}_mask"
        a = kept.arrays.samples[name]
        own = rows_in(node.input_shape) if model.rows_differ else 1
        rows, first = times("n", own), times("first", own)
        lines += commented(f"{node.name}: {said(model, Clause(node.use, node.span))}")
        lines += [
            Code(
                f'key = numbered(named("dropout/{node.name}/"), (uint32_t)m->updates);'
            ),
            Code(
                f"drop(w->{member(name)}, {rows}, {a.width}, {a.pitch},"
                f" keyed(m->seed, key), {first}, {node.layer.dropped!r});"
            ),
        ]
    return lines
