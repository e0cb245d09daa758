"""The updates of an epoch in a torch module, and what `as_module` hands to autograd."""

from __future__ import annotations

from dataclasses import dataclass

from specc.derive.network import identifier
from specc.derive.sweeps import parameters_of
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
    """The classes that `as_module` is made of: what autograd is handed, and what it runs."""

    takes: Code
    """The parameters between the input and the network's own."""
    given: Code
    """What `Network` gives for them, after a Model and a Workspace."""
    exported: Code
    """The same in an exported graph, which only predicts."""
    kept: Code
    nones: Code
    count: Code
    """The samples of x; `len` would make them a constant of a compiled graph."""
    warning: Lines
    refusal: Lines
    """What exports no training."""
    before: Lines
    """Find the buffers, draw masks."""
    after: Lines
    """What a step of training does after forward."""
    buffers: Lines
    masks: Lines
    forward: Lines
    kept_buffers: Lines
    """The same three in backward, from what forward kept."""
    kept_masks: Lines
    forward_again: Lines
    backward: Lines
    input_gradient: Lines
    joined: Lines
    """The parameters as `Parameters` views them, a part of one vector each."""
    helpers: tuple[str, ...]
    """The template that asks torch.distributed, where the network depends on it."""


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
        rows_of_x=Code(given_rows("x", model, "model._b", caller.cast("model"))),
        rows_of_y=Code(label_rows("y", model)),
        rows_of_x_val=Code(
            given_rows("x_val", model, "model._b", caller.cast("model"))
        ),
        rows_of_y_val=Code(label_rows("y_val", model)),
    )


def _arrays(caller: Caller, words: Batch) -> list[str]:
    lines = []
    if words.rows_of_x.text != "x":
        rows = given_rows("x", caller.model, cast=".to(self.dtype)")
        lines.append(f"x = {rows}")
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
    """Return the statements of the classes that `as_module` is made of."""
    model, derived = caller.model, caller.derived
    modes, buffered = derived.evaluation is not None, bool(model.buffers)
    rows = [
        ("own: Model | None", "own", "None"),
        ("s: Workspace | None", "s", "None"),
        *[("training: bool", "training", "False")] * modes,
        *[("masks: Sequence[Tensor]", "masks", "()")] * bool(derived.masks),
        *[("b: Buffers | Sequence[Tensor]", "b", "buffers")] * buffered,
    ]
    names = [name for _, name, _ in rows]
    given = ["self.training" if name == "training" else name for name in names[2:]]
    return Autograd(
        takes=Code(", ".join(takes for takes, _, _ in rows)),
        given=Code("".join(f"{name}, " for name in given)),
        exported=Code(", ".join(value for _, _, value in rows)),
        kept=Code(", ".join(f"ctx.{name}" for name in names)),
        nones=Code(", ".join(["None"] * len(names))),
        count=Code(_count(caller)),
        warning=coded(_warning(caller)),
        refusal=coded(_refusal() * modes),
        before=coded(_before(caller)),
        after=coded(_after(caller)),
        buffers=coded(["b = held(b)"] * buffered),
        masks=coded(_masks(caller, "masks")),
        forward=coded(_passed(caller, "training")),
        kept_buffers=coded(["b = held(ctx.b)"] * buffered),
        kept_masks=coded(_masks(caller, "ctx.masks")),
        forward_again=coded(_passed(caller, "ctx.training")),
        backward=coded(_backward(caller)),
        input_gradient=coded(_by_input(caller)),
        joined=coded(_joined(caller)),
        helpers=("torch/ranks.py.j2",) * bool(derived.masks or derived.track),
    )


def _count(caller: Caller) -> str:
    return caller.count_of_rows.replace("len(x)", "x.shape[0]")


def _warning(caller: Caller) -> list[str]:
    """Warn of statistics that torch's own layers could share between processes."""
    if caller.derived.track is None:
        return []
    return [
        "if self.training and rank_and_world()[1] > 1:",
        "    warnings.warn(",
        '        "batch_norm: each rank normalizes by its own batch; "',
        '        "convert_sync_batchnorm finds no layer that it could convert",',
        "        stacklevel=2,",
        "    )",
    ]


def _refusal() -> list[str]:
    return [
        "if self.training:",
        '    raise RuntimeError("export it in evaluation, not in training")',
    ]


def _mask_names(caller: Caller) -> list[str]:
    return [f"s.{mask.name}" for mask in caller.derived.masks]


def _before(caller: Caller) -> list[str]:
    """Find the buffers, draw masks."""
    buffered = bool(caller.model.buffers)
    lines = ["b = buffers if traced else held(buffers, own)"] * buffered
    if not caller.derived.masks:
        return lines
    return [
        *lines,
        "if self.training:",
        "    t = own._updates if traced else of_rank(int(own._updates))",
        "    draw(s, own.seed, t)",
        f"masks = [{', '.join(_mask_names(caller))}]",
    ]


def _masks(caller: Caller, given: str) -> list[str]:
    names = _mask_names(caller)
    by = given.replace("masks", "training")
    return [f"if {by}:", f"    [{', '.join(names)}] = {given}"] * bool(names)


def _passed(caller: Caller, by: str) -> list[str]:
    """Go forward over x."""
    fill = [f"s.{caller.x}.copy_({caller.rows_again('')})"] * caller.ones
    training = [caller.passed(caller.made.training)]
    return [*fill, *caller.chosen(training, by, caller.passed)]


def _joined(caller: Caller) -> list[str]:
    """Copy parameters into the vector that `Parameters` views."""
    names = {
        f"{identifier(node.name)}_{short}": f"{node.name}.{short}"
        for node in caller.model.nodes
        for short in node.parameters
    }
    parts = []
    for value in parameters_of(caller.derived.forward):
        if value.name.endswith("_matrix"):
            base = value.name.removesuffix("_matrix")
            both = [
                f'named["{names[f"{base}_{leaf}"]}"]' for leaf in ("weight", "bias")
            ]
            parts.append(f"torch.column_stack([{', '.join(both)}]).flatten()")
        else:
            parts.append(f'named["{names[value.name]}"].flatten()')
    return parts


def _backward(caller: Caller) -> list[str]:
    """Go backward from the derivative by the prediction."""
    shape = caller.model.output_shape
    d_prediction = rows_of("d_prediction", shape)
    if caller.derived.output:
        prediction = rows_of("prediction", shape)
        d_prediction = f"output_gradient({prediction}, {d_prediction})"
    d_last = f"d_{caller.last}"
    given = caller.given_again("")
    return [
        f"{d_last} = {d_prediction}{caller.turned}",
        *caller.backward("", given, d_last, "ctx.training", into="g"),
    ]


def _by_input(caller: Caller) -> list[str]:
    """Find the gradient by the input that autograd asks for."""
    d_last = f"d_{caller.last}"
    first = f"d_input = {caller.by_input(caller.made.training, d_last, '')}"
    return caller.chosen(
        [first],
        "ctx.training",
        lambda each: f"d_input = {caller.by_input(each, d_last, '')}",
    )


def _after(caller: Caller) -> list[str]:
    """Move what moves with a step of training: the numbers are the module's own."""
    derived = caller.derived
    lines = []
    if derived.track is not None:
        lines += [
            "with torch.no_grad():",
            "    if traced:  # the arrays of the pass above stay within it",
            "        p = over(parameters, None)",
            *(f"        {line}" for line in _traced_again(caller)),
            "    b = held(b)",
            *(f"    {line}" for line in caller.tracked("b", _count(caller))),
            "    if b is not own._b:",
            "        for kept, moved in zip(buffers, b.named.values(), strict=True):",
            "            kept.copy_(moved)",
        ]
    if derived.masks:
        lines.append("own._updates.add_(1)")
    return ["if self.training:", *(f"    {line}" for line in lines)] if lines else []


def _traced_again(caller: Caller) -> list[str]:
    b = ["b = held(b)"] * (caller.model.standardize is not None)
    fill = [f"s.{caller.x}.copy_({caller.rows_again('')})"] * caller.ones
    return [*b, *fill, caller.passed(caller.made.training)]
