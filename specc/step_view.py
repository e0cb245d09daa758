"""How a batch flows through the functions of a module: buffers, views, and the calls between them.

With samples as columns, an array of samples keeps its rows in memory and is looked at transposed, so
that one gathered epoch and one long output serve every batch as slices.
"""

from __future__ import annotations

import math
from typing import Any

from specc.derive import Derived
from specc.ir import BATCH, Shape
from specc.model import Model
from specc.view import Code, Function, indented


def step_view(
    model: Model, derived: Derived, view: dict[str, Function]
) -> dict[str, Any]:
    """Give what the class `Model` and the buffers need to know of the layout."""
    last = derived.loss.inputs[0].name
    d_last = f"d_{last}"
    x = derived.forward.inputs[0].name
    x_name = _names(view["forward"])[-2]
    ones = x_name != x
    columns = derived.columns
    turned = ".t()" if columns else ""
    given = f"s.{x_name}" if ones else f"x{turned}"
    loss, gradient = derived.loss.name, derived.loss_gradient.name
    takes_last = f"s.{last}, " if view["backward_takes_last"] else ""
    predicted = "output({})" if derived.output else "{}.clone()"
    positions = math.prod(model.input.shape[:-1])
    rows = f"BATCH_SIZE * {positions}" if positions > 1 else "BATCH_SIZE"
    fill = [f"s.{x}.copy_(x)"] if ones else []
    last_rows = f"s.{last}{turned}"
    made_input = _input_gradient(view["input_gradient"], last)
    state = ", self._o" if view["has_optimizer"] else ""
    update = f"update(self.flat_parameters, self.flat_gradients, lr{state})"
    x_rows = _rows("x", model.input.shape)
    label_shape = () if view["classes"] else model.target.shape

    def label_rows(name: str) -> str:
        if view["classes"]:
            return f"{name}.reshape(-1, 1)"
        return _rows(name, label_shape)

    run_forward = [*fill, f"forward(self._p, s, {given}, s.{last})"]
    run_backward = [
        f"{gradient}(s, s.{last}, y{turned})",
        f"backward(self._p, self._g, s, {given}, {takes_last}s.{d_last})",
    ]
    d_prediction = _rows("d_prediction", model.output_shape)
    if derived.output:
        prediction = _rows("prediction", model.output_shape)
        d_prediction = f"output_gradient({prediction}, {d_prediction})"
    given_again = given if ones else f"{x_rows}{turned}"
    return {
        "columns": columns,
        "samples": Code("samples" if positions == 1 else "samples' positions"),
        "layout_doc": Code(_layout_doc(columns, ones)),
        "parameter_lines": [Code(line) for line in _parameter_lines(derived, view)],
        "named": [Code(line) for line in _named(model)],
        "workspace_lines": [
            Code(line) for line in _workspace_lines(derived, view, x, ones, last)
        ],
        "imported_operations": _imported(view),
        "dense": any("dense(" in line.text for line in view["forward"].lines),
        "rows_of_x": Code(x_rows),
        "rows_of_y": Code(label_rows("y")),
        "rows_of_x_val": Code(_rows("x_val", model.input.shape)),
        "rows_of_y_val": Code(label_rows("y_val")),
        "rows_of_batch": Code(rows),
        "count_of_rows": Code(f"len(x) * {positions}" if positions > 1 else "len(x)"),
        "view_of_output": Code(
            ".view(-1, *OUTPUT_SHAPE)" if len(model.output_shape) > 1 else ""
        ),
        "input_quoted": Code(f'"{model.input.name}"'),
        "input_gradient_call": Code(
            f"{made_input}{turned}.reshape(x.shape)"
        ),
        "input_gradient_needs_s": ", s" in made_input or "(s" in made_input,
        "autograd_input_gradient_call": Code(
            f"{made_input.replace('self.', 'model.')}{turned}.reshape(x.shape)"
        ),
        "update_call": Code(update),
        "predicted_last": Code(predicted.format("last")),
        "last_as_rows": Code(last_rows),
        "run_forward": indented(run_forward, 8),
        "run_backward": indented(run_backward, 8),
        "autograd_backward": indented(
            [
                f"d_{last} = {d_prediction}{turned}",
                f"backward(model._p, model._g, s, {given_again}, {takes_last}d_{last})",
            ],
            16,
        ),
        "epoch_arrays": indented(_epoch_arrays(model, derived, ones, x_rows, label_rows("y")), 8),
        "epoch_splits": _epoch_splits(columns, rows),
        "batch_names": Code(f"{x_name}, {last}, {model.target.name}"),
        "batch_count": Code(f"{last}.shape[1]" if columns else f"len({last})"),
        "batch_step": indented(
            [
                f"forward(p, s, {x_name}, {last})",
                f"{gradient}(s, {last}, {model.target.name})",
                f"backward(p, g, s, {x_name}, "
                f"{last + ', ' if takes_last else ''}s.{d_last})",
                update,
            ],
            12,
        ),
        "loss_name": Code(loss),
    }


def _names(made: Function) -> list[str]:
    return [part.partition(":")[0] for part in made.arguments.text.split(", ")]


def _rows(name: str, shape: tuple[int, ...]) -> str:
    """Join a sample's leading axes to the batch."""
    return name if len(shape) == 1 else f"{name}.reshape(-1, {shape[-1]})"


def _layout_doc(columns: bool, ones: bool) -> str:
    if not columns:
        return (
            "Samples are rows. The layers are wide, so that the products take the time:"
            " every\nresult is written to a buffer that is kept for its batch size."
        )
    if not ones:
        return "Samples are columns, so that every block of activations is contiguous."
    return (
        "Samples are columns. A linear layer keeps weight and bias as one matrix [W b]"
        " and its\ninput carries a last row of ones, so z = [W b] [x; 1] is one product,"
        " and so is its\nderivative: dL/d[W b] = dL/dz [x; 1]^T."
    )


def _input_gradient(made: Function, last: str) -> str:
    """Call the emitted `input_gradient` from a method of the model."""
    known = {"p": "self._p", "s": "s", last: f"s.{last}", f"d_{last}": f"s.d_{last}"}
    arguments = [known.get(name, name) for name in _names(made)]
    return f"input_backward({', '.join(arguments)})"


def _parameter_lines(derived: Derived, view: dict[str, Function]) -> list[str]:
    lines = ["self.flat = flat"]
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
    return lines + _views(view, "s.")


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
    heading = Code("# Torch's kernels for an activation's derivative, which write to a buffer.")
    return [heading, *lines] if lines else []


def _epoch_arrays(
    model: Model, derived: Derived, ones: bool, x_rows: str, y_rows: str
) -> list[str]:
    lines = []
    if x_rows != "x":
        lines.append(f"x = {x_rows}")
    if y_rows != "y":
        lines.append(f"y = {y_rows}")
    if ones:
        lines.append("x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)")
    shape = derived.loss.inputs[0].shape
    lines.append(f"last = x.new_empty(len(x), {shape[-1]})")
    return lines


def _epoch_splits(columns: bool, rows: str) -> list[Code]:
    split = f".t(), {rows}, dim=1)" if columns else f", {rows})"
    return [Code(f"torch.split({name}{split}") for name in ("x", "last", "y")]
