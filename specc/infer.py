"""Named layers -> Nodes with shapes, and whether loss and metrics can compare the result.

Takes placed layers and the shape of the input, gives Nodes. Invariant: where one shape does not fit,
that alone is told, and nothing that follows from it; the Nodes are then None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from specc.bind import Bound, Report
from specc.diagnostics import error
from specc.expand import Placed
from specc.library import losses, metrics
from specc.library.entry import ShapeError
from specc.library.layers import Activation, Shape
from specc.model import Feature, Node
from specc.source import Span

LARGEST = 2**31
"""How many numbers a sample or all parameters together may have."""


def infer(
    layers: Sequence[Placed], feature: Feature, report: Report
) -> tuple[Node, ...] | None:
    """Give each layer its shapes, in order."""
    shape = feature.shape
    given_by = f"the input `{feature.name}`, line {feature.span.line}"
    nodes: list[Node] = []
    total = 0
    for placed in layers:
        layer, bound = placed.element.layer, placed.element.bound
        if layer is None or bound is None or bound.use is None:
            return None
        span = placed.element.span
        try:
            output = layer.output_shape(shape)
        except ShapeError as problem:
            note = f"{given_by}, gives {list(shape)}"
            report(error("E031", problem.message, span, problem.hint, note))
            return None
        use = layer.use if isinstance(layer, Activation) else bound.use
        node = Node(placed.name, layer, use, shape, output, span)
        total += sum(math.prod(p.shape) for p in node.parameters.values())
        if max(total, math.prod(output)) > LARGEST:
            what = "parameters so far" if total > LARGEST else "numbers a sample"
            count = total if total > LARGEST else math.prod(output)
            message = f"`{placed.name}` brings the network to {count:,} {what}"
            report(error("E033", message, span, "at most 2^31 can be compiled"))
            return None
        nodes.append(node)
        shape = output
        given_by = f"`{placed.name}`, line {span.line}"
    return tuple(nodes)


def check_loss(
    bound: Bound, span: Span, nodes: Sequence[Node], target: Feature, report: Report
) -> None:
    """Report where the loss cannot compare what the network gives with the target."""
    if bound.use is None:
        return
    output = nodes[-1].output_shape
    try:
        losses.check_shapes(bound.use.entry.name, output, target.shape, target.dtype)
    except ShapeError as problem:
        _report_mismatch(problem, span, nodes[-1], target, report)


def check_metric(
    bound: Bound, span: Span, nodes: Sequence[Node], target: Feature, report: Report
) -> None:
    """Report where a metric makes no sense for what the network gives."""
    if bound.use is None:
        return
    output = nodes[-1].output_shape
    try:
        metrics.check_shapes(bound.use.entry.name, output, target.shape, target.dtype)
    except ShapeError as problem:
        _report_mismatch(problem, span, nodes[-1], target, report)


def _report_mismatch(
    problem: ShapeError, span: Span, last: Node, target: Feature, report: Report
) -> None:
    declared = f"{target.dtype}{list(target.shape)}"
    report(
        error(
            "E031",
            problem.message,
            span,
            problem.hint,
            f"the last layer, `{last.name}` on line {last.line}, gives"
            f" {list(last.output_shape)}",
            f"the target, `{target.name}` on line {target.span.line}, is {declared}",
        )
    )


def claim_names(
    layers: Sequence[Placed],
    nodes: Sequence[Node] | None,
    taken: dict[str, str],
    report: Report,
) -> None:
    """Report layers that share a name, as specs write it or as emitted modules do.

    An emitted module knows `encoder.linear1` as `encoder_linear1`, its weight as
    `encoder_linear1_weight` and gradients with `d_` in front. `taken` says what has each name.
    """
    owners = dict(taken)
    parameters = {node.name: node.parameters for node in nodes or ()}
    for placed in layers:
        plain = placed.name.replace(".", "_")
        short = parameters.get(placed.name, {})
        name = placed.element.name
        place = name.span if name is not None else placed.element.span
        for wanted in (plain, *(f"{plain}_{parameter}" for parameter in short)):
            owner = owners.get(wanted) or owners.get(wanted.removeprefix("d_"))
            if owner is None and f"d_{wanted}" in owners:
                owner = owners[f"d_{wanted}"]
            if owner is None:
                continue
            same = owner == f"the layer `{placed.name}`"
            message = f"the layer `{placed.name}` has the same name as {owner}"
            if same:
                message = f"two layers are called `{placed.name}`"
            label = "choose another name"
            if same and name is None:
                label = "name this layer or the other"
            elif same:
                label = "in a block, name its calls: `a = block(…)`"
            report(error("E023", message, place, label))
            break
        owners[plain] = f"the layer `{placed.name}`"
        for parameter in short:
            owners[f"{plain}_{parameter}"] = f"`{placed.name}.{parameter}`"
