"""The Programs of a module as its functions: where each finds what it names, and what it says.

A comment beside a line of code is the derivation that its Value carries, never text of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from specc.calculus.notation import mathematics
from specc.derive.derived import Derived, Pass
from specc.emit.headings import backward_heading, forward_heading, metric_doc
from specc.emit.language import Language
from specc.emit.pieces import Code, Function, Places, derivation_of, function, whole
from specc.emit.places import Names, names_of_module, sentence
from specc.ir.program import Program
from specc.ir.rewrite import nameless
from specc.ir.value import OPS, role
from specc.model.model import Model
from specc.passes.expand import expand
from specc.passes.simplify import simplify
from specc.targets.python.network import Functions, Passes
from specc.targets.python.state import state_functions
from specc.targets.python.update import descent, update_function

BASIC = frozenset(
    {"input", "const", "softmax", "log_softmax"}
    | {name for name, op in OPS.items() if not op.expansion}
)
"""The operations that formulas are made of."""


def functions(model: Model, derived: Derived, target: Language) -> Functions:
    """Print every function."""
    names = names_of_module(model, derived, target)
    own = Pass(
        derived.forward,
        derived.backward,
        derived.input_gradient,
        derived.accumulates,
    )
    output = output_gradient = evaluation = None
    training = _Printing(model, derived, target, names, "")
    if derived.evaluation is not None:
        training = replace(training, mode=" in training")
        evaluation = replace(training, mode=" in evaluation").passes(derived.evaluation)
    if derived.output is not None:
        says = f"{_prediction(derived.output)}{_rows(derived, derived.output)}."
        output = whole(derived.output, target, says)
    if derived.output_gradient is not None and target.workspace:
        says = sentence(derived.output_gradient, names.last)
        output_gradient = whole(derived.output_gradient, target, says)
    update = update_function(model, derived, target)
    if derived.descends:
        update = descent(update, training.given(derived.backward))
    formula = mathematics(_expanded(derived.loss).outputs[0][1])
    says = f"Return L = {formula}{_rows(derived, derived.loss)}."
    return Functions(
        training=training.passes(own),
        evaluation=evaluation,
        state=state_functions(model, derived, target, names),
        output=output,
        loss=whole(derived.loss, target, says),
        loss_gradient=_loss_gradient(model, derived, target, names),
        step_loss=_step_loss(derived, target, names),
        output_gradient=output_gradient,
        update=update,
        metrics=tuple(
            whole(each.program, target, f"{metric_doc(model, each.clause, each.says)}.")
            for each in derived.metrics
        ),
    )


@dataclass(frozen=True)
class _Printing:
    """What the functions of one pass are printed with."""

    model: Model
    derived: Derived
    target: Language
    names: Names
    mode: str
    """What their docstrings say of the mode."""

    def passes(self, each: Pass) -> Passes:
        """Print the functions of a pass."""
        names, target, by_input = self.names, self.target, each.input_gradient
        places = names.places(names.last, names.d_last)
        evaluation = self.mode == " in evaluation"
        prefix = "evaluation_" if evaluation else ""
        made = function(
            by_input,
            target,
            places,
            _mentioned(by_input, target, names, places),
            sentence(by_input, names.x),
            derivation_of,
        )
        return Passes(
            replace(self._forward(each.forward), name=Code(f"{prefix}forward")),
            replace(self._backward(each), name=Code(f"{prefix}backward")),
            replace(made, name=Code(f"{prefix}input_backward")),
        )

    def _forward(self, program: Program) -> Function:
        names, target = self.names, self.target
        said = "logits" if self.derived.output else "prediction"
        array = target.words.array
        if target.workspace:
            places = names.places(names.last, names.label)
            reads = any(role(value) == "buffer" for value in program.inputs)
            signature = {"p": "Parameters"}
            signature |= {"buffers": "Buffers"} if reads else {}
            signature |= {"s": "Workspace", names.given_x: array, names.last: array}
            says = f"Write the {said} for a batch{self.mode} into {names.last}"
        else:
            places = names.places()
            signature = _mentioned(program, target, names, places)
            says = f"Return the {said} for a batch{self.mode}"
        if "s" in signature:
            says += "; s keeps what backward reads"
        heading = forward_heading(self.model)
        return function(program, target, places, signature, f"{says}.", heading)

    def _backward(self, each: Pass) -> Function:
        names = self.names
        order = "last layer first" if self.mode else "from the last layer to the first"
        says = f"Write dL/d(every parameter){self.mode} into g, {order}."
        factors: dict[str, str] = {}
        if self.derived.descends:
            says = (
                f"Write beta g + alpha dL/d(every parameter){self.mode} into g, last"
                " layer first."
            )
            factors = {"beta": "float", "alpha": "float"}
        read = {value.name for value in each.backward.inputs}
        through = self.target.workspace or read & names.parameters
        parameters = {"p": "Parameters"} if through else {}
        given = self.given(each.backward)
        return function(
            each.backward,
            self.target,
            names.places(names.last, names.d_last, *factors),
            parameters | {"g": "Parameters"} | given | factors,
            says,
            backward_heading(),
        )

    def given(self, backward: Program) -> dict[str, str]:
        """Return what a backward pass reads besides the parameters: name -> type."""
        names, array = self.names, self.target.words.array
        mentioned = {value.name for value in backward.inputs}
        last = {names.last: array} if names.last in mentioned else {}
        saved = {"s": "Workspace"}
        if not self.target.workspace:
            saved = {"s": "Saved"} if names.kept else {}
        return saved | {names.given_x: array} | last | {names.d_last: array}


def _loss_gradient(
    model: Model, derived: Derived, target: Language, names: Names
) -> Function:
    counted = "targets" if model.target.dtype == "int" else "its elements"
    array = target.words.array
    signature = {names.last: array, names.label: array}
    says = f"Return dL/d{names.last}"
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
        _mentioned(derived.step_loss, target, names, places),
        f"{says}, from what {derived.loss_gradient.name} left in s.",
        derivation_of,
    )


def _expanded(program: Program) -> Program:
    return simplify(nameless(expand(program, BASIC)))


def _prediction(output: Program) -> str:
    """Return the description of the last layer's value: logits or prediction."""
    ((name, value),) = output.outputs
    return f"Return the prediction {name} = {mathematics(replace(value, name=''))}"


def _rows(derived: Derived, program: Program) -> str:
    """Return the remark that samples are rows, for a formula along an axis."""
    along = any("axis" in dict(value.attrs) for value in program.values)
    return "; here samples are rows" if along and derived.columns else ""


def _mentioned(
    program: Program, target: Language, names: Names, place: Places
) -> dict[str, str]:
    """Return the parameters that a function of this Program needs, in the usual order."""
    given = [value.name for value in program.inputs]
    written = [value.slot for value in program.values if value.slot]
    owners = {place.owner_of(name) for name in given}
    found = {"p": "Parameters"} if "p" in owners else {}
    if "buffers" in owners:
        found["buffers"] = "Buffers"
    if place.owner in owners | {place.owner_of(name) for name in written}:
        found["s"] = "Workspace" if target.workspace else "Saved"
    array = target.words.array
    alone = [name for name in given if not place.owner_of(name)]
    called = {names.x: names.given_x}  # x without its row of ones is a part of it
    return found | {called.get(name, name): array for name in alone}
