"""How a batch flows through functions that give what they make, as NumPy's do: the calls.

Takes the printed functions, gives the text of each call in a method of `Model`, where the last
layer's value is `last` whatever the spec calls it.
"""

from __future__ import annotations

from typing import Any

from specc.derive.derived import Derived
from specc.emit.pieces import Code, Function, names_of
from specc.model.model import Model


def calls_view(model: Model, derived: Derived, view: dict[str, Any]) -> dict[str, Any]:
    """Give the calls, and whether one function leaves something to another."""
    known = {"p": "self._p", "g": "self._g", derived.forward.inputs[0].name: "x"}
    known |= {derived.loss.inputs[0].name: "last", derived.loss.inputs[1].name: "y"}

    def call(made: Function, **others: str) -> str:
        given = known | others
        arguments = [given.get(name, name) for name in names_of(made)]
        return f"{made.name.text}({', '.join(arguments)})"

    d_last = {view["d_last"].text: call(view["loss_gradient"])}
    modes = derived.evaluation is not None
    prefix = "evaluation_" if modes else ""
    known["buffers"] = "self._b"
    alone = call(view[f"{prefix}forward"], s="Saved()")
    predicted = f"output({alone})" if view["output"] else alone
    axes = ".reshape(-1, *OUTPUT_SHAPE)" if view["output_axes"] else ""
    state = ", **self._state" if view["has_state"] else ""
    if derived.counts_updates:
        count = ", self._count()" * derived.optimizer_counts
        state = count + ", **self._vectors" * view["has_vectors"]
    rows = (view["rows_of_x"].text, view["rows_of_y"].text)
    raw = view["raw_rows_of_x"].text
    saved = bool(view["saved_lines"])
    given = "rows" if modes and rows[0] != "x" else "x"

    def by_input(prefix: str) -> str:
        known[derived.forward.inputs[0].name] = given if modes else rows[0]
        made = call(view[f"{prefix}input_gradient"], **d_last)
        if derived.standardize_backward is not None:
            made = f"standardize_backward(self._b, {made})"
        return made + (".reshape(x.shape)" if raw != "x" else "")

    calls = {
        "has_saved": saved,
        "positions": rows[0] != "x",
        "labels_differ": rows[1] != "y",
        "as_rows": [Code(line) for line in _as_rows(*rows)],
        "predicted": Code(predicted + axes),
        "forward_alone": Code(alone),
        "forward_block": Code(alone.replace("x)", f"x[{view['block_name'].text}])")),
        "forward_call": Code(call(view["forward"])),
        "forward_drawn": Code(
            call(view["forward"], s="self._drawn(x)" if derived.masks else "Saved()")
        ),
        "backward_call": Code(call(view["backward"], **d_last)),
        "training_saved": [
            Code("s = self._drawn(x)" if derived.masks else "s = Saved()")
        ]
        * bool(derived.masks or derived.track),
        "update_call": Code(
            f"update(self.flat_parameters, self.flat_gradients, lr{state})"
        ),
        "sweep_arguments": Code("s: Saved, " if saved else ""),
        "sweep_given": Code("s, " if saved else ""),
        "sweep_alone": Code(
            "s, " if derived.masks or derived.track else "Saved(), " * saved
        ),
        "optimizer_counts": derived.optimizer_counts,
        "counts_alone": derived.counts_updates and not derived.optimizer_counts,
        "everything": Code(_everything(view)),
        "measure_call": Code(
            f"measure(self._b, {raw}.astype(np.float64), {raw}[0].astype(np.float64))"
        ),
        "standardized": Code(derived.forward.inputs[0].name),
        "d_raw": Code(f"d_{model.input.name}"),
        "rows_reused": given == "rows",
        "given_rows": Code(given),
        "input_gradient_call": Code(by_input("")),
    }
    if modes:
        known[derived.forward.inputs[0].name] = given
        calls |= {
            "evaluation_call": Code(call(view["evaluation_forward"])),
            "evaluation_backward_call": Code(
                call(view["evaluation_backward"], **d_last)
            ),
            "evaluation_input_call": Code(by_input("evaluation_")),
        }
    return calls


def _everything(view: dict[str, Any]) -> str:
    """Name every array that training carries, where updates are counted."""
    counted = '{"updates": self._updates}'
    return f"self._vectors | {counted}" if view["has_vectors"] else counted


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
