"""A model and its Programs -> the text of a NumPy module."""

from __future__ import annotations

from dataclasses import dataclass, replace

from specc.derive.derived import Derived
from specc.emit.emit import emitted
from specc.emit.language import Language
from specc.emit.pieces import LINE, Code, Function, dims
from specc.emit.places import names_of_module
from specc.ir.value import Shape
from specc.model.model import Model
from specc.targets.numpy.calls import Caller, coded
from specc.targets.numpy.training import epoch
from specc.targets.python.batch import batch
from specc.targets.python.facts import contents, facts
from specc.targets.python.figures import figures, summary
from specc.targets.python.functions import functions
from specc.targets.python.loop import loop
from specc.targets.python.methods import (
    Methods,
    array_methods,
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
from specc.targets.python.update import Update


@dataclass(frozen=True)
class Saved:
    """The class `Saved`: every array that one function leaves to another."""

    lines: tuple[Code, ...]


def written(
    model: Model, derived: Derived, target: Language, command: str, stem: str
) -> dict[str, str]:
    """Return the one file of a NumPy module, whatever it is called."""
    view = topics(model, derived, target, command)
    return {".py": emitted("numpy/module.py.j2", view, target.imports)}


def topics(
    model: Model, derived: Derived, target: Language, command: str
) -> dict[str, object]:
    """Return what the templates print."""
    made = functions(model, derived, target)
    saved = _saved(model, derived, target, made)
    words = batch(model, derived, ".astype(self.dtype, copy=False)")
    caller = Caller(model, derived, made, words, bool(saved.lines))
    means = summary(model, derived, target)
    rounds = loop(model, target)
    arrays = ["Buffers"] * bool(model.buffers) + ["Saved"] * bool(saved.lines)
    operations = _helpers(target, made)
    computing = network(
        _ending(model, derived, made),
        [f"numpy/helpers/{name}.py.j2" for name in operations],
        mask_lines(model, derived, target),
    )
    update, given, state = _update(model, derived, target)
    return {
        "facts": facts(model, target, command),
        "loop": rounds,
        "schedule": schedule(model, derived, target),
        "starts": starts(model, target.words, bool(derived.masks)),
        "buffers": buffers(model, target.words),
        "batch": words,
        "calls": caller.calls(given),
        "figures": figures(
            derived, target, bool(means.functions), "y", words.length_of_last.text
        ),
        "summary": means,
        "contents": contents(sections(computing, means, operations, arrays)),
        "network": computing,
        "parameters": parameters(model, derived, target, made),
        "saved": saved,
        "update": update,
        "epoch": epoch(caller),
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
                ["self.table = np.vstack([kept, np.reshape(numbers, (len(new), -1))])"]
            ),
            reduced_length=Code("len(table) + 1"),
            begin=beginning(state),
            state=state,
            forget=Code("vector[:] = 0"),
        ),
    }


def _ending(model: Model, derived: Derived, made: Functions) -> Functions:
    """Let each function return its result, under a name where that says its type."""
    last, x = derived.loss.inputs[0].name, derived.forward.inputs[0].name

    def local(each: Function, name: str) -> Function:
        lines = (f"{name}: Array = {each.result.text}", f"return {name}")
        return each.returning("Array", *lines)

    def perhaps(each: Function | None, name: str) -> Function | None:
        return None if each is None else local(each, name)

    def number(each: Function, name: str) -> Function:
        if len(each.result.text) <= LINE - len("    return float()"):
            return each.returning("float", f"return float({each.result.text})")
        lines = (f"{name} = {each.result.text}", f"return float({name})")
        return each.returning("float", *lines)

    def passes(each: Passes) -> Passes:
        return replace(
            each,
            forward=each.forward.returning("Array", f"return {last}"),
            input_gradient=local(each.input_gradient, f"d_{x}"),
        )

    output = derived.output.outputs[0][0] if derived.output is not None else ""
    state = replace(
        made.state,
        standardize=perhaps(made.state.standardize, x),
        standardize_backward=perhaps(
            made.state.standardize_backward, f"d_{model.input.name}"
        ),
    )
    return replace(
        made,
        training=passes(made.training),
        evaluation=None if made.evaluation is None else passes(made.evaluation),
        state=state,
        output=perhaps(made.output, output),
        loss=number(made.loss, "loss"),
        loss_gradient=made.loss_gradient.returning("Array", f"return d_{last}"),
        metrics=tuple(number(each, "metric") for each in made.metrics),
    )


def _helpers(target: Language, made: Functions) -> list[str]:
    """Return the operations that the module defines itself."""
    every = (*made.every, *made.metrics)
    called = {op for each in every for op in each.printed.called}
    order = ("sigmoid", "erf", "softmax", "log_softmax")
    assert set(order) == set(target.helpers)
    return [op for op in order if op in called]


def _saved(model: Model, derived: Derived, target: Language, made: Functions) -> Saved:
    """Declare what forward leaves to backward, and backward to `input_backward`."""
    kept = names_of_module(model, derived, target).kept or frozenset()
    found: dict[str, Shape] = {mask.name: mask.shape for mask in derived.masks}
    for each in (each for p in made.passes for each in (p.forward, p.backward)):
        for statement in each.printed.statements:
            if statement.value.slot in kept:
                found.setdefault(statement.value.slot, statement.value.shape)
    array = target.words.array
    lines = [f"{name}: {array}  # {dims(shape)}" for name, shape in found.items()]
    return Saved(coded(lines))


def _update(
    model: Model, derived: Derived, target: Language
) -> tuple[Update, str, bool]:
    """Return how `Model` begins with what updates keep, how it gives that to them, if at all."""
    zeros = f"{target.words.library}.zeros_like(self.flat_parameters)"
    names = model.optimizer.use().state()
    entries = ", ".join(f'"{name}": {zeros}' for name in names)
    vectors = f"{{{entries}}}"
    if not derived.counts_updates:
        lines = [f"self._state = {vectors}"] if names else []
        given = ", **self._state" if names else ""
        return Update((), coded(lines)), given, bool(names)
    counted = '{"updates": self._updates}'
    everything = f"self._vectors | {counted}" if names else counted
    lines = [f"self._vectors = {vectors}"] if names else []
    lines += [
        "self._updates = np.zeros(1, np.int64)",
        f"self._state: dict[str, Array] = {everything}",
    ]
    given = ", self._count()" if derived.optimizer_counts else ""
    given += ", **self._vectors" if names else ""
    return Update((), coded(lines)), given, True


def _methods(model: Model, derived: Derived, state: bool) -> list[str]:
    """Return the templates of the methods of `Model`."""
    modes = derived.evaluation is not None
    shared = array_methods(model, modes, state, "numpy/methods/predict.py.j2")
    files = ["predict_batch", "loss"]
    files.append("evaluate_sum" if derived.sums else "evaluate_mean")
    files += ["backward", "step", "train"]
    files += ["drawn"] * bool(derived.masks) + ["count"] * derived.optimizer_counts
    files.append("sweep")
    return shared + [f"numpy/methods/{name}.py.j2" for name in files]
