"""How a batch flows through functions that return what they make, as NumPy's do: the calls.

Takes the printed functions, gives the text of each call in a method of `Model`, where the last
layer's value is `last` whatever the spec calls it.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.emit.pieces import Code, Function
from specc.model.model import Model, rows_in
from specc.targets.python.batch import Batch, by, sample_rows
from specc.targets.python.network import Functions, Passes

Lines = tuple[Code, ...]


@dataclass(frozen=True)
class Calls:
    """The statements of the class `Model` that call the functions on a batch."""

    training: Code
    """The parameter of a method that evaluates by default."""
    as_rows: Lines
    """Assign the rows of a batch, where they are not the batch itself."""
    x_as_rows: Lines
    predicted: Code
    loss: Lines
    """Find the loss of a batch."""
    block: Lines
    """Cut the rows of a block of samples, and go forward over them."""
    labels_of_block: Code
    backward: Lines
    """Find the gradients of a batch, and by the input where that is asked for."""
    learn: Lines
    """Do one update from rows."""
    sweep_takes: Code
    sweep: Lines
    """Go forward and backward over rows."""


class Caller:
    """The calls of one module."""

    def __init__(
        self, model: Model, derived: Derived, made: Functions, words: Batch, saved: bool
    ) -> None:
        self.model = model
        self.derived = derived
        self.made = made
        self.words = words
        self.saved = saved
        """Whether one function leaves something to another."""
        self.x = derived.forward.inputs[0].name
        self.last = derived.loss.inputs[0].name
        self.apart = rows_in(model.row_shape) != rows_in(model.output_shape)
        self.rows = words.rows_of_x.text

    def calls(self, state: str) -> Calls:
        """Return the statements of `Model`; an update is also given `state`."""
        x, y = self.rows, self.words.rows_of_y.text
        modes = self.derived.evaluation is not None
        alone = self.forward(self.passes, s="Saved()")
        predicted = f"output({alone})" if self.derived.output else alone
        axes = ".reshape(-1, *OUTPUT_SHAPE)" if len(self.model.output_shape) > 1 else ""
        return Calls(
            training=Code(", training: bool = False" if modes else ""),
            as_rows=coded(self.as_rows(x, y)),
            x_as_rows=coded(self.as_rows(x, "y")),
            predicted=Code(predicted + axes),
            loss=coded(self.loss()),
            block=coded(self.block()),
            labels_of_block=Code("y[y_rows]" if self.apart else "y[block]"),
            backward=coded(self.backward()),
            learn=coded(self.learn(state)),
            sweep_takes=Code("s: Saved, " if self.saved else ""),
            sweep=coded(self.sweep()),
        )

    @property
    def passes(self) -> Passes:
        """The functions of prediction."""
        return self.made.evaluation or self.made.training

    def call(self, made: Function, **others: str) -> str:
        """Call a function; `others` are arguments by what the function calls them."""
        loss = self.derived.loss.inputs
        given = {"p": "self._p", "g": "self._g", "buffers": "self._b", self.x: "x"}
        given |= {loss[0].name: "last", loss[1].name: "y"} | others
        arguments = [given.get(name, name) for name in made.names]
        return f"{made.name.text}({', '.join(arguments)})"

    def forward(self, each: Passes, **others: str) -> str:
        """Go forward over rows."""
        return self.call(each.forward, **others)

    def by_loss(self, made: Function, **others: str) -> str:
        """Call a function of dL/d(the last layer's value)."""
        gradient = {f"d_{self.last}": self.call(self.made.loss_gradient)}
        return self.call(made, **gradient, **others)

    @staticmethod
    def as_rows(x: str, y: str) -> list[str]:
        """Assign the rows of a batch."""
        match x != "x", y != "y":
            case True, True:
                return [f"x, y = {x}, {y}"]
            case True, False:
                return [f"x = {x}"]
            case False, True:
                return [f"y = {y}"]
        return []

    def loss(self) -> list[str]:
        """Find the loss of rows; in training with the masks of the next update."""
        name = self.derived.loss.name
        lines = []
        if self.made.evaluation is not None:
            s = "self._drawn(x)" if self.derived.masks else "Saved()"
            drawn = self.forward(self.made.training, s=s)
            lines += ["if training:", f"    return {name}({drawn}, y)"]
        alone = self.forward(self.passes, s="Saved()")
        return [*lines, f"return {name}({alone}, y)"]

    def block(self) -> list[str]:
        """Cut a block of samples out of rows, and go forward over it."""
        differ = self.model.rows_differ
        of_x, of_last = rows_in(self.model.row_shape), rows_in(self.model.output_shape)
        name = "x_rows" if self.apart else "block"
        lines = [f"{name} = {_slice(of_x if differ else 1)}"]
        if self.apart:
            lines.append(f"y_rows = {_slice(of_last)}")
        x = {self.x: f"x[{name}]"}
        return [*lines, f"last = {self.forward(self.passes, s='Saved()', **x)}"]

    def by_input(self, each: Passes, x: str) -> str:
        """Find the gradient by the input; functions take `x` for the rows."""
        made = self.by_loss(each.input_gradient, **{self.x: x})
        if self.derived.standardize_backward is not None:
            made = f"standardize_backward(self._b, {made})"
        raw = sample_rows("x", self.model)
        return made + (".reshape(x.shape)" if raw != "x" else "")

    def backward(self) -> list[str]:
        """Find the gradients of a batch; what `fit` does not need waits for its turn."""
        masks, s = bool(self.derived.masks), "s, " * self.saved
        lines = ["s = Saved()"] * (self.saved and not masks)
        if self.words.rows_of_y.text != "y":
            lines.append(f"y = {self.words.rows_of_y.text}")
        own, other = self.made.training, self.made.evaluation
        if other is None:
            return [
                *lines,
                f"last = self._sweep({s}{self.rows}, y)",
                "if d_x is not None:",
                f"    d_x[:] = {self.by_input(own, self.rows)}",
            ]
        x = "rows" if self.rows != "x" else "x"
        if x == "rows":
            lines.append(f"rows = {self.rows}")
        lines.append("if training:")
        lines += [f"    s = self._drawn({x})"] * masks
        lines += [
            f"    last = self._sweep({s}{x}, y)",
            "    if d_x is not None:",
            f"        d_x[:] = {self.by_input(own, x)}",
            "else:",
        ]
        lines += ["    s = Saved()"] * (masks and self.saved)
        return [
            *lines,
            f"    last = {self.forward(other, **{self.x: x})}",
            f"    {self.by_loss(other.backward, **{self.x: x})}",
            "    if d_x is not None:",
            f"        d_x[:] = {self.by_input(other, x)}",
        ]

    def learn(self, state: str) -> list[str]:
        """Do one update from rows."""
        derived = self.derived
        s = "Saved(), " * self.saved
        lines = []
        if derived.masks or derived.track:
            drawn = "self._drawn(x)" if derived.masks else "Saved()"
            lines.append(f"s = {drawn}")
            s = "s, "
        lines.append(f"last = self._sweep({s}x, y)")
        lines.append(f"update(self.flat_parameters, self.flat_gradients, lr{state})")
        if derived.track is not None:
            count = self.words.count_of_x.text
            track = f"track(self._b, s, {count})"
            if not self.model.moves_on_one:
                lines += [f"if {count} > 1:", f"    {track}"]
            else:
                lines.append(track)
        if derived.counts_updates and not derived.optimizer_counts:
            lines.append("self._updates += 1")
        return [*lines, "return last"]

    def sweep(self) -> list[str]:
        """Go forward and backward over rows."""
        own = self.made.training
        return [f"last = {self.forward(own)}", self.by_loss(own.backward)]

    def measure(self) -> list[str]:
        """Find what `standardize` needs, in float64."""
        if self.derived.measure is None:
            return []
        raw = sample_rows("x", self.model)
        double = f"{raw}.astype(np.float64), {raw}[0].astype(np.float64)"
        return [f"measure(self._b, {double})"]


def coded(lines: list[str]) -> Lines:
    """Mark statements as code."""
    return tuple(Code(line) for line in lines)


def _slice(rows: int) -> str:
    """Return the rows of a block of samples."""
    if rows == 1:
        return "slice(start, start + BLOCK)"
    return f"slice({by('start', rows)}, (start + BLOCK) * {rows})"
