"""A model and its Programs -> the text of a torch module."""

from __future__ import annotations

from dataclasses import replace

from specc.derive.derived import Derived
from specc.emit.emit import emitted
from specc.emit.language import Language
from specc.emit.pieces import Code, Function
from specc.model.model import Model
from specc.targets.python.batch import batch
from specc.targets.python.facts import contents, facts
from specc.targets.python.figures import figures, summary
from specc.targets.python.functions import functions
from specc.targets.python.loop import loop
from specc.targets.python.methods import (
    Methods,
    beginning,
    gradients_doc,
    run_methods,
    standardize_name,
)
from specc.targets.python.network import Functions, Passes, network, sections
from specc.targets.python.parameters import parameters
from specc.targets.python.schedule import schedule
from specc.targets.python.starts import starts
from specc.targets.python.state import buffers, mask_lines
from specc.targets.python.update import Update, optimizer_slots
from specc.targets.torch.calls import Caller, coded
from specc.targets.torch.kernels import kernels
from specc.targets.torch.threads import before_fit, threads
from specc.targets.torch.training import autograd, epoch
from specc.targets.torch.workspace import workspace


def written(
    model: Model, derived: Derived, target: Language, command: str, stem: str
) -> dict[str, str]:
    """Return the one file of a torch module, whatever it is called."""
    view = topics(model, derived, target, command)
    return {".py": emitted("torch/module.py.j2", view, target.imports)}


def topics(
    model: Model, derived: Derived, target: Language, command: str
) -> dict[str, object]:
    """Return what the templates print."""
    made = functions(model, derived, target)
    update, state = _update(model, derived)
    caller = Caller(model, derived, made, bool(update.lines))
    helpers = kernels(made)
    words = batch(model, derived, caller.cast("self"))
    means = summary(model, derived, target)
    rounds = loop(model, target)
    arrays = ["Workspace"] + ["Buffers"] * bool(model.buffers)
    arrays += ["Optimizer"] * bool(update.lines)
    computing = network(_ending(made), draw=mask_lines(model, derived, target))
    several = bool(means.functions)
    return {
        "facts": facts(model, target, command),
        "loop": rounds,
        "schedule": schedule(model, derived, target),
        "starts": starts(model, target.words, bool(derived.masks)),
        "buffers": buffers(model, target.words),
        "batch": words,
        "calls": caller.calls(),
        "figures": figures(derived, target, several, "target", "len(x)"),
        "summary": means,
        "contents": contents(
            sections(computing, means, helpers.operations, arrays, of_torch=True)
        ),
        "network": computing,
        "kernels": helpers,
        "parameters": parameters(model, derived, target, made),
        "workspace": workspace(model, derived, made, helpers.wide),
        "update": update,
        "epoch": epoch(caller, words),
        "autograd": autograd(caller),
        "methods": Methods(
            parts=tuple(_methods(model, derived, state)),
            run=tuple(run_methods(rounds)),
            epochs="python/epochs.py.j2",
            gradients_doc=gradients_doc(not derived.descends),
            measure=coded(caller.measure()),
            standardize=standardize_name(model),
            run_length=Code("self.model._epochs"),
            clear=(),
            append_rows=coded(
                [
                    "added = torch.tensor(numbers, dtype=kept.dtype, device=kept.device)",
                    "self.table = torch.cat([kept, added.reshape(len(new), -1)])",
                ]
            ),
            reduced_length=Code("len(table) + 1"),
            begin=beginning(state),
            state=state,
            forget=Code("vector.zero_()"),
            before_fit=before_fit(model),
        ),
        "threads": threads(model),
    }


def _ending(made: Functions) -> Functions:
    """Let each function return its result; what writes to a buffer returns nothing."""

    def ends(each: Function) -> Function:
        return each.returning("Tensor", f"return {each.result.text}")

    def perhaps(each: Function | None) -> Function | None:
        return None if each is None else ends(each)

    def passes(each: Passes) -> Passes:
        return replace(each, input_gradient=ends(each.input_gradient))

    state = replace(
        made.state,
        standardize=perhaps(made.state.standardize),
        standardize_backward=perhaps(made.state.standardize_backward),
    )
    return replace(
        made,
        training=passes(made.training),
        evaluation=None if made.evaluation is None else passes(made.evaluation),
        state=state,
        output=perhaps(made.output),
        loss=ends(made.loss),
        step_loss=perhaps(made.step_loss),
        output_gradient=perhaps(made.output_gradient),
        metrics=tuple(ends(each) for each in made.metrics),
    )


def _update(model: Model, derived: Derived) -> tuple[Update, bool]:
    """Return the vectors of the optimizer; True if updates leave anything to the next."""
    named = ", ".join(f'"{n}": self.{n}' for n in model.optimizer.use().state())
    lines = [
        f"self.{name} = torch.zeros_like(flat)"
        for name in optimizer_slots(model, derived)
    ]
    everything, starts = [], []
    if lines:
        starts.append("self._o = Optimizer(self.flat_parameters)")
    if derived.counts_updates:
        starts.append("self._updates = torch.zeros(1, dtype=torch.int64)")
    if named:
        lines.append(f"self.state = {{{named}}}")
        everything.append("self._o.state")
    if derived.counts_updates:
        everything.append('{"updates": self._updates}')
    if everything:
        starts.append(f"self._state = {' | '.join(everything)}")
    return Update(coded(lines), coded(starts)), bool(everything)


def _methods(model: Model, derived: Derived, state: bool) -> list[str]:
    """Return the templates of the methods of `Model`."""
    modes, classes = derived.evaluation is not None, model.target.dtype == "int"
    files = ["views"]
    files += ["buffers"] * bool(model.buffers)
    files.append("predict")
    files.append("losses_in_modes" if modes else "losses")
    files.append("train_step_of_classes" if classes else "train_step")
    files.append("python/fit_method.py.j2")
    files.append("load_buffers" if model.buffers else "load_parameters")
    files.append("pickle_state" if state else "pickle")
    files += ["save", "as_module"]
    files += ["python/alone.py.j2", "forked", "checked_samples", "last"]
    files.append("evaluate_sum" if derived.sums else "evaluate_mean")
    files.append("backward_or_update" if derived.descends else "backward")
    files += ["count"] * derived.counts_updates
    files.append("train")
    return [n if "/" in n else f"torch/methods/{n}.py.j2" for n in files]
