"""The Programs of a module as its functions: where each finds what it names, and what it says.

Takes the checked Model and its Programs, gives Functions by the names that the templates use. A
comment beside a line of code is the derivation that its Value carries, never text of its own.
"""

from __future__ import annotations

from typing import Any

from specc.calculus.notation import mathematics
from specc.derive.derived import Derived, Pass
from specc.emit.headings import backward_heading, forward_heading, metric_says
from specc.emit.language import Language
from specc.emit.pieces import Code, Function, Places, derivation_of, function, whole
from specc.emit.places import Names, names_of_module, sentence
from specc.ir.program import Program
from specc.ir.rewrite import nameless
from specc.ir.value import OPS, role
from specc.model.model import Model
from specc.passes.expand import expand
from specc.passes.simplify import simplify
from specc.targets.python.schedule import schedule_view
from specc.targets.python.state import state_view
from specc.targets.python.update import descent, update_view

BASIC = frozenset(
    {"input", "const", "softmax", "log_softmax"}
    | {name for name, op in OPS.items() if not op.expansion}
)
"""The operations that formulas are made of."""


def functions_view(model: Model, derived: Derived, target: Language) -> dict[str, Any]:
    """Give every function, and the few words of them that the templates need."""
    names = names_of_module(model, derived, target)
    last, label = names.last, names.label
    view: dict[str, Any] = {
        "loss_gradient": _loss_gradient(model, derived, target, names),
        "step_loss": _step_loss(derived, target, names),
    }
    view |= _passes(model, derived, target, names)
    view |= state_view(model, derived, target, names)
    expanded = simplify(nameless(expand(derived.loss, BASIC)))
    formula = mathematics(_result(expanded))
    says = f"L = {formula}{_rows(derived, derived.loss)}."
    view["loss"] = whole(derived.loss, target, says)
    view["output"] = None
    view["output_gradient"] = None
    if derived.output is not None:
        says = f"Predict, from {last}{_rows(derived, derived.output)}."
        view["output"] = whole(derived.output, target, says)
        view["output_name"] = Code(derived.output.outputs[0][0])
    if derived.output_gradient is not None and target.workspace:
        says = sentence(derived.output_gradient, last)
        view["output_gradient"] = whole(derived.output_gradient, target, says)
    view["metrics"] = [
        whole(each.program, target, f"{metric_says(model, each.clause, each.says)}.")
        for each in derived.metrics
    ]
    view |= summaries_view(model, derived, target)
    takes = "prediction" if derived.output else last
    array = target.words.array
    view["last"] = Code(last)
    view["d_last"] = Code(names.d_last)
    view["d_input"] = Code(f"d_{names.x}")
    view["figures_arguments"] = Code(f"{last}: {array}, {label}: {array}")
    shown = ["loss", *(each.figure for each in derived.metrics)]
    calls = [f"{derived.loss.name}({last}, {label})"]
    calls += [f"{m.program.name}({takes}, {label})" for m in derived.metrics]
    made = calls if not target.workspace else [f"float({call})" for call in calls]
    view["figures"] = [
        Code(f'"{name}": {call}') for name, call in zip(shown, made, strict=True)
    ]
    view["figure_names"] = Code(", ".join(f'"{name}"' for name in shown))
    means = shown[1:] if derived.sums else shown
    view["mean_names"] = Code(", ".join(f'"{name}"' for name in means))
    view["total_loss"] = derived.sums
    view |= schedule_view(model, derived, target)
    view |= update_view(model, derived, target)
    if derived.descends:
        given = _given(derived.backward, target, names)
        view["update"] = descent(view["update"], given)
    called = _called(view)
    return view | {f"calls_{op}": op in called for op in target.helpers}


def summaries_view(model: Model, derived: Derived, target: Language) -> dict[str, Any]:
    """Give the metrics that are made of several means, as functions of numbers."""
    own = {each.figure for each in derived.metrics if not each.says}
    functions, calls = [], ['"loss": means["loss"]']
    made = {each.figure: each.program for each in derived.summaries}
    for metric in model.metrics:
        name = metric.use.entry.name
        if name in own:
            calls.append(f'"{name}": means["{name}"]')
            continue
        program = made[name]
        taken = [value.name for value in program.inputs]
        given = ", ".join(f'means["{figure}"]' for figure in taken)
        calls.append(f'"{name}": {name}({given})')
        place = Places({figure: figure for figure in taken})
        signature = dict.fromkeys(taken, "float")
        says = f"{metric_says(model, metric, '')}."
        functions.append(
            function(program, target, place, signature, says, derivation_of)
        )
    return {
        "summaries": functions,
        "summary_calls": [Code(call) for call in calls],
        "summarized": bool(functions),
        "figures_doc": Code(
            "means over samples" if functions else "the loss and every metric"
        ),
        "finish": Code("finished" if functions else ""),
    }


def _called(view: dict[str, Any]) -> set[str]:
    """Give the operations that the functions call."""
    made = [*view.values(), *view["metrics"]]
    functions = [each for each in made if isinstance(each, Function)]
    return {op for each in functions for op in each.printed.called}


def _passes(
    model: Model, derived: Derived, target: Language, names: Names
) -> dict[str, Any]:
    """Give forward, backward and the derivative by the input, of training and of prediction."""
    own = Pass(
        derived.forward,
        derived.backward,
        derived.input_gradient,
        derived.accumulates,
    )
    places = names.places(names.last, names.d_last)
    view: dict[str, Any] = dict.fromkeys(EVALUATION)
    both = {"": own, "evaluation_": derived.evaluation}
    for prefix, each in both.items():
        if each is None:
            continue
        mode = ""
        if derived.evaluation is not None:
            mode = " in evaluation" if prefix else " in training"
        view[f"{prefix}forward"] = _forward(
            model, derived, each.forward, target, names, mode
        )
        view[f"{prefix}backward"] = _backward(
            each, derived.descends, target, names, mode
        )
        view[f"{prefix}input_gradient"] = function(
            each.input_gradient,
            target,
            places,
            _mentioned(each.input_gradient, target, places),
            sentence(each.input_gradient, names.x),
            derivation_of,
        )
    return view


EVALUATION = ("evaluation_forward", "evaluation_backward", "evaluation_input_gradient")
"""The functions of prediction, where training has others."""


def _forward(
    model: Model,
    derived: Derived,
    program: Program,
    target: Language,
    names: Names,
    mode: str,
) -> Function:
    said = "logits" if derived.output else "prediction"
    array = target.words.array
    reads = any(role(value) == "buffer" for value in program.inputs)
    buffers = {"buffers": "Buffers"} if reads else {}
    signature = {"p": "Parameters"} | buffers
    signature |= {"s": "Workspace", names.given_x: array}
    if target.workspace:
        places = names.places(names.last, names.label)
        signature[names.last] = array
        says = f"Write the {said} for a batch{mode} into {names.last}"
    else:
        places = names.places()
        signature = _mentioned(program, target, places)
        says = f"Give the {said} for a batch{mode}"
    if "s" in signature:
        says += "; s keeps what backward reads"
    heading = forward_heading(model)
    return function(program, target, places, signature, f"{says}.", heading)


def _loss_gradient(
    model: Model, derived: Derived, target: Language, names: Names
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
        f"{says}." if derived.sums else f"{says}; n is the number of {counted}.",
        derivation_of,
    )


def _step_loss(derived: Derived, target: Language, names: Names) -> Function | None:
    if derived.step_loss is None:
        return None
    places = names.places(names.last, names.label)
    says = sentence(derived.step_loss, names.last).removesuffix(".")
    return function(
        derived.step_loss,
        target,
        places,
        _mentioned(derived.step_loss, target, places),
        f"{says}, from what {derived.loss_gradient.name} left in s.",
        derivation_of,
    )


def _given(backward: Program, target: Language, names: Names) -> dict[str, str]:
    """Name what a backward pass reads beside the parameters, with types."""
    array = target.words.array
    mentioned = {value.name for value in backward.inputs}
    last = {names.last: array} if names.last in mentioned else {}
    saved = {"s": "Workspace"}
    if not target.workspace:
        saved = {"s": "Saved"} if names.kept else {}
    return saved | {names.given_x: array} | last | {names.d_last: array}


def _backward(
    each: Pass, descends: bool, target: Language, names: Names, mode: str
) -> Function:
    order = "last layer first" if mode else "from the last layer to the first"
    says = f"Write dL/d(every parameter){mode} into g, {order}."
    factors: dict[str, str] = {}
    if descends:
        says = f"Write beta g + alpha dL/d(every parameter){mode} into g, last layer first."
        factors = {"beta": "float", "alpha": "float"}
    read = {value.name for value in each.backward.inputs}
    through = target.workspace or read & names.parameters
    parameters = {"p": "Parameters"} if through else {}
    given = _given(each.backward, target, names)
    return function(
        each.backward,
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


def _mentioned(program: Program, target: Language, place: Places) -> dict[str, str]:
    """Give the parameters that a function of this Program needs, in the usual order."""
    names = [value.name for value in program.inputs]
    found = {"p": "Parameters"} if place.parameters.intersection(names) else {}
    if place.buffers.intersection(names):
        found["buffers"] = "Buffers"
    texts = [place(name) for name in names if name not in place.parameters]
    results = [place(value.slot) for value in program.values if value.slot]
    if any(text.startswith("s.") for text in [*texts, *results]):
        found["s"] = "Workspace" if target.workspace else "Saved"
    array = target.words.array
    given = [t.removesuffix("[:-1]") for t in texts]  # x without its row of ones
    return found | {t: array for t in given if not t.startswith(("s.", "buffers."))}
