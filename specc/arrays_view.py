"""What the classes `Parameters` and `Workspace` hold: every array once, and the views of it.

Takes the printed functions, gives statements. Invariant: an array is allocated if and only if a
function reads or writes it, and a view is kept if and only if a function names it.
"""

from __future__ import annotations

import math
from typing import Any

from specc.derive import Derived
from specc.ir import BATCH, Shape
from specc.model import Model
from specc.view import Code, Function


def arrays_view(
    model: Model, derived: Derived, view: dict[str, Any], ones: bool
) -> dict[str, Any]:
    """Give the lines of both classes; `ones` is whether the input carries a row of ones."""
    last = derived.loss.inputs[0].name
    x = derived.forward.inputs[0].name
    parameters = _parameter_lines(derived, view)
    workspace = _workspace_lines(derived, view, x, ones, last)
    return {
        "parameter_lines": [Code(line) for line in parameters],
        "named": [Code(line) for line in _named(model)],
        "workspace_lines": [Code(line) for line in workspace],
        "imported_operations": _imported(view),
    }


def _parameter_lines(derived: Derived, view: dict[str, Function]) -> list[str]:
    lines = []
    start = 0
    views = _views(view, "p.")
    for value in derived.forward.inputs[1:]:
        sizes = [dim for dim in value.shape if isinstance(dim, int)]
        end = start + math.prod(sizes)
        shape = ", ".join(str(size) for size in sizes)
        lines.append(f"self.{value.name} = flat[{start}:{end}].view({shape})")
        start = end
        if value.name.endswith("_matrix"):
            base = f"self.{value.name.removesuffix('_matrix')}"
            lines.append(f"{base}_weight = self.{value.name}[:, :-1]")
            lines.append(f"{base}_bias = self.{value.name}[:, -1]")
    return lines + [line for line in views if line not in lines]


def _named(model: Model) -> list[str]:
    """Name every parameter in torch's layout, as a view of what `Parameters` holds."""
    entries = []
    for node in model.nodes:
        base = node.name.replace(".", "_")
        for short in node.parameters:
            entries.append(f'"{node.name}.{short}": self.{base}_{short}')
    return entries


def _workspace_lines(
    derived: Derived, view: dict[str, Any], x: str, ones: bool, last: str
) -> list[str]:
    """Allocate every slot once; what is read with a row of ones carries that row."""
    functions = [made for made in view.values() if isinstance(made, Function)]
    carrying = {name for made in functions for name in made.printed.carrying_ones}
    slots: dict[str, Shape] = {x: derived.forward.inputs[0].shape} if ones else {}
    for key in ("forward", "loss_gradient", "backward", "input_gradient"):
        for statement in view[key].printed.statements:
            slots.setdefault(statement.value.slot, statement.value.shape)
    fresh = {name for made in functions for name in made.printed.fresh}
    outer = {last, f"d_{last}"} if derived.columns else set()
    lines = []
    for slot, shape in slots.items():
        if slot in fresh:
            lines.append(f"self.{slot} = like  # each step makes its own")
            continue
        if BATCH not in shape:
            continue
        sizes = ["batch" if dim == BATCH else str(dim) for dim in shape]
        if slot in carrying and derived.columns:
            sizes[0] = str(int(sizes[0]) + 1)
            lines.append(f"self.{slot}_1 = like.new_ones({', '.join(sizes)})")
            rows = ".t()  # rows, to be filled" if slot == x else ""
            lines.append(f"self.{slot} = self.{slot}_1[:-1]{rows}")
        elif slot in outer and sizes[0] != "1":
            lines.append(f"self.{slot} = like.new_empty({', '.join(sizes[::-1])}).t()")
        else:
            lines.append(f"self.{slot} = like.new_empty({', '.join(sizes)})")
    scalars = {
        name: text for m in functions for name, text in m.printed.scalars.items()
    }
    lines += [
        f"self.{name} = like.new_tensor({text})" for name, text in scalars.items()
    ]
    return lines + _views(view, "s.")


def _views(view: dict[str, Any], owner: str) -> list[str]:
    lines: dict[str, None] = {}
    for made in view.values():
        if not isinstance(made, Function):
            continue
        for name, (seen, how) in made.printed.views.items():
            if name.startswith(owner):
                of, to = seen.removeprefix(owner), name.removeprefix(owner)
                lines[f"self.{to} = {how.format(f'self.{of}')}"] = None
    return list(lines)


def _imported(view: dict[str, Any]) -> list[Code]:
    kernels = {"relu_backward": "threshold_backward"}
    called: set[str] = set()
    for made in view.values():
        if isinstance(made, Function):
            called |= made.printed.called
    lines = [
        Code(f"{op} = torch.ops.aten.{kernels.get(op, op)}.grad_input")
        for op in ("relu_backward", "tanh_backward", "sigmoid_backward")
        if op in called
    ]
    heading = Code(
        "# Torch's kernels for an activation's derivative, which write to a buffer."
    )
    return [heading, *lines] if lines else []
