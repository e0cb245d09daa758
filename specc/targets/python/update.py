"""The update of the parameters as a function of the module, and the vectors that it keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specc.derive.derived import Derived
from specc.emit.headings import said
from specc.emit.language import Language
from specc.emit.pieces import Code, Function, Places, derivation_of, function
from specc.model.model import Model


def update_view(model: Model, derived: Derived, target: Language) -> dict[str, Any]:
    """Give the function, what state the module keeps for it, and how it is declared."""
    optimizer = model.optimizer.use()
    program = derived.update
    state = optimizer.state()
    array = target.words.array
    says = f"{said(model, model.optimizer)}."
    signature = {"theta": array, "gradient": array, "lr": "float"}
    if derived.optimizer_counts:
        signature["t"] = "int"
    if not target.workspace:
        signature |= dict.fromkeys(state, array)
        place = Places({name: name for name in signature}, kept=frozenset())
        update = function(program, target, place, signature, says, derivation_of)
        zeros = f"{target.words.library}.zeros_like(self.flat_parameters)"
        entries = ", ".join(f'"{name}": {zeros}' for name in state)
        vectors = Code(f"{{{entries}}}")
        return {
            "update": update,
            "state": vectors,
            "has_vectors": bool(state),
            "has_state": bool(state) or derived.counts_updates,
            "counts_updates": derived.counts_updates,
        }
    slots = dict.fromkeys([*state, *(v.slot for v in program.values if v.slot)])
    kept = [name for name in slots if name != "theta"]
    place = Places({name: name for name in signature}, owner="o")
    if kept:
        signature["o"] = "Optimizer"
    lines = [f"self.{name} = torch.zeros_like(flat)" for name in kept]
    if state:
        named = ", ".join(f'"{name}": self.{name}' for name in state)
        lines.append(f"self.state = {{{named}}}")
    everything = ["self._o.state"] * bool(state)
    everything += ['{"updates": self._updates}'] * derived.counts_updates
    return {
        "update": function(program, target, place, signature, says, derivation_of),
        "optimizer_lines": [Code(line) for line in lines],
        "has_optimizer": bool(kept),
        "counts_updates": derived.counts_updates,
        "has_state": bool(everything),
        "everything": Code(" | ".join(everything)),
    }


def descent(update: Function, given: dict[str, str]) -> Function:
    """Let the backward pass write the update: p is what it adds to."""
    signature = {"p": "Parameters"} | given | {"lr": "float"}
    arguments = ", ".join(f"{name}: {kind}" for name, kind in signature.items())
    call = f"backward(p, p, {', '.join(given)}, beta=1, alpha=-lr)"
    comments = [line for line in update.lines if line.text.startswith("#")]
    return replace(update, arguments=Code(arguments), lines=(*comments, Code(call)))
