"""How methods of a torch module call its functions, in training and in evaluation.

Takes the checked Model, its Programs and the printed functions; gives statements, with a choice by
`training` where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.emit.pieces import Code
from specc.model.model import Model, rows_in
from specc.targets.python.batch import by, given_rows, sample_rows
from specc.targets.python.network import Functions, Passes
from specc.targets.torch.workspace import given_x

Lines = tuple[Code, ...]


@dataclass(frozen=True)
class Calls:
    """The statements of the class `Model` that call the functions on a batch."""

    view_of_output: Code
    block_of_x: Code
    block_of_last: Code
    evaluating: Code
    """The parameter of a method that evaluates by default."""
    training: Code
    """The parameter of a method that trains by default."""
    rate: Code
    """The argument with which the backward pass is the update."""
    run_last: Lines
    """Go forward over rows x."""
    last_as_rows: Code
    predicted: Code
    run_loss: Lines
    backward: Lines
    update: Code
    after_loss: Lines
    """What `train_step` does once it has the loss."""
    input_gradient: Lines


class Caller:
    """The calls of one module."""

    def __init__(
        self, model: Model, derived: Derived, made: Functions, optimizer: bool
    ) -> None:
        self.model = model
        self.derived = derived
        self.made = made
        self.optimizer = optimizer
        """Whether the update keeps vectors."""
        self.last = derived.loss.inputs[0].name
        self.x = derived.forward.inputs[0].name
        self.x_name = given_x(made)
        self.turned = ".t()" if derived.columns else ""
        self.ones = self.x_name != self.x
        self.given = f"s.{self.x_name}" if self.ones else f"x{self.turned}"

    def calls(self) -> Calls:
        """Return the statements of `Model`."""
        model, derived = self.model, self.derived
        of_x, of_last = rows_in(model.row_shape), rows_in(model.output_shape)
        apart, modes = model.rows_differ, derived.evaluation is not None
        several = len(model.output_shape) > 1
        return Calls(
            view_of_output=Code(".view(-1, *OUTPUT_SHAPE)" if several else ""),
            block_of_x=Code(by("BLOCK", of_x if apart else 1)),
            block_of_last=Code(by("BLOCK", of_last if apart else 1)),
            evaluating=Code(", training: bool = False" if modes else ""),
            training=Code(", training: bool = True" if modes else ""),
            rate=Code(", lr" if derived.descends else ""),
            run_last=coded(self.forward()),
            last_as_rows=Code(self.last_as_rows),
            predicted=Code("output(last)" if derived.output else "last.clone()"),
            run_loss=coded(self.run_loss()),
            backward=coded(self.backward("self", self.given, f"s.d_{self.last}")),
            update=Code(self.descent if derived.descends else self.flat_update),
            after_loss=coded(self.after_loss()),
            input_gradient=coded(self.input_gradient()),
        )

    def measure(self) -> list[str]:
        """Find what `standardize` needs, in float64."""
        if self.derived.measure is None:
            return []
        raw = sample_rows("x", self.model)
        return [f"measure(self._b, {raw}.double(), {raw}[0].double())"]

    @property
    def count_of_rows(self) -> str:
        """The samples of x, counted before leading axes join the batch."""
        return by("len(x)", self.model.positions)

    @property
    def last_as_rows(self) -> str:
        """The last layer's value, a sample a row."""
        return f"s.{self.last}{self.turned}"

    @property
    def target(self) -> str:
        """What a step calls the targets."""
        return "target" if self.derived.columns else "y"

    @property
    def loss_gradient(self) -> str:
        """The function that starts the backward pass."""
        return self.derived.loss_gradient.name

    @property
    def flat_update(self) -> str:
        """Update all parameters from all gradients."""
        count = ", self._count()" if self.derived.optimizer_counts else ""
        state = ", self._o" if self.optimizer else ""
        return f"update(self.flat_parameters, self.flat_gradients, lr{count}{state})"

    @property
    def descent(self) -> str:
        """Update, where the backward pass does."""
        kept = self._kept(self.made.training, self.given, f"s.d_{self.last}")
        return f"update(self._p, {kept}, lr)"

    def forward(self) -> list[str]:
        """Go forward over rows x."""
        fill = [f"s.{self.x}.copy_(x)"] if self.ones else []
        training = [*self.around("")[0], self._forward(self.made.training)]
        return [*fill, *self.chosen(training, "training", self._forward)]

    def run_loss(self) -> list[str]:
        """Find the loss, and its derivative by the last layer."""
        turn = ["target = y.t()"] if self.derived.columns else []
        gradient = f"{self.loss_gradient}(s, s.{self.last}, {self.target})"
        return [*turn, gradient, f"loss = {self._loss()}"]

    def _loss(self) -> str:
        """Call the loss of a step; one that looks along an axis looks at rows."""
        step, loss = self.made.step_loss, self.derived.loss
        if step is not None:
            label = loss.inputs[1].name
            taken = f", {self.target}" if label in step.names else ""
            return f"{step.name.text}(s{taken})"
        if any("axis" in dict(value.attrs) for value in loss.values):
            return f"{loss.name}({self.last_as_rows}, y)"
        return f"{loss.name}(s.{self.last}, {self.target})"

    def around(self, rows: str) -> tuple[list[str], list[str]]:
        """Return what a step of training does before forward, and after it."""
        derived = self.derived
        before, after = [], []
        if derived.masks:
            before.append("draw(s, self.seed, int(self._updates))")
        if derived.track is not None:
            after = self.tracked("self._b", rows)
        if derived.counts_updates and not derived.optimizer_counts:
            after.append("self._count()")
        return before, after

    def tracked(self, buffers: str, rows: str) -> list[str]:
        """Move the running statistics, where a batch has a variance."""
        call = f"track({buffers}, s, {rows})"
        if self.model.moves_on_one:
            return [call]
        return [f"if {rows} > 1:", f"    {call}"]

    def after_loss(self) -> list[str]:
        """Update the parameters unless the backward pass did, then the rest of the state."""
        lines = [] if self.derived.descends else [self.flat_update]
        if self.derived.track is not None:
            lines.append(f"s = self._workspace({self.count_of_rows})")
        return [*lines, *self.around(self.count_of_rows)[1]]

    def input_gradient(self) -> list[str]:
        """Find the gradient by the input in what the backward pass left."""
        to = f'found["{self.model.input.name}"]'

        def line(each: Passes) -> str:
            return f"{to} = {self.by_input(each, f's.d_{self.last}', 'self')}"

        lines = self.chosen([line(self.made.training)], "training", line)
        d_last = f"d_{self.last}"
        reads = {"s", self.last, d_last, *([self.x_name] * self.ones)}
        if any(reads.intersection(p.input_gradient.names) for p in self.made.passes):
            lines.insert(0, f"s = self._workspace({self.count_of_rows})")
        return lines

    def chosen(
        self, training: list[str], by: str, evaluation: Callable[[Passes], str]
    ) -> list[str]:
        """Do one or the other, where prediction runs another network than training."""
        if self.made.evaluation is None:
            return training
        return [
            f"if {by}:",
            *(f"    {line}" for line in training),
            "else:",
            f"    {evaluation(self.made.evaluation)}",
        ]

    def passed(self, each: Passes) -> str:
        """Go forward over rows x, outside of `Model`."""
        made, given = each.forward, self.given_again("")
        buffers = "b, " if "buffers" in made.names else ""
        return f"{made.name.text}(p, {buffers}s, {given}, s.{self.last})"

    def _forward(self, each: Passes) -> str:
        made = each.forward
        buffers = "self._b, " if "buffers" in made.names else ""
        return f"{made.name.text}(self._p, {buffers}s, {self.given}, s.{self.last})"

    def _kept(self, each: Passes, given: str, d_last: str) -> str:
        last = f"s.{self.last}, " if self.last in each.backward.names else ""
        return f"s, {given}, {last}{d_last}"

    def backward(
        self,
        owner: str,
        given: str,
        d_last: str,
        by: str = "training",
        into: str = "self._g",
    ) -> list[str]:
        """Write the gradients."""
        over = ", beta=0, alpha=1" if self.derived.descends else ""

        def call(each: Passes) -> str:
            kept = self._kept(each, given, d_last)
            name = each.backward.name.text
            return f"{name}({_of(owner, 'p')}, {into}, {kept}{over})"

        return self.chosen([call(self.made.training)], by, call)

    def given_again(self, owner: str) -> str:
        """Return what functions take for x, outside of the method that went forward."""
        if self.ones:
            return self.given
        return f"{self.rows_again(owner)}{self.turned}"

    def rows_again(self, owner: str) -> str:
        """Return the rows of the x that `Model` or autograd was given."""
        buffers, like = _of(owner, "b"), owner or "parameters[0]"
        return given_rows("x", self.model, buffers, self.cast(like))

    def cast(self, like: str) -> str:
        """Give rows the dtype of the model, unless they are copied to where they have it."""
        return "" if self.ones else f".to({like}.dtype)"

    def by_input(self, each: Passes, d_last: str, owner: str) -> str:
        """Call the emitted `input_backward`; `d_last` is where dL/d(last) stands."""
        made = each.input_gradient
        known = {"p": _of(owner, "p"), self.last: f"s.{self.last}"}
        known |= {f"d_{self.last}": d_last, self.x_name: self.given_again(owner)}
        arguments = [known.get(name, name) for name in made.names]
        text = f"{made.name.text}({', '.join(arguments)}){self.turned}"
        if self.derived.standardize_backward is not None:
            text = f"standardize_backward({_of(owner, 'b')}, {text})"
        elif made.printed.looks:
            text += ".clone()"
        return f"{text}.reshape(x.shape)"


def _of(owner: str, name: str) -> str:
    """Return the parameters `p` or the buffers `b` of a Model, or a variable called so."""
    return f"{owner}._{name}" if owner else name


def coded(lines: list[str]) -> Lines:
    """Mark statements as code."""
    return tuple(Code(line) for line in lines)
