"""The Programs of a module as its functions: where each finds what it names, and what it says.

Takes the checked Model and its Programs, gives Functions by the names that the templates use. A
comment beside a line of code is the derivation that its Value carries, never text of its own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from specc.derivation import mathematics
from specc.derive import Derived
from specc.ir import BATCH, Program, nameless
from specc.model import Clause, Model
from specc.ops import OPS
from specc.passes.expand import expand
from specc.printing import Statement
from specc.targets.torch_text import TORCH
from specc.view import Code, Function, Places, docstring, function

BASIC = frozenset(
    {"input", "const", "softmax", "log_softmax"}
    | {name for name, op in OPS.items() if not op.expansion}
)
"""The operations that formulas are made of."""


def functions_view(model: Model, derived: Derived) -> dict[str, Any]:
    """Give every function, and the few words of them that the templates need."""
    last = derived.loss.inputs[0].name
    label = model.target.name
    d_last = f"d_{last}"
    x = derived.forward.inputs[0].name
    parameters = frozenset(v.name for v in derived.forward.inputs[1:])
    carries = any(
        v.op == "with_ones" and v.args[0].name == x for v in derived.forward.values
    )
    x_name = f"{x}_1" if carries else x
    arguments = {x: x, f"{x}_1": f"{x}_1", BATCH: BATCH}
    if carries:
        arguments[x] = f"{x}_1[:-1]"
    step = Places(arguments | {last: last, label: label}, parameters)
    scalars = {"beta": "beta", "alpha": "alpha"} if derived.descends else {}
    seeded = Places(arguments | {last: last, d_last: d_last} | scalars, parameters)
    tensor = {"p": "Parameters", "s": "Workspace"}
    said = "logits" if derived.output else "prediction"
    view: dict[str, Any] = {}

    view["forward"] = function(
        derived.forward,
        TORCH,
        step,
        tensor | {x_name: "Tensor", last: "Tensor"},
        f"Write the {said} for a batch into {last}; s keeps what backward reads.",
        _forward_heading(model),
    )
    formula = mathematics(_result(nameless(expand(derived.loss, BASIC))))
    view["loss"] = _whole(derived.loss, f"L = {formula}{_rows(derived, derived.loss)}.")
    view["loss_gradient"] = function(
        derived.loss_gradient,
        TORCH,
        step,
        {"s": "Workspace", last: "Tensor", label: "Tensor"},
        (
            f"Write dL/d{last} into s.{d_last}; n is the number of its elements."
            if model.target.dtype == "real"
            else f"Write dL/d{last} into s.{d_last}; n is the number of targets."
        ),
        _derivation,
    )
    view["step_loss"] = None
    if derived.step_loss is not None:
        says = _sentence(derived.step_loss, last).removesuffix(".")
        view["step_loss"] = function(
            derived.step_loss,
            TORCH,
            step,
            _mentioned(derived.step_loss, parameters, step),
            f"{says}, from what {derived.loss_gradient.name} left in s.",
            _derivation,
        )
    mentioned = {value.name for value in derived.backward.inputs}
    ends = {x_name: "Tensor"} | ({last: "Tensor"} if last in mentioned else {})
    given = {"s": "Workspace"} | ends | {d_last: "Tensor"}
    factors = {name: "float" for name in scalars}
    says = "Write dL/d(every parameter) into g, from the last layer to the first."
    if derived.descends:
        says = "Write beta g + alpha dL/d(every parameter) into g, last layer first."
    view["backward"] = function(
        derived.backward,
        TORCH,
        seeded,
        {"p": "Parameters", "g": "Parameters"} | given | factors,
        says,
        _backward_heading(),
    )
    view["backward_takes_last"] = last in mentioned
    view["input_gradient"] = function(
        derived.input_gradient,
        TORCH,
        seeded,
        _mentioned(derived.input_gradient, parameters, seeded),
        _sentence(derived.input_gradient, x),
        _derivation,
    )
    view["output"] = None
    view["output_gradient"] = None
    if derived.output is not None and derived.output_gradient is not None:
        rows = _rows(derived, derived.output)
        view["output"] = _whole(derived.output, f"Predict, from {last}{rows}.")
        view["output_gradient"] = _whole(
            derived.output_gradient, _sentence(derived.output_gradient, last)
        )
    view["metrics"] = [
        _whole(program, f"{_metric_says(model, clause)}.")
        for program, clause in zip(derived.metrics, model.metrics, strict=True)
    ]
    takes = "prediction" if derived.output else last
    view["last"] = Code(last)
    view["figures_arguments"] = Code(f"{last}: Tensor, {label}: Tensor")
    names = ["loss", *(program.name for program in derived.metrics)]
    calls = [f"{derived.loss.name}({last}, {label})"]
    calls += [f"{program.name}({takes}, {label})" for program in derived.metrics]
    view["figures"] = [
        Code(f'"{name}": float({call})')
        for name, call in zip(names, calls, strict=True)
    ]
    view["figure_names"] = Code(", ".join(f'"{name}"' for name in names))
    view["learning_rate"] = _whole(derived.learning_rate, "").result
    says = _says(model, model.schedule)
    view["schedule_doc"] = Code(docstring(f"The rate after t epochs: {says}."))
    view |= _update(model, derived)
    if derived.descends:
        view["update"] = _descent(view["update"], given)
    return view


def _update(model: Model, derived: Derived) -> dict[str, Any]:
    optimizer = model.optimizer.use()
    program = derived.update
    state = optimizer.state()
    slots = dict.fromkeys([*state, *(v.slot for v in program.values if v.slot)])
    kept = [name for name in slots if name != "theta"]
    place = Places({n: n for n in ("theta", "gradient", "lr")}, kept="o")
    signature = {"theta": "Tensor", "gradient": "Tensor", "lr": "float"}
    if kept:
        signature["o"] = "Optimizer"
    says = _says(model, model.optimizer)
    lines = [f"self.{name} = torch.zeros_like(flat)" for name in kept]
    if state:
        named = ", ".join(f'"{name}": self.{name}' for name in state)
        lines.append(f"self.state = {{{named}}}")
    update = function(program, TORCH, place, signature, f"{says}.", _derivation)
    return {
        "update": update,
        "optimizer_lines": [Code(line) for line in lines],
        "has_optimizer": bool(kept),
        "has_state": bool(state),
    }


def _descent(update: Function, given: dict[str, str]) -> Function:
    """Let the backward pass write the update: p is what it adds to."""
    signature = {"p": "Parameters"} | given | {"lr": "float"}
    arguments = ", ".join(f"{name}: {kind}" for name, kind in signature.items())
    call = f"backward(p, p, {', '.join(given)}, beta=1, alpha=-lr)"
    comments = [line for line in update.lines if line.text.startswith("#")]
    return replace(update, arguments=Code(arguments), lines=(*comments, Code(call)))


def _result(program: Program) -> Any:
    return program.outputs[0][1]


def _rows(derived: Derived, program: Program) -> str:
    """Say so where a formula looks along an axis, and not as the functions of a step do."""
    along = any("axis" in dict(value.attrs) for value in program.values)
    return "; here samples are rows" if along and derived.columns else ""


def _whole(program: Program, doc: str) -> Function:
    """Print a Program that is one expression in its arguments."""
    place = Places({value.name: value.name for value in program.inputs})
    signature = {value.name: "Tensor" for value in program.inputs}
    return function(program, TORCH, place, signature, doc, _derivation)


def _sentence(program: Program, name: str) -> str:
    derivation = _result(program).derivation
    return f"{derivation}." if derivation else f"dL/d{name}."


def _says(model: Model, clause: Clause) -> str:
    where = f"  ({file_name(model)}:{clause.span.line})" if clause.span else ""
    return f"{clause.use}{where}"


def _metric_says(model: Model, clause: Clause) -> str:
    """Say it without brackets: a docstring that looks like the signature is no docstring."""
    word, bracket, rest = str(clause.use).partition("(")
    says = _says(model, clause)
    if not bracket:
        return says
    return says.replace(str(clause.use), f"{word} with {rest.removesuffix(')')}", 1)


def _mentioned(
    program: Program, parameters: frozenset[str], place: Places
) -> dict[str, str]:
    """Give the parameters that a function of this Program needs, in the usual order."""
    names = [value.name for value in program.inputs]
    found = {"p": "Parameters"} if parameters.intersection(names) else {}
    texts = {name: place(name) for name in names if name not in parameters}
    if any(text.startswith("s.") for text in texts.values()):
        found["s"] = "Workspace"
    return found | {t: "Tensor" for t in texts.values() if not t.startswith("s.")}


def _forward_heading(model: Model) -> Any:
    def heading(statement: Statement) -> str:
        first, *_ = statement.origins
        says = ", ".join(origin.says for origin in statement.origins)
        lines = sorted({origin.line for origin in statement.origins})
        where = "-".join(str(line) for line in (lines[0], lines[-1])[: len(lines)])
        return f"{first.layer}: {says}  ({file_name(model)}:{where})"

    return heading


def _backward_heading() -> Any:
    seen: list[str] = [""]

    def heading(statement: Statement) -> str:
        layer = statement.origins[0].layer
        text = _derivation(statement)
        if layer == seen[-1]:
            return text
        seen.append(layer)
        return f"{layer}: {text}"

    return heading


def _derivation(statement: Statement) -> str:
    return ";  ".join(statement.derivations)


def file_name(model: Model) -> str:
    """Name the spec in a comment: its file, or its model where the name is not plain."""
    name = re.split(r"[/\\]", model.source.name)[-1]
    plain = re.fullmatch(r"[A-Za-z0-9_.-]+", name) is not None
    return name if plain else f"{model.name}.spec"
