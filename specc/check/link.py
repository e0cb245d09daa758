"""The parts of a spec -> one Model: checks that need several statements.

Takes the parts, returns the Model. Invariant: a part with an error is skipped here, so that nothing
is reported twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specc.check.advice import Written, advice
from specc.check.arguments.bind import Bound
from specc.check.arguments.convert import LARGEST
from specc.check.clauses import Parts
from specc.check.layer_names import LIMIT, Placed, placed
from specc.check.name_clashes import claim_names
from specc.check.shapes import check_clause, infer
from specc.library.network.initializers import NEEDS_WEIGHT
from specc.library.network.norms import Norm
from specc.library.training.settings import EarlyStopping, Train
from specc.library.vocabulary import VOCABULARY, use
from specc.model.domain import domain_of_loss
from specc.model.model import Clause, Feature, Model, Node
from specc.model.rate import rate_after
from specc.syntax import tree
from specc.syntax.diagnostics import (
    Diagnostic,
    error,
    quoted,
    warning,
)
from specc.syntax.spelling import did_you_mean

SIZE_OF_LAYER = 8
"""How many operations of a definition count as one layer."""


def link(parts: Parts) -> Model | None:
    """Join the parts; return None if one is missing or has an error."""
    layers = _layers(parts)
    source = parts.features.get("input")
    target = parts.features.get("target")
    nodes = infer(layers, source, parts.report) if layers and source else None
    if layers:
        claim_names(layers, nodes, parts.features, parts.report)
    if nodes and not any(node.parameters for node in nodes):
        _nothing_to_train(parts)
    if nodes and target:
        _compare(parts, nodes, target)
    data = _data(parts, source, target, nodes)
    _monitor(parts, data)
    model = _model(parts, source, target, nodes)
    if model is not None:
        _rate_in_range(model, parts)
    return model


def warnings(parts: Parts, model: Model) -> Iterator[Diagnostic]:
    """Yield the warnings about a model without errors."""
    assert parts.layers is not None  # true for every model
    stopping = parts.clauses.get("early_stopping")
    spans = stopping.bound.spans if stopping else {}
    data = model.data.use() if model.data else None
    yield from advice(model, placed(parts.layers), Written(spans, data, _folder(parts)))
    for statement in parts.tree.statements:
        if isinstance(statement, tree.Definition):
            name = statement.name.text
            if name not in parts.vocabulary.used:
                message = f"`{name}` is defined and not used"
                yield warning("W006", message, statement.name.span, "remove it")


def _layers(parts: Parts) -> list[Placed] | None:
    """Return the layers written out; None, after an error, if they are too many."""
    if parts.layers is None:
        return None
    span = parts.first["layers"]
    if parts.layers.size > LIMIT:
        count = f"{parts.layers.size:,}"
        if len(count) > 30:
            count = f"over 10^{len(str(parts.layers.size)) - 1}"
        message = f"the network would have {count} layers"
        label = f"at most {LIMIT:,} are supported"
        parts.report(error("E032", message, span, label))
        return None
    if not parts.layers.size:
        parts.report(error("E035", "`layers` is empty", span, "add a layer"))
        return None
    layers = placed(parts.layers)
    size = sum(map(_size, layers))
    if size > LIMIT:
        message = f"the network counts as {size:,} layers"
        label = f"at most {LIMIT:,} are supported"
        note = (
            "a norm counts as two layers, and an activation of a `def` as one more for"
            f" every {SIZE_OF_LAYER} operations"
        )
        parts.report(error("E032", message, span, label, note))
        return None
    for layer in layers:
        _check_layer(layer, parts)
    return layers


def _size(layer: Placed) -> int:
    """Return how many layers one counts as, by the lines of a module that it takes."""
    bound = layer.element.bound
    if bound is None or bound.use is None:
        return 1
    entry = bound.use.entry
    norm = isinstance(entry.make, type) and issubclass(entry.make, Norm)
    return 2 if norm else 1 + entry.operations // SIZE_OF_LAYER


def _check_layer(layer: Placed, parts: Parts) -> None:
    """Report a fan-based initializer of a parameter that has no fans."""
    bound = layer.element.bound
    if bound is None or bound.use is None:
        return
    given = dict(bound.use.arguments)
    without, needing = ["bias"], NEEDS_WEIGHT
    if isinstance(layer.element.layer, Norm):
        without, needing = ["bias", "weight"], NEEDS_WEIGHT | {"torch_default"}
    for short in without:
        start = given.get(short)
        if start is not None and start.entry.name in needing:
            what = (
                "a bias" if short == "bias" else f"the weight of `{layer.element.word}`"
            )
            message = (
                f"`{start.entry.name}` needs fan-in and fan-out, and {what} has neither"
            )
            span = bound.spans.get(short, layer.element.span)
            label = "use one that needs none, such as `zeros` or `normal`"
            parts.report(error("E019", message, span, label))


PROBED_RATES = 200
"""The number of epochs at which a schedule of the spec is tried."""


def _rate_in_range(model: Model, parts: Parts) -> None:
    """Report a schedule whose rate overflows, which happens towards the end.

    A schedule that the spec defines may be negative or NaN at any epoch.
    """
    last = model.train.epochs - 1
    if model.schedule.use.entry.defined:
        _defined_rate(model, parts)
        return
    try:
        fits = rate_after(model, last) <= LARGEST
    except OverflowError:
        fits = False
    if not fits and model.schedule.span is not None:
        message = f"the learning rate overflows float32 by epoch {last}"
        parts.report(error("E017", message, model.schedule.span, "at most 3.4e38"))


def _defined_rate(model: Model, parts: Parts) -> None:
    """Report a schedule of the spec whose rate is invalid at one of the epochs tried."""
    epochs, name = model.train.epochs, model.schedule.use.entry.name
    tried = {i * (epochs - 1) // (PROBED_RATES - 1) for i in range(PROBED_RATES)}
    for epoch in sorted(tried | set(range(min(epochs, 20)))):
        try:
            rate = rate_after(model, epoch)
            found = f"is {rate:g}"
            fits = 0 <= rate <= LARGEST
        except OverflowError:
            found, fits = "has no finite value", False
        if not fits and model.schedule.span is not None:
            message = f"`{name}` {found} after {epoch} epochs"
            label = "a rate must be from 0 to 3.4e38"
            parts.report(error("E017", message, model.schedule.span, label))
            return


def _nothing_to_train(parts: Parts) -> None:
    message = "the network has no parameters, so there is nothing to train"
    span = parts.first["layers"]
    parts.report(error("E035", message, span, "add a layer such as `linear(1)`"))


def _compare(parts: Parts, nodes: tuple[Node, ...], target: Feature) -> None:
    """Check the shapes of loss and metrics against the output and the target."""
    loss = parts.clauses.get("loss")
    if loss is not None:
        check_clause(loss.bound, loss.span, nodes, target, parts.report)
    seen: dict[str, int] = {}
    for metric in parts.metrics:
        check_clause(metric.bound, metric.span, nodes, target, parts.report)
        if metric.bound.use is None:
            continue
        word = metric.bound.use.entry.name
        if word in seen:
            label = f"the first one is on line {seen[word]}"
            parts.report(
                error("E022", f"metric `{word}` is given twice", metric.span, label)
            )
        seen.setdefault(word, metric.span.line)


def _data(
    parts: Parts,
    source: Feature | None,
    target: Feature | None,
    nodes: tuple[Node, ...] | None,
) -> Any:
    """Return the data source after checking its files; None if there is none."""
    clause = parts.clauses.get("data")
    if clause is None or clause.bound.use is None:
        return None
    data = clause.bound.use()
    if source is None or target is None:
        return data
    folder = _folder(parts)
    classes = nodes[-1].output_shape[-1] if nodes and target.dtype == "int" else None
    loss = parts.clauses.get("loss")
    use = None if loss is None else loss.bound.use
    domain = None if use is None else domain_of_loss(use)
    problems = data.problems(
        folder, source.shape, target.shape, target.dtype, classes, domain
    )
    signature = clause.bound.use.entry.signature
    for problem in problems:
        spans = clause.bound.spans
        item = spans.get(f"{problem.argument}[{problem.item}]")
        span = item or spans.get(problem.argument, clause.span)
        note = signature if problem.argument else ""
        parts.report(error("E037", problem.message, span, problem.hint, note))
    return data


def _folder(parts: Parts) -> Path | None:
    """Return the folder of the spec, which paths are relative to."""
    name = parts.tree.source.name
    return None if name == "<stdin>" else Path(name).parent


def _monitor(parts: Parts, data: Any) -> None:
    """Check that early stopping and the schedule monitor something that is measured."""
    if not parts.metrics_known or any(m.bound.use is None for m in parts.metrics):
        return
    measured = ["loss"]
    measured += [m.bound.use.entry.name for m in parts.metrics if m.bound.use]
    known = [f"{part}_{name}" for name in measured for part in ("val", "train")]
    for word in ("early_stopping", "schedule"):
        clause = parts.clauses.get(word)
        if clause is None or clause.bound.use is None:
            continue
        monitor = dict(clause.bound.use.arguments).get("monitor")
        span = clause.bound.spans.get("monitor", clause.span)
        if monitor is None:
            continue
        if monitor not in known:
            message = f"{quoted(monitor)} is not measured"
            label = _missing_metric(monitor) or did_you_mean(monitor, known)
            note = f"measured: {', '.join(known)}"
            parts.report(error("E036", message, span, label, note))
        elif monitor.startswith("val_") and getattr(data, "validation", 1) == 0:
            message = (
                f"`{monitor}` is monitored, but the data has no validation samples"
            )
            label = "monitor `train_loss`, or give `data` a `validation` share"
            parts.report(error("E036", message, span, label))


def _missing_metric(monitor: str) -> str:
    """Return the statement that would measure what is monitored, "" if there is none."""
    word = monitor.partition("_")[2]
    return f"add `metric {word}`" if word in VOCABULARY["metric"] else ""


def _model(
    parts: Parts,
    source: Feature | None,
    target: Feature | None,
    nodes: tuple[Node, ...] | None,
) -> Model | None:
    loss, optimizer = _clause(parts, "loss"), _clause(parts, "optimizer")
    if not (source and target and nodes and loss and optimizer):
        return None
    stopping: EarlyStopping | None = _setting(parts, "early_stopping")
    train: Train = _setting(parts, "train") or Train()
    default = Clause(use("schedule", "constant"), None)
    clause = parts.clauses.get("early_stopping")
    metrics = tuple(
        Clause(m.bound.use, m.span) for m in parts.metrics if m.bound.use is not None
    )
    constants = {
        name: value for name, value in parts.names.items() if name in parts.defined
    }
    return Model(
        name=parts.name,
        source=parts.tree.source,
        overrides=tuple(sorted(parts.overrides.items())),
        constants=tuple(constants.items()),
        input=source,
        target=target,
        nodes=nodes,
        loss=loss,
        optimizer=optimizer,
        schedule=_clause(parts, "schedule") or default,
        early_stopping=stopping,
        early_stopping_span=clause.span if clause else None,
        train=train,
        metrics=metrics,
        data=_clause(parts, "data"),
    )


def _clause(parts: Parts, kind: str) -> Clause | None:
    clause = parts.clauses.get(kind)
    if clause is None or clause.bound.use is None:
        return None
    return Clause(clause.bound.use, clause.span)


def _setting(parts: Parts, word: str) -> Any:
    bound = parts.clauses[word].bound if word in parts.clauses else Bound(None, {})
    return bound.use() if bound.use is not None else None
