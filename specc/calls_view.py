"""How a batch flows through functions that give what they make, as NumPy's do: the calls.

Takes the printed functions, gives the text of each call in a method of `Model`, where the last
layer's value is `last` whatever the spec calls it.
"""

from __future__ import annotations

from typing import Any

from specc.derive import Derived
from specc.model import Model
from specc.view import Code, Function, names_of


def calls_view(model: Model, derived: Derived, view: dict[str, Any]) -> dict[str, Any]:
    """Give the calls, and whether one function leaves something to another."""
    known = {"p": "self._p", "g": "self._g", model.input.name: "x"}
    known |= {derived.loss.inputs[0].name: "last", derived.loss.inputs[1].name: "y"}

    def call(made: Function, **others: str) -> str:
        given = known | others
        arguments = [given.get(name, name) for name in names_of(made)]
        return f"{made.name.text}({', '.join(arguments)})"

    d_last = {view["d_last"].text: call(view["loss_gradient"])}
    alone = call(view["forward"], s="Saved()")
    predicted = f"output({alone})" if view["output"] else alone
    axes = ".reshape(-1, *OUTPUT_SHAPE)" if view["output_axes"] else ""
    state = ", **self._state" if view["has_state"] else ""
    if derived.counts_updates:
        state = ", self._count(), **self._vectors"
    rows = (view["rows_of_x"].text, view["rows_of_y"].text)
    shaped = ".reshape(x.shape)" if rows[0] != "x" else ""
    saved = bool(view["saved_lines"])
    return {
        "has_saved": saved,
        "positions": rows[0] != "x",
        "labels_differ": rows[1] != "y",
        "as_rows": [Code(line) for line in _as_rows(*rows)],
        "predicted": Code(predicted + axes),
        "forward_alone": Code(alone),
        "forward_block": Code(alone.replace("x)", "x[block])")),
        "forward_call": Code(call(view["forward"])),
        "backward_call": Code(call(view["backward"], **d_last)),
        "input_gradient_call": Code(call(view["input_gradient"], **d_last) + shaped),
        "update_call": Code(
            f"update(self.flat_parameters, self.flat_gradients, lr{state})"
        ),
        "sweep_arguments": Code("s: Saved, " if saved else ""),
        "sweep_given": Code("s, " if saved else ""),
        "sweep_alone": Code("Saved(), " if saved else ""),
    }


def _as_rows(x: str, y: str) -> list[str]:
    """Assign the rows of a batch, where they are not the batch itself."""
    match x != "x", y != "y":
        case True, True:
            return [f"x, y = {x}, {y}"]
        case True, False:
            return [f"x = {x}"]
        case False, True:
            return [f"y = {y}"]
    return []
