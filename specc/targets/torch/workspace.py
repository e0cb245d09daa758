"""How a batch flows through functions that write to kept buffers, as torch's do.

Takes the printed functions, gives the buffers, the views of them and the calls. With samples as
columns, an array of samples keeps its rows in memory and is looked at transposed, so that one
gathered epoch and one long output serve every batch as slices. Invariant: a buffer is allocated if
and only if a function reads or writes it.
"""

from __future__ import annotations

import textwrap
from typing import Any

from specc.derive.derived import Derived
from specc.derive.sweeps import parameters_of
from specc.emit.pieces import Code, Function, indented, names_of
from specc.ir.value import Shape
from specc.model.model import Model, rows_in
from specc.targets.python.functions import EVALUATION
from specc.targets.python.parameters import views
from specc.targets.torch.calls import Calls


def workspace_view(
    model: Model, derived: Derived, view: dict[str, Any]
) -> dict[str, Any]:
    """Give what the class `Model` and the buffers need to know of the layout."""
    last = derived.loss.inputs[0].name
    x = derived.forward.inputs[0].name
    x_name = names_of(view["forward"])[-2]
    ones = x_name != x
    columns = derived.columns
    turned = ".t()" if columns else ""
    calls = Calls(model, derived, view, x_name)
    takes_last = f"{last}, " if last in names_of(view["backward"]) else ""
    predicted = "output({})" if derived.output else "{}.clone()"
    x_rows = view["rows_of_x"].text
    raw_rows = view["raw_rows_of_x"].text
    state = ", self._o" if view["has_optimizer"] else ""
    target = "target" if columns else "y"
    last_rows = f"s.{last}{turned}"
    gradient = derived.loss_gradient.name
    run_loss = [
        *(["target = y.t()"] if columns else []),
        f"{gradient}(s, s.{last}, {target})",
        f"loss = {_loss_call(derived, last, target, last_rows)}",
    ]
    batch_kept = f"s, {x_name}, {takes_last}s.d_{last}"
    count = ", self._count()" if derived.optimizer_counts else ""
    flat = f"update(self.flat_parameters, self.flat_gradients, lr{count}{state})"
    batch_update = [f"backward(p, g, {batch_kept})", flat]
    trained = {"p": "self._p", "g": "self._g", "lr": "learning_rate(epoch)"}
    if view["reduces"]:
        trained["lr"] = "learning_rate(epoch, self._reductions)"
    if derived.descends:
        batch_update = [f"update(p, {batch_kept}, lr)"]
        del trained["g"]
    if view["per_step"]:
        del trained["lr"]
    batch_count = f"{last}.shape[1]" if columns else f"len({last})"
    if model.rows_differ and rows_in(model.output_shape) > 1:
        batch_count += f" // {rows_in(model.output_shape)}"
    drawn, after = calls.around(batch_count)
    workspace = _workspace_lines(derived, view, x, ones, last)
    kernels = _kernels(_texts(view))
    doc = _layout_doc(columns, ones, kernels["onednn"], derived.descends)
    return {
        "workspace_lines": [Code(line) for line in workspace],
        "imported_operations": _imported(view),
        "layout_doc": Code(textwrap.fill(doc, 88)),
        **kernels,
        "view_of_output": Code(
            ".view(-1, *OUTPUT_SHAPE)" if len(model.output_shape) > 1 else ""
        ),
        "input_gradient_lines": indented(calls.input_gradient(), 12),
        "autograd_input_gradient": indented(calls.autograd_input(), 20),
        "rate": Code(", lr" if derived.descends else ""),
        "backward_lines": indented(
            calls.backward("self"), 12 if derived.descends else 8
        ),
        "update_call": Code(calls.descent if derived.descends else flat),
        "after_step": [
            Code(line) for line in calls.around(view["count_of_rows"].text)[1]
        ],
        **_module(derived, bool(model.buffers)),
        "measure_call": Code(
            f"measure(self._b, {raw_rows}.double(), {raw_rows}[0].double())"
        ),
        "trained": Code(", ".join(trained)),
        "trained_values": Code(", ".join(trained.values())),
        "predicted_last": Code(predicted.format("last")),
        "last_as_rows": Code(last_rows),
        "run_last": indented(calls.forward(), 8),
        "run_loss": indented(run_loss, 8),
        "autograd_rows_of_x": Code(x_rows.replace("self.", "model.")),
        "autograd_backward": indented(calls.autograd(), 16),
        "epoch_arrays": indented(_epoch_arrays(view, ones), 8),
        "epoch_splits": _epoch_splits(columns, view),
        "batch_names": Code(f"{x_name}, {last}, target" + ", lr" * view["per_step"]),
        "batch_count": Code(batch_count),
        "batch_step": indented(
            [
                *drawn,
                f"forward(p, s, {x_name}, {last})",
                f"{gradient}(s, {last}, target)",
                *batch_update,
                *after,
            ],
            12,
        ),
    }


def _module(derived: Derived, has_buffers: bool) -> dict[str, Code]:
    """Give what `as_module` hands to autograd beside the input and the parameters."""
    takes, given, kept = ["s: Workspace"], ["s"], ["ctx.s"]
    if derived.evaluation is not None:
        takes.append("training: bool")
        given.append("self.training")
        kept.append("ctx.training")
    if has_buffers:
        takes.append("buffers: list[Tensor]")
        given.append("buffers")
        kept.append("ctx.buffers")
    return {
        "module_takes": Code(", ".join(takes)),
        "module_given": Code(", ".join(given)),
        "module_kept": Code(", ".join(kept)),
        "module_nones": Code(", ".join(["None"] * len(takes))),
        "module_buffers": Code(", buffers" if has_buffers else ""),
        "module_ctx_buffers": Code(", ctx.buffers" if has_buffers else ""),
        "module_mode": Code(", training" if derived.evaluation is not None else ""),
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


def _layout_doc(columns: bool, ones: bool, wide: bool, descends: bool) -> str:
    if not columns:
        rows = (
            "Samples are rows. Results are written to buffers that are kept for their"
            " batch size"
        )
        rows += (
            ", but for those of wide products, which take most of the time: what the"
            " faster kernel gives is new."
            if wide
            else "."
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


def _kernels(texts: list[str]) -> dict[str, Any]:
    """Tell which of the helpers for wide products the functions call, and with what."""
    dense = [text for text in texts if "dense(" in text]
    adds = any("add_product(" in text for text in texts)
    used = [word for word in ("relu", "tanh") if any(f'"{word}"' in t for t in dense)]
    plain = any('"' not in text for text in dense)
    out = any("out=" in text for text in dense)
    takes = ""
    if used and plain:
        takes += ', bias: Tensor | None = None, activation: str = "none"'
    elif used:
        takes += ", bias: Tensor, activation: str"
    if out:
        takes += ", out: Tensor | None = None"
    result = "".join(
        f'z.{word}_() if activation == "{word}" else ' for word in used[1:]
    )
    return {
        "onednn": bool(dense) or adds,
        "dense": bool(dense),
        "dense_takes": Code(takes),
        "dense_activates": bool(used),
        "dense_plain": plain,
        "dense_out": out,
        "dense_result": Code(f"{result}z.{used[0]}_()" if used else "z"),
        "adds_product": adds,
        "accumulates": any("accumulate(" in text for text in texts) or adds,
    }


def _texts(view: dict[str, Any]) -> list[str]:
    """Give every line and result of the functions."""
    functions = [made for made in view.values() if isinstance(made, Function)]
    lines = [line.text for made in functions for line in made.lines]
    return lines + [made.result.text for made in functions]


def _epoch_arrays(view: dict[str, Any], ones: bool) -> list[str]:
    x_rows, y_rows = view["rows_of_x"].text, view["rows_of_y"].text
    lines = []
    if x_rows != "x":
        lines.append(f"x = {x_rows}")
    if y_rows != "y":
        lines.append(f"y = {y_rows}")
    if ones:
        lines.append("x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)")
    size = f"{view['length_of_last'].text}, {view['last_width'].text}"
    lines.append(f"last = x.new_empty({size})")
    return lines


def _epoch_splits(columns: bool, view: dict[str, Any]) -> list[Code]:
    rows = {"x": view["rows_of_batch"].text}
    rows["last"] = rows["y"] = view["rows_of_last"].text
    turned, along = (".t()", ", dim=1") if columns else ("", "")
    return [Code(f"torch.split({x}{turned}, {n}{along})") for x, n in rows.items()]


def _workspace_lines(
    derived: Derived, view: dict[str, Any], x: str, ones: bool, last: str
) -> list[str]:
    """Allocate every slot once; what is read with a row of ones carries that row."""
    functions = [made for made in view.values() if isinstance(made, Function)]
    carrying = {name for made in functions for name in made.printed.carrying_ones}
    slots: dict[str, Shape] = {x: derived.forward.inputs[0].shape} if ones else {}
    slots |= {mask.name: mask.shape for mask in derived.masks}
    passes = ("forward", "loss_gradient", "backward", "input_gradient", *EVALUATION)
    for key in passes:
        if view[key] is None:
            continue
        for statement in view[key].printed.statements:
            slots.setdefault(statement.value.slot, statement.value.shape)
    fresh = {name for made in functions for name in made.printed.fresh}
    parameters = {value.name for value in parameters_of(derived.forward)}
    outer = {last, f"d_{last}"} if derived.columns else set()
    if derived.columns:
        outer |= {mask.name for mask in derived.masks}
    lines = []
    for slot, shape in slots.items():
        if slot in fresh:
            lines.append(f"self.{slot} = like  # each step makes its own")
            continue
        if slot.removeprefix("d_") in parameters:
            continue
        sizes = [str(dim) for dim in shape]
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
    return lines + views(view, "s.")


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
