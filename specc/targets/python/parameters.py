"""What the class `Parameters` holds: every parameter as a view into one flat array.

Takes the printed functions, gives statements. Invariant: a further view is kept if and only if a
function names it.
"""

from __future__ import annotations

import math
from typing import Any

from specc.derive.derive import Derived, parameters_of
from specc.emit.pieces import Code, Function, dims
from specc.ir.ir import Shape
from specc.ir.target import Target
from specc.model.model import Model


def arrays_view(
    model: Model, derived: Derived, target: Target, view: dict[str, Any]
) -> dict[str, Any]:
    """Give the lines of `Parameters`, and of `Saved` where functions make their arrays."""
    lines = _parameter_lines(derived, target, view)
    arrays = {
        "parameter_lines": [Code(line) for line in lines],
        "named": [Code(line) for line in _named(model)],
    }
    if not target.workspace:
        arrays["saved_lines"] = _saved_lines(derived, target, view)
    return arrays


def _parameter_lines(
    derived: Derived, target: Target, view: dict[str, Any]
) -> list[str]:
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
    return lines + [line for line in views(view, "p.") if line not in known]


def _named(model: Model) -> list[str]:
    """Name every parameter in torch's layout, as a view of what `Parameters` holds."""
    entries = []
    for node in model.nodes:
        base = node.name.replace(".", "_")
        for short in node.parameters:
            entries.append(f'"{node.name}.{short}": self.{base}_{short}')
    return entries


def _saved_lines(derived: Derived, target: Target, view: dict[str, Any]) -> list[Code]:
    """Declare every array that one function leaves to another, with its shape."""
    found: dict[str, Shape] = {mask.name: mask.shape for mask in derived.masks}
    passes = ("forward", "backward", "evaluation_forward", "evaluation_backward")
    for made in (view[key] for key in passes if view[key] is not None):
        for statement in made.printed.statements:
            name, _, _ = statement.code.partition(" = ")
            if name.startswith("s."):
                found.setdefault(name.removeprefix("s."), statement.value.shape)
    array = target.words.array
    return [Code(f"{name}: {array}  # {dims(shape)}") for name, shape in found.items()]


def views(view: dict[str, Any], owner: str) -> list[str]:
    """Give the kept views of the attributes of `p.` or `s.`, an assignment each."""
    lines: dict[str, None] = {}
    for made in view.values():
        if not isinstance(made, Function):
            continue
        for seen in made.printed.views:
            if f"{seen.owner}." == owner:
                how = seen.how.format(f"self.{seen.of}")
                lines[f"self.{seen.name} = {how}"] = None
    return list(lines)
