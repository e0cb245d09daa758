"""The updates of an epoch in a torch module, and what `as_module` hands to autograd."""

from __future__ import annotations

from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.library.training.schedules import REDUCTIONS
from specc.model.model import rows_in
from specc.model.rate import per_step, reads_length
from specc.targets.python.batch import (
    Batch,
    given_rows,
    label_rows,
    rows_of,
    rows_of_batch,
)
from specc.targets.python.schedule import model_length
from specc.targets.torch.calls import Caller, Lines, coded


@dataclass(frozen=True)
class Epoch:
    """The method `_train`."""

    arrays: Lines
    """The arrays that serve every batch as slices."""
    locals: Code
    """What a step reads, by short names."""
    splits: Lines
    names: Code
    """What a step is given."""
    count: Code
    """The samples of a batch."""
    step: Lines
    rows_of_x: Code
    rows_of_y: Code
    rows_of_x_val: Code
    rows_of_y_val: Code


@dataclass(frozen=True)
class Autograd:
    """What `as_module` hands to autograd beside the input and the parameters."""

    takes: Code
    given: Code
    kept: Code
    nones: Code
    buffers: Code
    """The argument that is the buffers."""
    kept_buffers: Code
    mode: Code
    rows_of_x: Code
    backward: Lines
    input_gradient: Lines
    after: Lines
    """What a step of training does after forward."""


def epoch(caller: Caller, words: Batch) -> Epoch:
    """Return the statements of an epoch."""
    model, derived = caller.model, caller.derived
    last, x_name, steps = caller.last, caller.x_name, per_step(model)
    takes_last = last in caller.made.training.backward.names
    kept = f"s, {x_name}, {f'{last}, ' if takes_last else ''}s.d_{last}"
    length = model_length(reads_length(derived.learning_rate))
    rate = f"learning_rate(epoch{length})"
    if REDUCTIONS in {value.name for value in derived.learning_rate.inputs}:
        rate = "learning_rate(epoch, self._reductions)"
    read = {"p": "self._p", "g": "self._g", "lr": rate}
    update = [f"backward(p, g, {kept})", caller.flat_update]
    if derived.descends:
        update = [f"update(p, {kept}, lr)"]
        del read["g"]
    if steps:
        del read["lr"]
    count = f"{last}.shape[1]" if derived.columns else f"len({last})"
    if model.rows_differ and rows_in(model.output_shape) > 1:
        count += f" // {rows_in(model.output_shape)}"
    drawn, after = caller.around(count)
    gradient = f"{caller.loss_gradient}(s, {last}, target)"
    forward = f"forward(p, s, {x_name}, {last})"
    return Epoch(
        arrays=coded(_arrays(caller, words)),
        locals=Code(f"{', '.join(read)} = {', '.join(read.values())}"),
        splits=coded(_splits(caller, words) + ["rates"] * steps),
        names=Code(f"{x_name}, {last}, target" + ", lr" * steps),
        count=Code(count),
        step=coded([*drawn, forward, gradient, *update, *after]),
        rows_of_x=Code(given_rows("x", model, "model")),
        rows_of_y=Code(label_rows("y", model)),
        rows_of_x_val=Code(given_rows("x_val", model, "model")),
        rows_of_y_val=Code(label_rows("y_val", model)),
    )


def _arrays(caller: Caller, words: Batch) -> list[str]:
    lines = []
    if words.rows_of_x.text != "x":
        lines.append(f"x = {words.rows_of_x.text}")
    if words.rows_of_y.text != "y":
        lines.append(f"y = {words.rows_of_y.text}")
    if caller.ones:
        lines.append("x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)")
    size = f"{words.length_of_last.text}, {words.last_width.text}"
    lines.append(f"last = x.new_empty({size})")
    return lines


def _splits(caller: Caller, words: Batch) -> list[str]:
    rows = {"x": rows_of_batch(caller.model)}
    rows["last"] = rows["y"] = words.rows_of_last.text
    turned, along = (".t()", ", dim=1") if caller.derived.columns else ("", "")
    return [f"torch.split({x}{turned}, {n}{along})" for x, n in rows.items()]


def autograd(caller: Caller) -> Autograd:
    """Return the statements of `as_module`."""
    model, derived = caller.model, caller.derived
    takes, given, kept = ["s: Workspace"], ["s"], ["ctx.s"]
    modes, buffered = derived.evaluation is not None, bool(model.buffers)
    if modes:
        takes.append("training: bool")
        given.append("self.training")
        kept.append("ctx.training")
    if buffered:
        takes.append("buffers: list[Tensor]")
        given.append("buffers")
        kept.append("ctx.buffers")
    return Autograd(
        takes=Code(", ".join(takes)),
        given=Code(", ".join(given)),
        kept=Code(", ".join(kept)),
        nones=Code(", ".join(["None"] * len(takes))),
        buffers=Code(", buffers" if buffered else ""),
        kept_buffers=Code(", ctx.buffers" if buffered else ""),
        mode=Code(", training" if modes else ""),
        rows_of_x=Code(given_rows("x", model, "model")),
        backward=coded(_backward(caller)),
        input_gradient=coded(_by_input(caller)),
        after=coded(_after(caller)),
    )


def _backward(caller: Caller) -> list[str]:
    """Go backward from the derivative by the prediction."""
    shape = caller.model.output_shape
    d_prediction = rows_of("d_prediction", shape)
    if caller.derived.output:
        prediction = rows_of("prediction", shape)
        d_prediction = f"output_gradient({prediction}, {d_prediction})"
    d_last = f"d_{caller.last}"
    given = caller.given_again("model")
    return [
        f"{d_last} = {d_prediction}{caller.turned}",
        *caller.backward("model", given, d_last, "ctx.training", into="g"),
    ]


def _by_input(caller: Caller) -> list[str]:
    """Find the gradient by the input that autograd asks for."""
    d_last = f"d_{caller.last}"
    first = f"d_input = {caller.by_input(caller.made.training, d_last, 'model')}"
    return caller.chosen(
        [first],
        "ctx.training",
        lambda each: f"d_input = {caller.by_input(each, d_last, 'model')}",
    )


def _after(caller: Caller) -> list[str]:
    """Move what moves with a step of training: the numbers are the module's own."""
    derived = caller.derived
    lines = []
    if derived.track is not None:
        track = caller.tracked("moved._b", caller.count_of_rows)
        inside = [
            "moved = own._over(parameters, buffers)",
            *track,
            "for b, new in zip(buffers, moved.buffers.values(), strict=True):",
            "    b.copy_(new)",
        ]
        lines += ["with torch.no_grad():", *(f"    {line}" for line in inside)]
    if derived.masks:
        lines.append("own._count()")
    return ["if self.training:", *(f"    {line}" for line in lines)] if lines else []
