"""The loss and the metrics as functions of a module, and how `evaluate` averages them.

A metric that is no mean over samples is made of several: a function of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.derive.derive import Derived
from specc.emit.headings import metric_doc
from specc.emit.pieces import Code, Function, Places, derivation_of, function
from specc.ir.target import Target
from specc.model.model import Model


@dataclass(frozen=True)
class Summary:
    """The metrics that are made of several means; nothing where there are none."""

    functions: tuple[Function, ...]
    calls: tuple[Code, ...]
    """An entry of a dict for the loss and each metric."""


@dataclass(frozen=True)
class Figures:
    """What the functions `figures` and `evaluate` compute."""

    arguments: Code
    doc: Code
    prediction: tuple[Code, ...]
    """The statement that metrics need."""
    entries: tuple[Code, ...]
    """An entry of a dict for each figure."""
    mean_names: Code
    """The figures that are means over samples, quoted."""
    seen: Code
    """The figures of an epoch."""
    evaluated: Code
    """What `evaluate` returns."""


def summary(model: Model, derived: Derived, target: Target) -> Summary:
    """Return the metrics that are made of several means, as functions of numbers."""
    own = {each.figure for each in derived.metrics if not each.says}
    functions, calls = [], ['"loss": means["loss"]']
    made = {each.figure: each.program for each in derived.summaries}
    for metric in model.metrics:
        name = metric.use.entry.name
        if name in own:
            calls.append(f'"{name}": means["{name}"]')
            continue
        program = made[name]
        taken = [value.name for value in program.inputs]
        given = ", ".join(f'means["{figure}"]' for figure in taken)
        calls.append(f'"{name}": {name}({given})')
        place = Places({figure: figure for figure in taken})
        signature = dict.fromkeys(taken, "float")
        says = f"{metric_doc(model, metric, '')}."
        part = function(program, target, place, signature, says, derivation_of)
        functions.append(part.returning("float", f"return {part.result.text}"))
    if not functions:
        return Summary((), ())
    return Summary(tuple(functions), tuple(Code(call) for call in calls))


def figures(
    derived: Derived, target: Target, several: bool, labels: str, samples: str
) -> Figures:
    """Return the figures; `several` tells that a metric is made of several means.

    `labels` and `samples` are what a method calls the targets of an epoch, and their count.
    """
    last, label = derived.loss.inputs[0].name, derived.loss.inputs[1].name
    takes = "prediction" if derived.output else last
    array = target.words.array
    shown = ["loss", *(each.figure for each in derived.metrics)]
    calls = [f"{derived.loss.name}({last}, {label})"]
    calls += [f"{m.program.name}({takes}, {label})" for m in derived.metrics]
    if target.workspace:
        calls = [f"float({call})" for call in calls]
    means = f"{{name: total / {samples} for name, total in totals.items()}}"
    if derived.sums:
        means = '{"loss": loss} | means'
    seen = f"figures(last, {labels})"
    predicts = derived.output is not None and derived.metrics
    return Figures(
        arguments=Code(f"{last}: {array}, {label}: {array}"),
        doc=Code("means over samples" if several else "the loss and every metric"),
        prediction=(Code(f"prediction = output({last})"),) if predicts else (),
        entries=tuple(
            Code(f'"{name}": {call}') for name, call in zip(shown, calls, strict=True)
        ),
        mean_names=_quoted(shown[1:] if derived.sums else shown),
        seen=Code(f"finished({seen})" if several else seen),
        evaluated=Code(f"finished({means})" if several else means),
    )


def _quoted(names: list[str]) -> Code:
    return Code(", ".join(f'"{name}"' for name in names))
