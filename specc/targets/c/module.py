"""A model and its Programs -> everything that the templates of C print, by name.

The facts of the spec come from `python/module.py`, memory from `memory/`, how samples go in and out
from `flow.py`, what the Python module needs from `binding.py`. Every leaf that is printed is Code.
"""

from __future__ import annotations

import math
import textwrap
from types import SimpleNamespace
from typing import Any

from specc.derive.derive import Derived
from specc.derive.lower import per_step
from specc.emit.headings import backward_heading, forward_heading, metric_says, said
from specc.emit.pieces import Code, derivation_of
from specc.ir.ir import Program
from specc.library.training.schedules import REDUCTIONS
from specc.model.model import Model
from specc.targets.c.binding import binding_view
from specc.targets.c.flow import flow_view, predicted_name
from specc.targets.c.functions import (
    body,
    formula,
    nothing,
    rate,
    reduction,
    scalars,
    update,
)
from specc.targets.c.kernels import activations, kernels
from specc.targets.c.memory.rows import CACHED, DEPTH, STRIDE
from specc.targets.c.memory.sizes import (
    Memory,
    aligned,
    buffer_members,
    memory,
    parameter_members,
    run_members,
    workspace_members,
)
from specc.targets.c.names import member
from specc.targets.c.printing.record import Printed
from specc.targets.c.printing.statements import Printer
from specc.targets.c.starts import c_starts
from specc.targets.c.state import c_state_view
from specc.targets.python.schedule import counted, plateau_view


def c_view(
    model: Model, derived: Derived, facts: dict[str, Any], stem: str
) -> dict[str, Any]:
    """Give the view; `facts` are those of the spec, `stem` is what the files are called."""
    kept = memory(model, derived)
    names = {"C": Code(model.name.upper()), "c": Code(model.name), "file": Code(stem)}
    view = facts | names | _words(model, derived, kept, stem)
    view |= _memory(model, kept)
    view |= _functions(model, derived, kept)
    view |= flow_view(model, derived, kept)
    view |= _training(model, facts)
    view |= binding_view(model, derived, kept)
    view |= c_starts(model, kept.arrays, model.name)
    view |= c_state_view(model, derived, kept)
    called = view.pop("called") | view["drawn_by"]
    called |= {"numbered"} if model.train.shuffle else set()
    called |= {"numbered", "drop"} if kept.draws else set()
    view["kernels"] = kernels(called)
    return view


def _words(model: Model, derived: Derived, kept: Memory, stem: str) -> dict[str, Any]:
    c, upper = model.name, model.name.upper()
    label = derived.loss.inputs[1]
    top = model.output_shape[-1] - 1
    several = math.prod(model.target.shape) > 1
    labels = f"times {upper}_TARGET labels" if several else "labels"
    target = f"targets of {upper}_TARGET numbers"
    return {
        "usage": [
            Code(f"   static {upper}_ALIGNED {c}_model net;"),
            Code(f"   {c}_init(&net, {upper}_SEED);"),
            Code(f"   {c}_fit(&net, ...); or {c}_train_step(&net, x, y, n, lr);"),
            Code(f"   {c}_predict(&net, x, n, prediction);"),
        ],
        "build_says": _filled(
            f"cc -O3 -march=native -ffp-contract=fast -fno-math-errno -c {stem}.c; it needs"
            " libm and nothing else, allocates nothing, and has no state outside of what it is"
            " given."
        ),
        "binding_says": _filled(
            f"The arithmetic is in {stem}.c, which is built once, when the first Model is"
            " made, and kept in a cache. Arrays are handed over as they are, and so are torch"
            " tensors on the CPU."
        ),
        "target_type": Code("int64_t" if label.dtype == "int" else f"{c}_real"),
        "label_type": Code("int64_t" if label.dtype == "int" else "real"),
        "target_says": Code(
            f"{labels}, 0 to {top}, which is not checked"
            if label.dtype == "int"
            else target
        ),
        "schedule_says": Code(str(model.schedule.use)),
        "schedule_counts": Code(counted(model)),
        "c_schedule_doc": Code(
            f"The rate after t {counted(model)}: {said(model, model.schedule)}."
        ),
        "update_says": Code(said(model, model.optimizer)),
        "step_limit": Code(
            "n"
            if kept.keeps_gradient and derived.track is None
            else f"n (1 to {upper}_SAMPLES: of more nothing is learnt, it gives NAN)"
        ),
        "training_says": _training_says(derived, upper),
        "and_state": Code(" and the state of the optimizer" if kept.state else ""),
        "unwatched": Code(
            " Early stopping needs x_val." if _watches_validation(model) else ""
        ),
    }


def _training_says(derived: Derived, upper: str) -> list[Code]:
    """Say what the mode of a gradient does."""
    text = (
        "With `training`, both are of the network as the next training step has it; nothing"
        " moves."
    )
    if derived.track is not None:
        text += f" Then n is {upper}_SAMPLES at most: of more it gives NAN."
    return [Code(line) for line in textwrap.wrap(text, 96)]


def _watches_validation(model: Model) -> bool:
    stopping = model.early_stopping
    return stopping is not None and stopping.monitor.startswith("val_")


def _filled(text: str) -> list[Code]:
    return [Code(line) for line in textwrap.wrap(text, 86)]


def _memory(model: Model, kept: Memory) -> dict[str, Any]:
    c, upper = model.name, model.name.upper()
    sizes = [math.prod(p.shape) for p in model.parameters.values()]
    constants = [
        ("INPUT", math.prod(model.input.shape), "numbers of one sample"),
        ("TARGET", math.prod(model.target.shape), "likewise"),
        ("OUTPUT", math.prod(model.output_shape), "likewise"),
        ("PARAMETERS", sum(sizes), "all, without padding"),
        ("PADDED", kept.arrays.size, "all, with it"),
        ("BATCH_SIZE", model.train.batch_size, ""),
        ("SAMPLES", kept.samples, "what the workspace holds"),
        ("EPOCHS", model.train.epochs, ""),
        ("SEED", model.train.seed, ""),
    ]
    if model.early_stopping is not None:
        patience = model.early_stopping.patience
        constants.append(("PATIENCE", patience, "epochs without a gain"))
    if kept.reduces:
        patience = model.schedule.use["patience"]
        constants.append(("PLATEAU", patience, "likewise, to reduce the rate"))
    lines = [f"{upper}_{name} = {value}," for name, value, _ in constants]
    lines[-1] = lines[-1].removesuffix(",")
    vectors = [*kept.state, *(["gradient"] if kept.keeps_gradient else [])]
    return {
        "constants": aligned(lines, [says for _, _, says in constants]),
        "parameter_members": parameter_members(kept, c),
        "buffer_members": buffer_members(kept, c),
        "state_members": [Code(f"{c}_parameters {name};") for name in vectors],
        "workspace_members": workspace_members(kept, c),
        "run_members": run_members(kept, c),
        "model_bytes": Code(str(kept.model_bytes(4))),
        "model_bytes_double": Code(str(kept.model_bytes(8))),
        "run_bytes": Code(str(kept.run_bytes(4))),
        "run_bytes_double": Code(str(kept.run_bytes(8))),
        "keeps_gradient": kept.keeps_gradient,
        "panel_size": Code(str(kept.panel)),
        "state": [Code(name) for name in kept.state],
        "no_state": not kept.state and not kept.counts_updates,
        "counts_updates": kept.counts_updates,
        "finish_ignores_model": not (
            kept.restores or kept.state or kept.counts_updates
        ),
        "finish_ignores_run": not kept.restores and kept.watches,
        "watch_model": Code(f"const {c}_model *m, " if kept.restores else ""),
        "watch_call": Code("m, " if kept.restores else ""),
    }


def _functions(model: Model, derived: Derived, kept: Memory) -> dict[str, Any]:
    last, x = derived.loss.inputs[0].name, derived.forward.inputs[0].name
    printer = _printer(derived, kept)
    forward = printer.printed(derived.forward)
    gradient = printer.printed(derived.loss_gradient, masked=True)
    backward = printer.printed(derived.backward)
    by_input = printer.printed(kept.by_input)
    output = _printed(printer, kept.output)
    evaluation: list[Printed | None] = [None, None, None]
    if derived.evaluation is not None:
        programs = derived.evaluation.programs[:2]
        evaluation = [printer.printed(program) for program in programs]
        evaluation.append(_printed(printer, kept.evaluation_by_input))
    track = _printed(printer, derived.track)
    standardize = _printed(printer, kept.standardize)
    standardize_backward = _printed(printer, kept.standardize_backward)
    loss = printer.reduced(derived.loss)
    step_loss = printer.reduced(derived.step_loss) if derived.step_loss else None
    metrics = [printer.reduced(each.program) for each in derived.metrics]
    moves = update(derived.update, printer, kept.state)
    called = set(moves.calls)
    printed = [forward, gradient, backward, by_input, output, loss, step_loss, *metrics]
    printed += [*evaluation, track, standardize, standardize_backward]
    called |= {op for made in printed if made is not None for op in made.calls}
    said_last = "logits" if derived.output else "prediction"
    left = derived.step_loss.outputs[0][1].derivation if derived.step_loss else ""
    by = derived.input_gradient.outputs[0][1].derivation
    reads_p = bool(by_input.reads & kept.arrays.parameters.keys())
    return {
        "called": called,
        "activations": activations(called),
        "depth": Code(str(DEPTH)),
        "cached": Code(str(CACHED)),
        "stride": Code(str(STRIDE)),
        "shapes": [Code(line) for line in printer.kernels],
        "c_learning_rate": Code(rate(derived.learning_rate)),
        "constant_rate": all(v.name != "t" for v in derived.learning_rate.values),
        **_plateau(model),
        **_rate_calls(model, derived),
        "forward_doc": Code(
            f"Write the {said_last} of the samples in the workspace to {last}, and what"
            " backward reads."
        ),
        "evaluation_doc": Code(
            f"Write the {said_last} in evaluation to {last}, and what its backward reads."
        ),
        "forward": body(forward, forward_heading(model)),
        "evaluation_forward": body(evaluation[0], forward_heading(model)),
        "evaluation_backward": body(evaluation[1], backward_heading()),
        "evaluation_input_backward": body(evaluation[2], derivation_of),
        "track": body(track, derivation_of),
        "standardize": body(standardize, nothing),
        "standardize_backward": body(standardize_backward, derivation_of),
        "in_mode": Code(" in training" if derived.evaluation is not None else ""),
        "predict_by": Code("evaluation_forward" if derived.evaluation else "forward"),
        "output": body(output, nothing),
        "output_doc": Code(f"Predict, from {last}."),
        "loss_name": Code(derived.loss.name),
        "loss_doc": Code(f"L = {formula(derived.loss)}."),
        "loss": reduction(loss),
        "loss_gradient_name": Code(derived.loss_gradient.name),
        "loss_gradient_doc": Code(
            f"Write dL/d{last} to d_{last}."
            if derived.sums
            else f"Write dL/d{last} to d_{last}, for a mean over `total` samples."
        ),
        "loss_gradient": scalars(gradient) + body(gradient, derivation_of),
        "step_loss": reduction(step_loss) if step_loss is not None else [],
        "step_loss_name": Code("step_loss" if step_loss else derived.loss.name),
        "step_loss_doc": Code(f"{left}, of what {derived.loss_gradient.name} left."),
        "descends_says": derived.descends,
        "backward": body(backward, backward_heading()),
        "input_backward": body(
            by_input, derivation_of if len(by_input.statements) > 1 else nothing
        ),
        "input_backward_reads_p": reads_p,
        "input_backward_doc": Code(f"{by or f'dL/d{x}'}."),
        "metrics": [
            SimpleNamespace(
                name=Code(each.program.name),
                figure=Code(each.figure),
                doc=Code(metric_says(model, each.clause, each.says)),
                lines=reduction(made),
            )
            for each, made in zip(derived.metrics, metrics, strict=True)
        ],
        "no_metrics": not metrics,
        "update": moves.lines,
        "squares": moves.squares,
        "update_numbers": moves.numbers,
        "update_arrays": moves.arrays,
    }


def _plateau(model: Model) -> dict[str, Any]:
    view = plateau_view(model)
    if view["reduces"]:
        view["c_plateau_worst"] = Code(
            view["plateau_worst"].text.replace("math.inf", "INFINITY")
        )
        condition = "if (x_val) " if view["reduces_by_validation"] else ""
        figure = _monitored(view["plateau_monitor"].text)
        view["reduce_call"] = Code(f"{condition}reduce(run, now.{figure});")
    return view


def _printed(printer: Printer, program: Program | None) -> Printed | None:
    return None if program is None else printer.printed(program)


def _rate_calls(model: Model, derived: Derived) -> dict[str, Any]:
    """Give the calls of the schedule, which counts epochs or updates."""
    read = {value.name for value in derived.learning_rate.inputs}
    takes_total, reduces = "total" in read, REDUCTIONS in read
    now = ", run->reductions" * reduces
    total = f", (double){model.name.upper()}_EPOCHS * (double)updates"
    function, given = f"{model.name}_learning_rate", total if takes_total else ""
    steps = per_step(model)
    first = "(double)epoch * (double)updates + (double)update"
    last = "(double)(epoch + 1) * (double)updates - 1"
    return {
        "c_rate_arguments": Code(
            "double t"
            + ", double total" * takes_total
            + ", double reductions" * reduces
        ),
        "rate_of_update": Code(f"{function}({first}{given})" if steps else "lr"),
        "rate_of_epoch_in_c": Code(
            f"{function}({last}{given})" if steps else f"{function}(epoch{now})"
        ),
    }


def _printer(derived: Derived, kept: Memory) -> Printer:
    """Print what metrics call the prediction as the array that has it."""
    names = {"prediction": member(predicted_name(derived, kept))}
    return Printer(
        kept.arrays,
        lambda name: names.get(name, member(name)),
        "m->panel" if kept.panel else "NULL",
    )


def _training(model: Model, facts: dict[str, Any]) -> dict[str, Any]:
    upper, shuffled = model.name.upper(), model.train.shuffle
    batch, whole = f"{upper}_BATCH_SIZE", model.train.drop_last
    order = f"`order` has room for {upper}_ORDER(n) numbers. "
    view = {
        "shuffle": shuffled,
        "order_says": Code(order if shuffled else ""),
        "order_argument": Code("uint32_t *order, " if shuffled else ""),
        "seed_argument": Code("uint64_t seed, " if shuffled else ""),
        "order_call": Code("order, " if shuffled else ""),
        "seed_call": Code("seed, " if shuffled else ""),
        "updates_of_n": Code(
            f"n / {batch}" if whole else f"(n + {batch} - 1) / {batch}"
        ),
        "samples_seen": Code(f"(updates * {batch})" if whole else "n"),
    }
    if model.early_stopping is None:
        return view
    delta = facts["by_delta"].text.replace("MIN_DELTA", facts["min_delta"].text)
    delta = delta if model.early_stopping.min_delta else ""
    return view | {
        "monitored": Code(_monitored(model.early_stopping.monitor)),
        "c_worst": Code("-INFINITY" if facts["better"].text == ">" else "INFINITY"),
        "c_reference": Code(f"run->reference {delta}".strip()),
        "watch_if": Code("x_val && " if _watches_validation(model) else ""),
    }


def _monitored(monitor: str) -> str:
    kind, _, figure = monitor.partition("_")
    return f"{'validation' if kind == 'val' else kind}.{figure}"
