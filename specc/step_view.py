"""How a batch flows through the functions of a module: buffers, views, the calls between them.

With samples as columns, an array of samples keeps its rows in memory and is looked at transposed,
so that one gathered epoch and one long output serve every batch as slices.
"""

from __future__ import annotations

import math
import textwrap
from typing import Any

from specc.arrays_view import arrays_view
from specc.derive import Derived
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
    made_input = _input_gradient(view["input_gradient"], last, f"s.{d_last}", "self")
    state = ", self._o" if view["has_optimizer"] else ""
    x_rows = _rows("x", model.input.shape)
    label_shape = () if view["classes"] else model.target.shape

    def label_rows(name: str) -> str:
        if view["classes"]:
            return f"{name}.reshape(-1, 1)"
        return _rows(name, label_shape)

    run_forward = [*fill, f"forward(self._p, s, {given}, s.{last})"]
    target = "target" if columns else "y"
    run_loss = [
        *(["target = y.t()"] if columns else []),
        f"{gradient}(s, s.{last}, {target})",
        f"loss = {_loss_call(derived, last, target, last_rows)}",
    ]
    kept = f"s, {given}, {takes_last}s.{d_last}"
    batch_kept = f"s, {x_name}, {last + ', ' if takes_last else ''}s.{d_last}"
    over = ", beta=0, alpha=1" if derived.descends else ""
    flat = f"update(self.flat_parameters, self.flat_gradients, lr{state})"
    if derived.descends:
        batch_update = [f"update(p, {batch_kept}, lr)"]
    else:
        batch_update = [f"backward(p, g, {batch_kept})", flat]
    d_prediction = _rows("d_prediction", model.output_shape)
    if derived.output:
        prediction = _rows("prediction", model.output_shape)
        d_prediction = f"output_gradient({prediction}, {d_prediction})"
    given_again = given if ones else f"{x_rows}{turned}"
    arrays = arrays_view(model, derived, view, ones)
    return arrays | {
        "samples": Code("samples" if positions == 1 else "positions"),
        "layout_doc": Code(
            textwrap.fill(_layout_doc(columns, ones, derived.descends), 88)
        ),
        **_kernels(_texts(view)),
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
        "input_gradient_call": Code(f"{made_input}{turned}.reshape(x.shape)"),
        "input_gradient_needs_s": ", s" in made_input or "(s" in made_input,
        "autograd_input_gradient_call": Code(
            f"{_input_gradient(view['input_gradient'], last, f'd_{last}', 'model')}"
            f"{turned}.reshape(x.shape)"
        ),
        "descends": derived.descends,
        "rate": Code(", lr" if derived.descends else ""),
        "backward_call": Code(f"backward(self._p, self._g, {kept}{over})"),
        "update_call": Code(f"update(self._p, {kept}, lr)" if over else flat),
        "trained": Code("p, lr" if derived.descends else "p, g, lr"),
        "trained_values": Code(
            "self._p, learning_rate(epoch)"
            if derived.descends
            else "self._p, self._g, learning_rate(epoch)"
        ),
        "predicted_last": Code(predicted.format("last")),
        "last_as_rows": Code(last_rows),
        "run_forward": indented(run_forward, 8),
        "run_loss": indented(run_loss, 8),
        "autograd_backward": indented(
            [
                f"d_{last} = {d_prediction}{turned}",
                f"backward(model._p, model._g, s, {given_again}, "
                f"{takes_last}d_{last}{over})",
            ],
            16,
        ),
        "epoch_arrays": indented(
            _epoch_arrays(model, derived, ones, x_rows, label_rows("y")), 8
        ),
        "epoch_splits": _epoch_splits(columns, rows),
        "batch_names": Code(f"{x_name}, {last}, target"),
        "batch_count": Code(f"{last}.shape[1]" if columns else f"len({last})"),
        "batch_step": indented(
            [
                f"forward(p, s, {x_name}, {last})",
                f"{gradient}(s, {last}, target)",
                *batch_update,
            ],
            12,
        ),
        "loss_name": Code(loss),
    }


def _loss_call(derived: Derived, last: str, target: str, last_rows: str) -> str:
    """Call the loss of a step; one that looks along an axis looks at rows."""
    if derived.step_loss is not None:
        label = derived.loss.inputs[1].name
        mentioned = {value.name for value in derived.step_loss.inputs}
        taken = f", {target}" if label in mentioned else ""
        return f"{derived.step_loss.name}(s{taken})"
    if any("axis" in dict(value.attrs) for value in derived.loss.values):
        return f"{derived.loss.name}({last_rows}, y)"
    return f"{derived.loss.name}(s.{last}, {target})"


def _names(made: Function) -> list[str]:
    return [part.partition(":")[0] for part in made.arguments.text.split(", ")]


def _rows(name: str, shape: tuple[int, ...]) -> str:
    """Join a sample's leading axes to the batch."""
    return name if len(shape) == 1 else f"{name}.reshape(-1, {shape[-1]})"


def _layout_doc(columns: bool, ones: bool, descends: bool) -> str:
    if not columns:
        rows = (
            "Samples are rows. The layers are wide, so that the products take the time."
            " Results are written to buffers that are kept for their batch size, but for"
            " those of wide products: what the faster kernel gives is new."
        )
        descent = (
            " The backward pass adds to what it is given: with the parameters in place"
            " of the gradients it is the update, which saves a pass over both."
        )
        return rows + descent if descends else rows
    if not ones:
        return "Samples are columns, so that every block of activations is contiguous."
    return (
        "Samples are columns. A linear layer keeps weight and bias as one matrix [W b]"
        " and its input has a last row of ones, so z = [W b] [x; 1] is one product,"
        " and so is its derivative: dL/d[W b] = dL/dz [x; 1]^T. A name that ends in _1"
        " has that row, in t it is a transpose."
    )


def _input_gradient(made: Function, last: str, d_last: str, model: str) -> str:
    """Call the emitted `input_backward`; `d_last` is where dL/d(last) stands."""
    known = {"p": f"{model}._p", last: f"s.{last}", f"d_{last}": d_last}
    arguments = [known.get(name, name) for name in _names(made)]
    return f"input_backward({', '.join(arguments)})"


def _kernels(texts: list[str]) -> dict[str, bool]:
    """Tell which of the helpers for wide products the functions call."""
    dense = [text for text in texts if "dense(" in text]
    adds = any("add_product(" in text for text in texts)
    return {
        "onednn": bool(dense) or adds,
        "dense": bool(dense),
        "dense_out": any("out=" in text for text in dense),
        "adds_product": adds,
        "accumulates": any("accumulate(" in text for text in texts) or adds,
    }


def _texts(view: dict[str, Any]) -> list[str]:
    """Give every line and result of the functions."""
    functions = [made for made in view.values() if isinstance(made, Function)]
    lines = [line.text for made in functions for line in made.lines]
    return lines + [made.result.text for made in functions]


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
