"""The derivation of a network, layer by layer: what `specc explain` prints.

Takes a checked Model and a target; returns equations with their shapes, the rules of `ops.py` they
follow from, and the lines of the module that compute them. Invariant: an equation is written from
the Values that the compiler generates code from.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

from specc.calculus.notation import mathematics
from specc.calculus.reverse import active, differentiate
from specc.compiler import stages
from specc.derive.derived import Derived, Pass
from specc.derive.network import identifier, origin_of
from specc.emit.headings import forward_heading, said
from specc.emit.language import Language
from specc.emit.pieces import dims
from specc.explain.by_hand import Line, by_hand
from specc.explain.code_lines import Lines, Place, below, beside, functions, headed
from specc.explain.cost import Budget, budget
from specc.explain.equations import (
    Equation,
    equation_of,
    is_forward,
    operations,
    spelled,
)
from specc.explain.notes import Notes
from specc.ir.ops import rules_of
from specc.ir.program import Program
from specc.ir.value import Value, role
from specc.model.model import Model, Node
from specc.model.rate import per_step
from specc.passes.simplify import simplify
from specc.targets.c.memory.sizes import Memory
from specc.targets.registry import code_of, memory_of

PREDICTION = "in prediction"
"""The note of an equation that holds only in prediction."""

ByLayer = Mapping[str, Sequence[tuple[int, Equation]]]
"""The equations of each layer, with their positions among all."""


@dataclass(frozen=True)
class Section:
    """One or several layers that are computed together, or the loss, or the update."""

    names: tuple[str, ...]
    heading: str
    equations: tuple[Equation, ...]
    notes: tuple[str, ...]
    """Notes, each a word, a colon and names."""
    steps: tuple[str, tuple[Line, ...]] = ("", ())
    """A derivation written out, with its heading."""


@dataclass(frozen=True)
class Explanation:
    """The derivation of a module."""

    model: Model
    derived: Derived
    """The Programs of the module."""
    sections: tuple[Section, ...]
    target: Language
    budget: Budget
    memory: Memory | None
    """The memory of a C module, which is known ahead; None for other targets."""


def explanation(
    model: Model, target: Language, command: str, stem: str
) -> tuple[Explanation, Mapping[str, str]]:
    """Return the explanation of what `target` computes, and the module's files: ending -> text."""
    derived = stages(model, target).optimized
    files = code_of(model, derived, target, command, stem)
    plain = stages(model, replace(target, descends="never")).derived
    text = files.get(".c", files[".py"])
    made = _Explainer(model, derived, plain, functions(text))
    kept = memory_of(model, derived, target)
    cost = budget(model, plain)
    sections = tuple(made.sections())
    return Explanation(model, derived, sections, target, cost, kept), files


@dataclass(frozen=True)
class _Explainer:
    model: Model
    derived: Derived
    plain: Derived
    """The Programs before all passes, with the update apart: as a person derives them."""
    places: Mapping[str, Place]

    def sections(self) -> Iterator[Section]:
        """Yield the layers in order, then the loss and the update."""
        prediction: list[tuple[str, Equation]] = []
        if self.plain.evaluation is not None:
            prediction = self._network("evaluation_", self.plain.evaluation)
        both = _by_layer(self._notes.training), _by_layer(prediction)
        for group in self._groups():
            yield self._layers(group, *both)
        yield self._loss()
        yield self._update()

    @functools.cached_property
    def _notes(self) -> Notes:
        training = self._network("", self.plain)
        return Notes(self.model, self.derived, self.plain, training)

    def _groups(self) -> Iterator[list[Node]]:
        """Yield each layer, together with the following layers that the module computes with it."""
        nodes = list(self.model.nodes)
        while nodes:
            count = 1
            for size in range(2, len(nodes) + 1):
                if headed(self.places, "forward", self._heading(nodes[:size])):
                    count = size
                elif size - count > 3:
                    break
            yield nodes[:count]
            del nodes[:count]

    def _heading(self, group: Sequence[Node]) -> str:
        """Return the heading of layers; some of them may compute nothing."""
        computing = [n for n in group if identifier(n.name) in self._notes.named]
        origins = [origin_of(node) for node in computing or group]
        return forward_heading(self.model)(SimpleNamespace(origins=origins))

    def _layers(
        self, group: Sequence[Node], training: ByLayer, prediction: ByLayer
    ) -> Section:
        names = tuple(identifier(node.name) for node in group)
        heading = self._heading(group)
        own = _of(names, training)
        known = {equation.text for equation in own}
        for equation in _of(names, prediction):
            if equation.text not in known:
                own.append(replace(equation, note=PREDICTION))
        own = [self._placed(each, names) if is_forward(each) else each for each in own]
        own += self._outside(group)
        own.sort(key=lambda each: (not is_forward(each), each.note == PREDICTION))
        return Section(names, heading, tuple(own), tuple(self._notes.of(group)))

    def _placed(self, equation: Equation, layers: Sequence[str]) -> Equation:
        """Return an equation of the network with its lines, in training or in prediction."""
        program, function = self.derived.forward, "forward"
        if equation.note == PREDICTION and self.derived.evaluation is not None:
            program, function = self.derived.evaluation.forward, "evaluation_forward"
        name = _slots(program).get(equation.name, equation.name)
        lines = below(self.places, function, layers, name)
        return replace(equation, lines=lines)

    def _network(
        self, prefix: str, network: Pass | Derived
    ) -> list[tuple[str, Equation]]:
        """Return every equation of a network and of its derivatives, each with its layer."""
        (name, result), *_ = network.forward.outputs
        program = replace(network.forward, outputs=((name, result),))
        found = [
            (value.origins[0].layer, self._value(value, ""))
            for value in program.values
            if value.name and value.op != "input" and value.origins
        ]
        x, *others = program.inputs
        parameters = [v for v in others if role(v) == "parameter"]
        moved = active(program, (x, *parameters))
        known = [v for v in program.values if v.name and v in moved]
        sweep = differentiate(program, known, f"{prefix}backward")
        for value in sweep.values:
            if value.derivation:
                layer = value.origins[0].layer if value.origins else ""
                found.append((layer, self._value(value, f"{prefix}backward")))
        of = dict(sweep.outputs)
        for value in known:
            found += self._same(value, of.get(f"d_{value.name}"), program)
        return found

    def _value(self, value: Value, function: str) -> Equation:
        """Return the equation of a named Value, or of a derivative that a function computes."""
        right = replace(value, name="")
        if value.derivation and function:
            left = value.derivation.partition(" = ")[0]
            lines = beside(self.places, function, value.derivation)
            text, note = value.derivation, ""
            if lines is None and function.endswith("backward"):
                own = function.replace("backward", "input_backward")
                lines = beside(self.places, own, text) or self._whole(own)
                note = "on request"
            rules = value.rules or operations(value)
            made = equation_of(left, right, text, value, rules, lines)
            return replace(made, note=note)
        right = spelled(value)
        text = f"{value.name} = {mathematics(right)}"
        return equation_of(value.name, right, text, value, operations(value), None)

    def _same(
        self, value: Value, passed: Value | None, program: Program
    ) -> Iterator[tuple[str, Equation]]:
        """Yield the equation of a derivative that is passed on unchanged, in the same array."""
        if passed is None or passed.name in ("", f"d_{value.name}"):
            return
        users = [user for user in program.values if value in user.args]
        if not users:
            return
        user = users[-1]
        rule = rules_of(user.op, len(user.args))[user.args.index(value)]
        left = f"dL/d{mathematics(value)}"
        text = f"{left} = {mathematics(passed)}"
        layer = (user.origins or value.origins)[0].layer
        made = equation_of(left, passed, text, passed, (rule,), None)
        yield layer, replace(made, name=f"d_{value.name}", note="same array")

    def _outside(self, group: Sequence[Node]) -> Iterator[Equation]:
        """Yield the equations of layers outside the network: `standardize`, running statistics."""
        plain = self.plain
        first, last = group[0], self.model.nodes[-1]
        if first is self.model.standardize:
            for program in (plain.standardize, plain.standardize_backward):
                if program is not None:
                    yield self._only(program)
        if last in group and plain.output is not None:
            made = self._only(plain.output)
            if self.derived.columns:
                shape = dims(plain.output.inputs[0].shape[::-1])
                made = replace(made, shape=shape, note="returned transposed")
            yield made
        if plain.track is not None:
            names = {identifier(node.name) for node in group}
            for _, value in plain.track.outputs:
                if value.origins[0].layer in names:
                    made = self._value(value, "track")
                    yield replace(made, note="after each batch")

    def _only(self, program: Program) -> Equation:
        """Return the equation of a Program with one result."""
        ((name, value),) = program.outputs
        lines = self._whole(program.name)
        left = f"dL/d{name[2:]}" if name.startswith("d_") else name
        right = spelled(value)
        text = value.derivation or f"{left} = {mathematics(right)}"
        rules = value.rules or operations(value)
        made = equation_of(left, right, text, value, rules, lines)
        return replace(made, name=name)

    def _whole(self, function: str) -> Lines | None:
        public = f"{self.model.name}_{function}"  # the name in C
        place = self.places.get(function) or self.places.get(public)
        return None if place is None else place.lines

    def _loss(self) -> Section:
        model, plain = self.model, self.plain
        ((_, value),) = plain.loss.outputs
        right = spelled(value, named=False)
        lines = self._whole(plain.loss.name)
        text = f"L = {mathematics(right)}"
        found = [equation_of("L", right, text, value, operations(value), lines)]
        function = plain.loss_gradient.name
        for value in plain.loss_gradient.values:
            if value.derivation:
                made = self._value(value, function)
                if made.lines is None:
                    made = replace(made, lines=self._whole(function))
                found.append(made)
            elif value.name and value.op != "input":
                made = self._value(value, "")
                found.append(replace(made, lines=self._whole(function)))
        notes = []
        if plain.output is not None:
            ((name, _),) = plain.output.outputs
            notes.append(
                f"fused: {name} and {plain.loss.name} are differentiated together, with "
                f"respect to the input of {model.nodes[-1].use.entry.name}"
            )
        if plain.step_loss is not None:
            ((_, left),) = plain.step_loss.outputs
            lines = self._whole("step_loss")
            made = equation_of(
                "L", left, left.derivation, left, operations(left), lines
            )
            found.append(replace(made, note="in a step"))
        logits = mathematics(plain.loss.inputs[0])
        return Section(
            ("loss",),
            f"loss: {said(model, model.loss)}",
            tuple(found),
            tuple(notes),
            by_hand(model, logits),
        )

    def _update(self) -> Section:
        model, plain = self.model, self.plain
        ((_, rate),) = simplify(plain.learning_rate).outputs
        text = f"lr = {mathematics(rate)}"
        lines = self._whole("learning_rate")
        words = (model.schedule.use.entry.name,), (model.optimizer.use.entry.name,)
        found = [equation_of("lr", rate, text, rate, words[0], lines)]
        for value in plain.update.values:
            if value.derivation:
                left = value.derivation.partition(" = ")[0]
                lines = beside(self.places, "update", value.derivation)
                lines = lines or self._whole("update")
                found.append(
                    equation_of(left, value, value.derivation, value, words[1], lines)
                )
            elif value.name and value.op != "input":
                made = self._value(value, "")
                found.append(replace(made, lines=self._whole("update")))
        counted = "updates" if per_step(model) else "epochs"
        says = said(model, model.schedule)
        notes = [f"t in lr: the number of {counted} so far; {says}"]
        if self.derived.optimizer_counts:
            notes.append("t elsewhere: the number of updates so far")
        if self.derived.descends:
            notes.append("fused: backward, with theta passed as g, does the update")
        return Section(
            ("update",),
            f"update: {said(model, model.optimizer)}",
            tuple(found),
            tuple(notes),
        )


def _by_layer(equations: Iterable[tuple[str, Equation]]) -> ByLayer:
    found: dict[str, list[tuple[int, Equation]]] = {}
    for place, (layer, equation) in enumerate(equations):
        found.setdefault(layer, []).append((place, equation))
    return found


def _of(layers: Iterable[str], equations: ByLayer) -> list[Equation]:
    """Return the equations of some layers, in the order of the derivation."""
    found = [pair for layer in layers for pair in equations.get(layer, ())]
    return [equation for _, equation in sorted(found, key=lambda pair: pair[0])]


@functools.lru_cache(maxsize=2)
def _slots(program: Program) -> dict[str, str]:
    """Return the array of each name of a Program."""
    return {value.name: value.slot for value in program.values if value.slot}
