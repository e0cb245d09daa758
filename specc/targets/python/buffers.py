"""The state of layers that no gradient moves: running statistics, means and deviations of x."""

from __future__ import annotations

import math
from dataclasses import dataclass

from specc.derive.network import identifier
from specc.emit.language import Words
from specc.emit.pieces import Code
from specc.model.model import Model


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
