"""What the class `Parameters` has: every parameter as a view into one flat array.

Takes the printed functions, gives statements. Invariant: a further view is kept if and only if a
function names it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from specc.derive.derive import Derived, parameters_of
from specc.derive.network import identifier
from specc.emit.pieces import Code
from specc.ir.target import Target
from specc.model.model import Model
from specc.targets.python.network import Functions


@dataclass(frozen=True)
class Parameters:
    """The class `Parameters`."""

    lines: tuple[Code, ...]
    named: tuple[Code, ...]
    """Every parameter by its name, in torch's layout."""


def parameters(
    model: Model, derived: Derived, target: Target, made: Functions
) -> Parameters:
    """Return the views that the functions need."""
    lines = []
    start = 0
    for value in parameters_of(derived.forward):
        sizes = [dim for dim in value.shape if isinstance(dim, int)]
        end = start + math.prod(sizes)
        part = f"flat[{start}:{end}]"
        if len(sizes) > 1 or target.workspace:
            shape = ", ".join(str(size) for size in sizes)
            part += f".{target.words.reshape}({shape})"
        lines.append(f"self.{value.name} = {part}")
        start = end
        if value.name.endswith("_matrix"):
            base = f"self.{value.name.removesuffix('_matrix')}"
            lines.append(f"{base}_weight = self.{value.name}[:, :-1]")
            lines.append(f"{base}_bias = self.{value.name}[:, -1]")
    known = frozenset(lines)
    lines += [line for line in views(made, "p") if line not in known]
    return Parameters(tuple(Code(line) for line in lines), _named(model))


def _named(model: Model) -> tuple[Code, ...]:
    return tuple(
        Code(f'"{node.name}.{short}": self.{identifier(node.name)}_{short}')
        for node in model.nodes
        for short in node.parameters
    )


def views(made: Functions, owner: str) -> list[str]:
    """Return the kept views of the attributes of an object, `p` or `s`, an assignment each."""
    found = [view for each in made.every for view in each.printed.views]
    lines = [
        f"self.{view.name} = {view.how.format(f'self.{view.of}')}"
        for view in found
        if view.owner == owner
    ]
    return list(dict.fromkeys(lines))
