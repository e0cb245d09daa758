"""The warnings: what is legal in a spec and probably wrong.

Takes a checked model and the places of its arguments; yields warnings. Invariant: a warning never
changes what is compiled, and is only about what the spec writes, never about a default.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specc.check.layer_names import Placed
from specc.library.network.norms import Norm
from specc.library.vocabulary import Use
from specc.model.model import Model, Node
from specc.syntax.diagnostics import Diagnostic, warning
from specc.syntax.source import Span

_SQUASHING = frozenset({"tanh", "sigmoid", "hard_tanh", "hard_sigmoid", "softsign"})
_RECTIFYING = frozenset({"relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish"})
_BOUNDED = _SQUASHING | {"softmax"}


@dataclass(frozen=True)
class Written:
    """Where the spec writes the arguments that warnings point at, by argument."""

    early_stopping: dict[str, Span]
    data: Any
    """The data source, None if the spec has none."""
    folder: Path | None
    """The folder of the spec."""


def advice(
    model: Model, layers: Sequence[Placed], written: Written
) -> Iterator[Diagnostic]:
    """Yield every warning about a model."""
    yield from _about_output(model)
    yield from _about_targets(model, written)
    yield from _about_starts(model.nodes, layers)
    yield from _about_norms(model)
    yield from _about_stopping(model, written)


def _about_output(model: Model) -> Iterator[Diagnostic]:
    """Warn about a last activation that does not suit the loss."""
    loss = model.loss.use.entry.name
    tail: list[Node] = []
    for node in reversed(model.nodes):
        if node.parameters or len(node.inputs) > 1:
            break
        tail.append(node)
    words = [node.use.entry.name for node in tail]
    if not tail:
        return
    last = tail[0]
    if loss == "cross_entropy":
        yield from _softmax_before(tail)
        if words[0] in _SQUASHING:
            yield _unreachable(
                last, "cross_entropy", "bounded logits keep the loss above 0"
            )
    elif loss == "binary_cross_entropy" and words[0] in _BOUNDED - {"sigmoid"}:
        yield _unreachable(last, loss, "the logits are bounded")
    elif loss == "binary_cross_entropy" and words[0] == "relu":
        yield _unreachable(last, loss, "no probability below 0.5 can be predicted")
    elif words[0] == "softmax" and last.output_shape[last.layer.along :][:1] == (1,):
        message = "a softmax over one number is always 1"
        label = "write `sigmoid`, or use more outputs"
        yield warning("W002", message, last.span, label)


def _about_targets(model: Model, written: Written) -> Iterator[Diagnostic]:
    """Warn about targets outside the range of the last activation."""
    last = model.nodes[-1]
    reach = last.use.entry.reach
    if reach is None or written.data is None or model.target.dtype != "real":
        return
    low, high = reach(**dict(last.use.arguments))
    span = written.data.span(written.folder)
    if span is None or (low <= span[0] and span[1] <= high):
        return
    if low == -math.inf:
        gives = f"at most {high:g}"
    elif high == math.inf:
        gives = f"at least {low:g}"
    else:
        gives = f"between {low:g} and {high:g}"
    word = last.use.entry.name
    message = (
        f"the output of `{word}` is {gives}, but targets range from {span[0]:g} to"
    )
    label = "remove it, or scale the targets"
    yield warning("W002", f"{message} {span[1]:g}", last.span, label)


def _softmax_before(tail: Sequence[Node]) -> Iterator[Diagnostic]:
    """Warn about every softmax before cross_entropy but the last, which is fused with the loss."""
    for node in tail[1:]:
        if node.use.entry.name == "softmax":
            message = (
                "`cross_entropy` applies softmax itself: the probabilities of this one"
                " would be its logits"
            )
            label = "remove it: only a last softmax is merged with the loss"
            yield warning("W001", message, node.span, label)


def _unreachable(node: Node, loss: str, why: str) -> Diagnostic:
    word = node.use.entry.name
    message = f"`{loss}` uses the output of `{word}` as logits: {why}"
    return warning(
        "W002", message, node.span, "remove it: end with the layer before it"
    )


def _about_starts(
    nodes: Sequence[Node], layers: Sequence[Placed]
) -> Iterator[Diagnostic]:
    """Warn about a fan-based initializer that is meant for another activation."""
    for i in range(len(nodes) - 1):
        bound = layers[i].element.bound
        span = bound.spans.get("weight") if bound else None
        if span is None:
            continue
        weight = nodes[i].use["weight"]
        if nodes[i + 1].inputs != (i,):  # the next node is another body, or a join
            continue
        after = nodes[i + 1].use.entry.name
        word = weight.entry.name if isinstance(weight, Use) else ""
        family, _, shape = word.partition("_")
        better = ""
        if family == "he" and after in _SQUASHING:
            better = f"xavier_{shape}"
        elif family == "xavier" and after in _RECTIFYING:
            better = f"he_{shape}"
        if better:
            message = f"`{word}` does not suit the `{after}` that follows"
            yield warning("W003", message, span, f"write `{better}`")


def _about_norms(model: Model) -> Iterator[Diagnostic]:
    """Warn about a norm over a single number, which erases its input."""
    for node in model.nodes:
        norm = node.layer
        if not isinstance(norm, Norm):
            continue
        if norm.numbers(node.input_shape, model.train.batch_size) == 1:
            word = node.use.entry.name
            message = f"`{word}` turns a single number into {norm.of_one}"
            label = "remove it, or use more features"
            if norm.tracks:
                message = f"{message} in training"
                label = "write a larger `batch_size`"
            yield warning("W007", message, node.span, label)


def _about_stopping(model: Model, written: Written) -> Iterator[Diagnostic]:
    stopping, statement = model.early_stopping, model.early_stopping_span
    if stopping is None or statement is None:
        return
    if stopping.patience >= model.train.epochs:
        message = (
            f"patience {stopping.patience} is never exhausted in"
            f" {model.train.epochs} epochs"
        )
        span = written.early_stopping.get("patience", statement)
        label = f"write less than {model.train.epochs}"
        yield warning("W004", message, span, label)
    no_test = written.data is not None and getattr(written.data, "test", 1) == 0
    if no_test and stopping.monitor.startswith("val_"):
        message = "early stopping monitors the samples that the metrics are reported on"
        span = written.early_stopping.get("monitor", statement)
        label = "give `data` a `test` share"
        yield warning("W005", message, span, label)
