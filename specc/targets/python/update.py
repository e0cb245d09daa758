"""The update of the parameters as a function of the module, and the vectors that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from specc.derive.derive import Derived
from specc.emit.headings import said
from specc.emit.pieces import Code, Function, Places, comment, derivation_of, function
from specc.ir.target import Target
from specc.model.model import Model


@dataclass(frozen=True)
class Update:
    """What a module keeps for its updates, beside the parameters."""

    lines: tuple[Code, ...]
    """The vectors of the class `Optimizer`; torch's alone."""
    starts: tuple[Code, ...]
    """The statements of `Model.__init__`."""


def update_function(model: Model, derived: Derived, target: Target) -> Function:
    """Return the function that updates all parameters."""
    program = derived.update
    array = target.words.array
    says = f"Update the parameters by {said(model, model.optimizer)}."
    signature = {"theta": array, "gradient": array, "lr": "float"}
    if derived.optimizer_counts:
        signature["t"] = "int"
    if not target.workspace:
        signature |= dict.fromkeys(model.optimizer.use().state(), array)
        place = Places({name: name for name in signature}, kept=frozenset())
        return function(program, target, place, signature, says, derivation_of)
    place = Places({name: name for name in signature}, owner="o")
    if optimizer_slots(model, derived):
        signature["o"] = "Optimizer"
    return function(program, target, place, signature, says, derivation_of)


def optimizer_slots(model: Model, derived: Derived) -> list[str]:
    """Name the vectors that the update writes, beside the parameters."""
    slots = (value.slot for value in derived.update.values if value.slot)
    names = dict.fromkeys([*model.optimizer.use().state(), *slots])
    return [name for name in names if name != "theta"]


def descent(update: Function, given: dict[str, str]) -> Function:
    """Let the backward pass write the update: p is what it adds to."""
    signature = {"p": "Parameters"} | given | {"lr": "float"}
    call = f"backward(p, p, {', '.join(given)}, beta=1, alpha=-lr)"
    lines = [
        line
        for statement in update.printed.statements
        for line in comment(derivation_of(statement))
    ]
    return replace(update, takes=tuple(signature.items()), lines=(*lines, Code(call)))
