"""Named layers -> Nodes with shapes; checks the shapes of loss and metrics.

Takes placed layers and the shape of the input, returns Nodes. Invariant: a shape error is reported
alone, without those that follow from it; the Nodes are then None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from specc.check.arguments.bind import Bound
from specc.check.arguments.match import Report
from specc.check.layer_names import Placed
from specc.library.network.layers import Activation, Join, View
from specc.library.network.norms import Standardize
from specc.library.training import losses, metrics
from specc.library.vocabulary import ShapeError
from specc.model.model import Feature, Node
from specc.syntax.diagnostics import error
from specc.syntax.source import Span

LARGEST = 2**31
"""The largest size of a sample, and of all parameters together."""


def infer(
    layers: Sequence[Placed], feature: Feature, report: Report
) -> tuple[Node, ...] | None:
    """Return the layers with their shapes, in order; None after an error."""
    nodes: list[Node] = []
    total, begin = 0, 0
    for placed in layers:
        layer, bound = placed.element.layer, placed.element.bound
        if layer is None or bound is None or bound.use is None:
            return None
        span = placed.element.span
        shapes = [
            nodes[i].output_shape if i >= 0 else feature.shape for i in placed.inputs
        ]
        try:
            if isinstance(layer, Join):
                output = layer.joined_shape(shapes)
            else:
                output = layer.output_shape(shapes[0])
        except ShapeError as problem:
            notes = [
                f"{_giver(nodes, i, feature)} has shape {list(shape)}"
                for i, shape in zip(placed.inputs, shapes, strict=True)
            ]
            report(error("E031", problem.message, span, problem.hint, *notes))
            return None
        misplaced = _misplaced(placed, nodes, begin)
        if isinstance(layer, Standardize):
            begin = len(nodes)
        if misplaced:
            report(error("E040", misplaced[0], span, misplaced[1]))
            return None
        use = layer.use if isinstance(layer, Activation) else bound.use
        node = Node(placed.name, layer, use, shapes[0], output, span, placed.inputs)
        total += sum(math.prod(p.shape) for p in node.parameters.values())
        if max(total, math.prod(output)) > LARGEST:
            message = f"the network has {total:,} parameters up to `{placed.name}`"
            if total <= LARGEST:
                count = math.prod(output)
                message = f"`{placed.name}` has {count:,} numbers per sample"
            report(error("E033", message, span, "at most 2^31 are supported"))
            return None
        nodes.append(node)
    return tuple(nodes)


def _misplaced(
    placed: Placed, nodes: Sequence[Node], begin: int
) -> tuple[str, str] | None:
    """Return why a layer conflicts with `standardize`, and what to do; None if it does not.

    `begin` is the index of the layer that standardizes, if there is one already.
    """
    if isinstance(placed.element.layer, Standardize):
        before = enumerate(nodes)
        views = all(
            isinstance(n.layer, View) and n.inputs == (i - 1,) for i, n in before
        )
        if not views or placed.inputs != (len(nodes) - 1,):
            return (
                "`standardize` must come before every layer that computes",
                "put it first, or after `flatten` and `reshape` of the input",
            )
        return None
    first = nodes[begin] if nodes else None
    measured = first is not None and isinstance(first.layer, Standardize)
    if first is not None and measured and min(placed.inputs) < begin:
        return (
            f"`{placed.name}` uses the input before `{first.name}`",
            f"put `{first.name}` before every layer that uses the input",
        )
    return None


def _giver(nodes: Sequence[Node], index: int, feature: Feature) -> str:
    if index < 0:
        return f"the input `{feature.name}` on line {feature.span.line}"
    return f"the output of `{nodes[index].name}` on line {nodes[index].span.line}"


def check_clause(
    bound: Bound, span: Span, nodes: Sequence[Node], target: Feature, report: Report
) -> None:
    """Report a loss or a metric that cannot compare the output with the target."""
    if bound.use is None:
        return
    entry, output = bound.use.entry, nodes[-1].output_shape
    library = losses if entry.kind == "loss" else metrics
    try:
        library.check_shapes(entry.name, output, target.shape, target.dtype)
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
            f"the last layer, `{last.name}` on line {last.line}, has output shape"
            f" {list(last.output_shape)}",
            f"the target, `{target.name}` on line {target.span.line}, is {declared}",
        )
    )
