"""How methods of a torch module call its functions, in training and in evaluation.

Takes the checked Model, its Programs and the printed functions; gives statements, with a choice by
`training` where there is one.
"""

from __future__ import annotations

from typing import Any

from specc.derive.derived import Derived
from specc.emit.pieces import names_of
from specc.model.model import Model
from specc.targets.python.batch import rows_of


class Calls:
    """The calls of one module."""

    def __init__(
        self, model: Model, derived: Derived, view: dict[str, Any], x_name: str
    ) -> None:
        self.model = model
        self.derived = derived
        self.view = view
        self.last = derived.loss.inputs[0].name
        x = derived.forward.inputs[0].name
        self.x = x
        self.x_name = x_name
        self.turned = ".t()" if derived.columns else ""
        self.ones = x_name != x
        self.given = f"s.{x_name}" if self.ones else f"x{self.turned}"
        rows = view["rows_of_x"].text
        self.given_again = self.given if self.ones else f"{rows}{self.turned}"

    def forward(self) -> list[str]:
        """Go forward over rows x."""
        fill = [f"s.{self.x}.copy_(x)"] if self.ones else []
        training = [*self.around("")[0], self._forward("")]
        return [
            *fill,
            *self._chosen(training, "training", lambda: self._forward("evaluation_")),
        ]

    def backward(self, owner: str) -> list[str]:
        """Write the gradients."""
        return self._backward(owner, self.given, f"s.d_{self.last}", "training")

    @property
    def descent(self) -> str:
        """Update, where the backward pass does."""
        return f"update(self._p, {self._kept('', self.given, f's.d_{self.last}')}, lr)"

    def around(self, rows: str) -> tuple[list[str], list[str]]:
        """Give what a step of training does before forward, and after it."""
        derived = self.derived
        before, after = [], []
        if derived.masks:
            before.append("draw(s, self.seed, int(self._updates))")
        if derived.track is not None:
            after.append(f"track(self._b, s, {rows})")
            if not self.model.moves_on_one:
                after = [f"if {rows} > 1:", f"    {after[0]}"]
        if derived.counts_updates and not derived.optimizer_counts:
            after.append("self._count()")
        return before, after

    def input_gradient(self) -> list[str]:
        """Find the gradient by the input in what the backward pass left."""
        to = f"found[{self.view['input_quoted'].text}]"
        made = {
            p: self._input(p, f"s.d_{self.last}", "self") for p in ("", "evaluation_")
        }
        lines = self._chosen(
            [f"{to} = {made['']}"], "training", lambda: f"{to} = {made['evaluation_']}"
        )
        if any("(s" in line or ", s" in line for line in lines):
            lines.insert(0, f"s = self._workspace({self.view['count_of_rows'].text})")
        return lines

    def autograd(self) -> list[str]:
        """Go backward from the derivative by the prediction."""
        d_prediction = rows_of("d_prediction", self.model.output_shape)
        if self.derived.output:
            prediction = rows_of("prediction", self.model.output_shape)
            d_prediction = f"output_gradient({prediction}, {d_prediction})"
        d_last = f"d_{self.last}"
        given = self.given_again.replace("self.", "model.")
        return [
            f"{d_last} = {d_prediction}{self.turned}",
            *self._backward("model", given, d_last, "ctx.training"),
        ]

    def autograd_input(self) -> list[str]:
        """Find the gradient by the input that autograd asks for."""
        d_last = f"d_{self.last}"
        return self._chosen(
            [f"d_input = {self._input('', d_last, 'model')}"],
            "ctx.training",
            lambda: f"d_input = {self._input('evaluation_', d_last, 'model')}",
        )

    def _chosen(self, training: list[str], by: str, evaluation: Any) -> list[str]:
        if self.derived.evaluation is None:
            return training
        return [
            f"if {by}:",
            *(f"    {line}" for line in training),
            "else:",
            f"    {evaluation()}",
        ]

    def _forward(self, prefix: str) -> str:
        taken = names_of(self.view[f"{prefix}forward"])
        buffers = "self._b, " if "buffers" in taken else ""
        return f"{prefix}forward(self._p, {buffers}s, {self.given}, s.{self.last})"

    def _kept(self, prefix: str, given: str, d_last: str) -> str:
        taken = names_of(self.view[f"{prefix}backward"])
        last = f"s.{self.last}, " if self.last in taken else ""
        return f"s, {given}, {last}{d_last}"

    def _backward(self, owner: str, given: str, d_last: str, by: str) -> list[str]:
        over = ", beta=0, alpha=1" if self.derived.descends else ""

        def call(prefix: str) -> str:
            kept = self._kept(prefix, given, d_last)
            return f"{prefix}backward({owner}._p, {owner}._g, {kept}{over})"

        return self._chosen([call("")], by, lambda: call("evaluation_"))

    def _input(self, prefix: str, d_last: str, owner: str) -> str:
        """Call the emitted `input_backward`; `d_last` is where dL/d(last) stands."""
        made = self.view[f"{prefix}input_gradient"]
        if made is None:
            return ""
        given = self.given_again.replace("self.", f"{owner}.")
        known = {"p": f"{owner}._p", self.last: f"s.{self.last}"}
        known |= {f"d_{self.last}": d_last, self.x_name: given}
        arguments = [known.get(name, name) for name in names_of(made)]
        text = f"{prefix}input_backward({', '.join(arguments)}){self.turned}"
        if self.derived.standardize_backward is not None:
            text = f"standardize_backward({owner}._b, {text})"
        elif made.printed.looks:
            text += ".clone()"
        return f"{text}.reshape(x.shape)"
