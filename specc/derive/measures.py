"""Metrics: means over samples, and metrics that combine several means.

Takes a checked Model; returns Programs. Invariant: every measure is a mean over samples, so that an
epoch's is that of its samples together, in whatever blocks they come; a summary is a formula of
such means.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.ir.program import Program, verify
from specc.ir.value import Value, named
from specc.library.training.metrics import Summary
from specc.model.model import Clause, Model


@dataclass(frozen=True)
class Measure:
    """A mean over samples of prediction and target."""

    figure: str
    """The name of its result: `accuracy`."""
    clause: Clause
    says: str
    """The description of a mean that is not the metric itself; else empty."""
    program: Program


@dataclass(frozen=True)
class Made:
    """A metric that is made of several measures."""

    clause: Clause
    program: Program
    """the measures, by their figures' names -> the metric"""

    @property
    def figure(self) -> str:
        """The name of its result: `accuracy`."""
        return self.clause.use.entry.name


def measured(
    model: Model, prediction: Value, compared: Value, target: Value
) -> tuple[tuple[Measure, ...], tuple[Made, ...]]:
    """Return every measure and summary; `compared` is the prediction as metrics read it."""
    found: dict[str, Measure] = {}
    known: dict[str, str] = {}
    summaries: list[Made] = []
    for metric in model.metrics:
        made = metric.use(compared, target)
        name = metric.use.entry.name
        if not isinstance(made, Summary):
            program = _of_samples(
                metric_program(model, metric), prediction, target, made
            )
            found[name] = Measure(name, metric, "", program)
            continue
        names: dict[str, str] = {}
        for word, value in made.means.items():
            same = f"{word} {metric.use.arguments}"
            figure = known.get(same, word if word not in found else f"{name}_{word}")
            names[word] = known[same] = figure
            if figure not in found:
                program = _of_samples(figure, prediction, target, value)
                says = word.replace("_", " ")
                found[figure] = Measure(figure, metric, says, program)
        given = {figure: named_scalar(figure) for figure in names.values()}
        value = made.formula(*(given[names[word]] for word in made.means))
        program = Program(name, tuple(given.values()), (("metric", value),))
        summaries.append(Made(metric, verify(program, "lower")))
    return tuple(found.values()), tuple(summaries)


def named_scalar(name: str) -> Value:
    """Make an argument that is one number."""
    return Value("input", name=name)


def _of_samples(name: str, prediction: Value, target: Value, value: Value) -> Program:
    program = Program(name, (prediction, target), (("metric", named(value, "")),))
    return verify(program, "lower")


def metric_program(model: Model, metric: Clause) -> str:
    """Return the name of a metric's function, which differs from that of the loss."""
    name = metric.use.entry.name
    return f"{name}_metric" if name == model.loss.use.entry.name else name
