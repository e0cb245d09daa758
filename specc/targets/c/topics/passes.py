"""The network's own functions, in the order of the source: forward, loss, backward, figures.

Takes a checked model, its Programs and its memory; a template prints what it gives in one loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specc.derive.derived import Derived, Pass
from specc.emit.headings import backward_heading, forward_heading, metric_doc, said
from specc.emit.pieces import Code, derivation_of
from specc.ir.program import Program
from specc.model.model import Clause, Model
from specc.targets.c.kernels import declared
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.names import member
from specc.targets.c.printing.functions import (
    Update,
    body,
    by_layer,
    formula,
    nothing,
    reduction,
    scalars,
    update,
)
from specc.targets.c.printing.record import Printed
from specc.targets.c.printing.statements import Printer
from specc.targets.c.topics.draws import draws

WORKS_ON = "{c}_workspace *w, int n"
WRITES_TO = ", {c}_parameters *g, real beta, real alpha"


@dataclass(frozen=True)
class CFunction:
    """One function: what stands above it, its signature and its statements."""

    says: tuple[Code, ...]
    head: Code
    lines: tuple[Code, ...]


@dataclass(frozen=True)
class Shape:
    """A kernel for one shape: its signature, and the call that it is."""

    head: Code
    body: Code


@dataclass(frozen=True)
class Passes:
    """What computes with the network."""

    functions: tuple[CFunction, ...]
    update: Update
    update_says: Code
    shapes: tuple[Shape, ...]
    """The kernels of products, one for each shape."""
    prototypes: tuple[Code, ...]
    """The kernels that the functions call."""


@dataclass(frozen=True)
class Network:
    """The topic, and the kernels that its functions call."""

    passes: Passes
    calls: frozenset[str]
    of_model: frozenset[str]
    """The functions that take the model beside the workspace."""


def passes(model: Model, derived: Derived, kept: Memory) -> Network:
    """Print every function of the network."""
    writer = _Writer(model, derived, kept)
    functions = tuple(writer.functions())
    size = f"{model.name.upper()}_PADDED"
    moves, called = update(derived.update, writer.printer, kept.state, size)
    calls = writer.calls | called
    kernels = writer.printer.kernels
    topic = Passes(
        functions=functions,
        update=moves,
        update_says=Code(said(model, model.optimizer)),
        shapes=tuple(Shape(Code(each.head), Code(each.body)) for each in kernels),
        prototypes=declared(calls),
    )
    return Network(
        topic,
        frozenset(calls | writer.printer.called_by_shapes),
        frozenset(writer.of_model),
    )


class _Writer:
    def __init__(self, model: Model, derived: Derived, kept: Memory) -> None:
        self.model, self.derived, self.kept = model, derived, kept
        self.printer = _printer(derived, kept)
        self.calls: set[str] = set()
        self.of_model: set[str] = set()
        self.last = derived.loss.inputs[0].name

    def functions(self) -> Iterable[CFunction]:
        """Return them in order."""
        network, derived, kept = self.network, self.derived, self.kept
        says_last = "logits" if derived.output else "prediction"
        if kept.standardize is not None and self.model.standardize is not None:
            own = Clause(self.model.standardize.use, self.model.standardize.span)
            says = f"{said(self.model, own)}: (x - mean) / std + offset."
            yield network("standardize", kept.standardize, says)
        if kept.draws:
            yield self._draw()
        yield self.layers(
            "forward",
            derived.forward,
            f"Predict the samples in the workspace: write the {says_last} to {self.last}, and keep"
            " what backward reads.",
        )
        if kept.output is not None:
            yield network("output", kept.output, f"Predict, from {self.last}.")
        yield from self._loss()
        yield self._backward(derived.backward)
        by_input = derived.input_gradient.outputs[0][1].derivation
        x = derived.forward.inputs[0].name
        says = f"{by_input or f'dL/d{x}'}."
        yield self._by_input("input_backward", kept.by_input, says)
        if derived.evaluation is not None:
            yield from self._evaluation(derived.evaluation, says_last)
        if kept.standardize_backward is not None:
            yield network("standardize_backward", kept.standardize_backward, "")
        if derived.track is not None:
            yield self._track(derived.track)
        for each in derived.metrics:
            yield self.number(
                each.program, metric_doc(self.model, each.clause, each.says)
            )

    def function(
        self,
        name: str,
        says: Iterable[str],
        made: Printed,
        lines: Iterable[Code],
        more: str = "",
        kind: str = "void",
        takes: str = WORKS_ON,
        model: str = "const {c}_model *m, ",
    ) -> CFunction:
        """Write a function, which takes the model if it reads parameters or buffers of it."""
        self.calls |= made.calls
        c = self.model.name
        first = []
        if made.reads & self.kept.arrays.parameters.keys():
            first.append(Code(f"const {c}_parameters *p = &m->parameters;"))
        signature = takes + more
        own = self.kept.arrays.parameters.keys() | self.kept.arrays.buffers.keys()
        if made.reads & own or name == "draw":
            self.of_model.add(name)
            signature = model + signature
        return CFunction(
            says=_comment(says),
            head=Code(f"OUTLINE {kind} {name}({signature.format(c=c)})"),
            lines=(*first, *lines),
        )

    def network(self, name: str, program: Program, says: str) -> CFunction:
        """Write a function that works on n samples, below the derivations of its lines."""
        made = self.printer.printed(program)
        lines = body(made, derivation_of)
        return self.function(name, [says] if says else [], made, lines)

    def layers(self, name: str, program: Program, says: str) -> CFunction:
        """Write a function that works on n samples, below the headings of its layers."""
        made = self.printer.printed(program)
        lines = by_layer(made, forward_heading(self.model))
        return self.function(name, [says], made, lines)

    def number(self, program: Program, says: str, name: str = "") -> CFunction:
        """Write a function that gives a number of n samples."""
        made = self.printer.reduced(program)
        name, takes = name or program.name, f"const {WORKS_ON}"
        return self.function(
            name, [says], made, reduction(made), kind="double", takes=takes
        )

    def _loss(self) -> Iterable[CFunction]:
        derived, last = self.derived, self.last
        yield self.number(derived.loss, f"L = {formula(derived.loss)}.")
        made = self.printer.printed(derived.loss_gradient, masked=True, count="part")
        mean = "" if derived.sums else ", for part of a mean over n samples"
        yield self.function(
            derived.loss_gradient.name,
            [f"Write dL/d{last} to d_{last}{mean}."],
            made,
            scalars(made) + body(made, derivation_of),
            takes="{c}_workspace *w, int part, double n",
        )
        if derived.step_loss is not None:
            left = derived.step_loss.outputs[0][1].derivation
            says = f"{left}, from what {derived.loss_gradient.name} kept."
            yield self.number(derived.step_loss, says, "step_loss")

    def _backward(self, program: Program) -> CFunction:
        mode = " in training" if self.derived.evaluation is not None else ""
        order = "from the last layer to the first"
        says = [f"Write beta g + alpha dL/d(every parameter){mode} to g, {order}."]
        if self.derived.descends:
            says = [
                f"{says[0].removesuffix('.')}: with the",
                "parameters as g, beta 1 and alpha -lr, that is the update.",
            ]
        made = self.printer.printed(program)
        lines = body(made, backward_heading())
        return self.function("backward", says, made, lines, more=WRITES_TO)

    def _by_input(self, name: str, program: Program, says: str) -> CFunction:
        made = self.printer.printed(program)
        heading = derivation_of if len(made.statements) > 1 else nothing
        return self.function(name, [says], made, body(made, heading))

    def _evaluation(self, programs: Pass, says_last: str) -> Iterable[CFunction]:
        yield self.layers(
            "evaluation_forward",
            programs.forward,
            f"Predict in evaluation: write the {says_last} to {self.last}, and keep what its"
            " backward reads.",
        )
        made = self.printer.printed(programs.backward)
        yield self.function(
            "evaluation_backward",
            [
                "Write beta g + alpha dL/d(every parameter) in evaluation to g, last layer first."
            ],
            made,
            body(made, backward_heading()),
            more=WRITES_TO,
        )
        if self.kept.evaluation_by_input is not None:
            yield self.network(
                "evaluation_input_backward", self.kept.evaluation_by_input, ""
            )

    def _track(self, program: Program) -> CFunction:
        made = self.printer.printed(program)
        lines = [Code("const real batch = (real)n;"), *body(made, derivation_of)]
        says = "Move the running statistics towards those of this batch."
        takes = f"const {WORKS_ON}"
        return self.function(
            "track", [says], made, lines, takes=takes, model="{c}_model *m, "
        )

    def _draw(self) -> CFunction:
        lines = [Code("uint64_t key;"), *draws(self.model, self.kept)]
        says = (
            "Draw the masks of dropout for n rows of the next update, after its first `first`"
            " rows."
        )
        more = ", size_t first"
        self.calls |= {"drop", "numbered", "streams"}
        return self.function("draw", [says], Printed(), lines, more=more)


def predicted_name(derived: Derived, kept: Memory) -> str:
    """Name the array that has the prediction."""
    if kept.output is None:
        return derived.loss.inputs[0].name
    return kept.output.outputs[0][1].slot


def _printer(derived: Derived, kept: Memory) -> Printer:
    """Print what metrics call the prediction as the array that has it."""
    names = {"prediction": member(predicted_name(derived, kept))}
    return Printer(
        kept.arrays,
        lambda name: names.get(name, member(name)),
        "w->panel" if kept.panel else "NULL",
    )


def _comment(lines: Iterable[str]) -> tuple[Code, ...]:
    """Write a comment above a function; what is too long is broken later."""
    text = "\n * ".join(lines)
    return (Code(f"/* {text} */"),) if text else ()
