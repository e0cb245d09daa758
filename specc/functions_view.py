"""The Programs of a module as its functions: where each finds what it names, and what it says.

Takes the checked Model and its Programs, gives Functions by the names that the templates use. A
comment beside a line of code is the derivation that its Value carries, never text of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specc.derivation import mathematics
from specc.derive import Derived
from specc.headings import backward_heading, forward_heading, metric_says
from specc.ir import BATCH, Program, nameless
from specc.model import Model
from specc.ops import OPS
from specc.passes.expand import expand
from specc.schedule_view import schedule_view
from specc.targets.text import Target
from specc.update_view import descent, update_view
from specc.view import Code, Function, Places, derivation_of, function, whole

BASIC = frozenset(
    {"input", "const", "softmax", "log_softmax"}
    | {name for name, op in OPS.items() if not op.expansion}
)
"""The operations that formulas are made of."""


@dataclass(frozen=True)
class _Names:
    """What the functions of a module call what they are given."""

    x: str
    """The input, as the spec calls it."""
    given_x: str
    """The input, perhaps with a row of ones."""
    last: str
    """What the last layer of `forward` gives."""
    label: str
    parameters: frozenset[str]
    kept: frozenset[str] | None
    """What stands in s: what one function makes and another reads, None for all."""

    @property
    def d_last(self) -> str:
        return f"d_{self.last}"

    def places(self, *arguments: str) -> Places:
        """Give the places in a function of the batch that also has these arguments."""
        known = {self.given_x: self.given_x, BATCH: BATCH}
        known[self.x] = f"{self.given_x}[:-1]" if self.x != self.given_x else self.x
        own = {name: name for name in arguments}
        return Places(known | own, self.parameters, kept=self.kept)


def functions_view(model: Model, derived: Derived, target: Target) -> dict[str, Any]:
    """Give every function, and the few words of them that the templates need."""
    names = _names(model, derived, target)
    last, label = names.last, names.label
    view: dict[str, Any] = {
        "forward": _forward(model, derived, target, names),
        "loss_gradient": _loss_gradient(model, derived, target, names),
        "step_loss": _step_loss(derived, target, names),
        "backward": _backward(derived, target, names),
    }
    given = names.places(last, names.d_last)
    view["input_gradient"] = function(
        derived.input_gradient,
        target,
        given,
        _mentioned(derived.input_gradient, target, given),
        _sentence(derived.input_gradient, names.x),
        derivation_of,
    )
    formula = mathematics(_result(nameless(expand(derived.loss, BASIC))))
    says = f"L = {formula}{_rows(derived, derived.loss)}."
    view["loss"] = whole(derived.loss, target, says)
    view["output"] = None
    view["output_gradient"] = None
    if derived.output is not None:
        says = f"Predict, from {last}{_rows(derived, derived.output)}."
        view["output"] = whole(derived.output, target, says)
        view["output_name"] = Code(derived.output.outputs[0][0])
    if derived.output_gradient is not None and target.workspace:
        says = _sentence(derived.output_gradient, last)
        view["output_gradient"] = whole(derived.output_gradient, target, says)
    view["metrics"] = [
        whole(program, target, f"{metric_says(model, clause)}.")
        for program, clause in zip(derived.metrics, model.metrics, strict=True)
    ]
    takes = "prediction" if derived.output else last
    array = target.words.array
    view["last"] = Code(last)
    view["d_last"] = Code(names.d_last)
    view["d_input"] = Code(f"d_{names.x}")
    view["figures_arguments"] = Code(f"{last}: {array}, {label}: {array}")
    shown = ["loss", *(metric.use.entry.name for metric in model.metrics)]
    calls = [f"{derived.loss.name}({last}, {label})"]
    calls += [f"{program.name}({takes}, {label})" for program in derived.metrics]
    made = calls if not target.workspace else [f"float({call})" for call in calls]
    view["figures"] = [
        Code(f'"{name}": {call}') for name, call in zip(shown, made, strict=True)
    ]
    view["figure_names"] = Code(", ".join(f'"{name}"' for name in shown))
    view |= schedule_view(model, derived, target)
    view |= update_view(model, derived, target)
    if derived.descends:
        view["update"] = descent(view["update"], _given(derived, target, names))
    called = _called(view)
    return view | {f"calls_{op}": op in called for op in target.helpers}


def _called(view: dict[str, Any]) -> set[str]:
    """Give the operations that the functions call."""
    made = [*view.values(), *view["metrics"]]
    functions = [each for each in made if isinstance(each, Function)]
    return {op for each in functions for op in each.printed.called}


def _names(model: Model, derived: Derived, target: Target) -> _Names:
    x = derived.forward.inputs[0].name
    last = derived.loss.inputs[0].name
    values = derived.forward.values
    carries = any(v.op == "with_ones" and v.args[0].name == x for v in values)
    parameters = frozenset(v.name for v in derived.forward.inputs[1:])
    kept = None
    if not target.workspace:
        readers = (derived.backward, derived.input_gradient)
        read = {value.name for program in readers for value in program.inputs}
        gradients = {f"d_{name}" for name in parameters}
        kept = frozenset(read - parameters - gradients - {x, last, f"d_{last}"})
    return _Names(
        x, f"{x}_1" if carries else x, last, model.target.name, parameters, kept
    )


def _forward(model: Model, derived: Derived, target: Target, names: _Names) -> Function:
    said = "logits" if derived.output else "prediction"
    array = target.words.array
    signature = {"p": "Parameters", "s": "Workspace", names.given_x: array}
    if target.workspace:
        places = names.places(names.last, names.label)
        signature[names.last] = array
        says = f"Write the {said} for a batch into {names.last}"
    else:
        places = names.places()
        signature = _mentioned(derived.forward, target, places)
        says = f"Give the {said} for a batch"
    if "s" in signature:
        says += "; s keeps what backward reads"
    heading = forward_heading(model)
    return function(derived.forward, target, places, signature, f"{says}.", heading)


def _loss_gradient(
    model: Model, derived: Derived, target: Target, names: _Names
) -> Function:
    counted = "targets" if model.target.dtype == "int" else "its elements"
    array = target.words.array
    signature = {names.last: array, names.label: array}
    says = f"Give dL/d{names.last}"
    if target.workspace:
        signature = {"s": "Workspace"} | signature
        says = f"Write dL/d{names.last} into s.{names.d_last}"
    return function(
        derived.loss_gradient,
        target,
        names.places(names.last, names.label),
        signature,
        f"{says}; n is the number of {counted}.",
        derivation_of,
    )


def _step_loss(derived: Derived, target: Target, names: _Names) -> Function | None:
    if derived.step_loss is None:
        return None
    places = names.places(names.last, names.label)
    says = _sentence(derived.step_loss, names.last).removesuffix(".")
    return function(
        derived.step_loss,
        target,
        places,
        _mentioned(derived.step_loss, target, places),
        f"{says}, from what {derived.loss_gradient.name} left in s.",
        derivation_of,
    )


def _given(derived: Derived, target: Target, names: _Names) -> dict[str, str]:
    """Name what the backward pass reads beside the parameters, with types."""
    array = target.words.array
    mentioned = {value.name for value in derived.backward.inputs}
    last = {names.last: array} if names.last in mentioned else {}
    saved = {"s": "Workspace"}
    if not target.workspace:
        saved = {"s": "Saved"} if names.kept else {}
    return saved | {names.given_x: array} | last | {names.d_last: array}


def _backward(derived: Derived, target: Target, names: _Names) -> Function:
    says = "Write dL/d(every parameter) into g, from the last layer to the first."
    factors: dict[str, str] = {}
    if derived.descends:
        says = "Write beta g + alpha dL/d(every parameter) into g, last layer first."
        factors = {"beta": "float", "alpha": "float"}
    read = {value.name for value in derived.backward.inputs}
    through = target.workspace or read & names.parameters
    parameters = {"p": "Parameters"} if through else {}
    given = _given(derived, target, names)
    return function(
        derived.backward,
        target,
        names.places(names.last, names.d_last, *factors),
        parameters | {"g": "Parameters"} | given | factors,
        says,
        backward_heading(),
    )


def _result(program: Program) -> Any:
    return program.outputs[0][1]


def _rows(derived: Derived, program: Program) -> str:
    """Say so where a formula looks along an axis, and not as the functions of a step do."""
    along = any("axis" in dict(value.attrs) for value in program.values)
    return "; here samples are rows" if along and derived.columns else ""


def _sentence(program: Program, name: str) -> str:
    derivation = _result(program).derivation
    return f"{derivation}." if derivation else f"dL/d{name}."


def _mentioned(program: Program, target: Target, place: Places) -> dict[str, str]:
    """Give the parameters that a function of this Program needs, in the usual order."""
    names = [value.name for value in program.inputs]
    found = {"p": "Parameters"} if place.parameters.intersection(names) else {}
    texts = [place(name) for name in names if name not in place.parameters]
    results = [place(value.slot) for value in program.values if value.slot]
    if any(text.startswith("s.") for text in [*texts, *results]):
        found["s"] = "Workspace" if target.workspace else "Saved"
    array = target.words.array
    return found | {text: array for text in texts if not text.startswith("s.")}
