"""What comments and docstrings of a module say of the spec: which layer or clause, and where.

Takes the checked Model, gives text. Invariant: no text of the user's but validated identifiers,
numbers and plain file names.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from specc.emit.pieces import Derivation, derivation_of
from specc.model.model import Clause, Model, Node

MOST_WIDTHS = 8
"""Of how many layers the title tells the width; of a deeper network it tells the ends."""
LONGEST_PATH = 48
"""How long the title's list of widths may be; of a longer one it tells the ends."""


def title(model: Model) -> str:
    """Return one line that describes the network."""
    loss, optimizer = model.loss.use.entry.name, model.optimizer.use.entry.name
    return f"{model.name}: {widths(model)}, {optimizer} on {loss}"


def widths(model: Model) -> str:
    """Write the shapes that layers with parameters take and give, as a path."""
    shapes = [model.input.shape, *(n.output_shape for n in _weighted(model))]
    found = ["x".join(map(str, shape)) or "1" for shape in shapes]
    if len(found) > MOST_WIDTHS:
        found = [*found[:2], "...", *found[-2:]]
    path = " -> ".join(found)
    return path if len(path) <= LONGEST_PATH else f"{found[0]} -> ... -> {found[-1]}"


def _weighted(model: Model) -> list[Node]:
    return [node for node in model.nodes if node.parameters]


def forward_heading(model: Model) -> Callable[[Derivation], str]:
    """Head each statement by what the spec said, and where."""

    def heading(statement: Derivation) -> str:
        first, *_ = statement.origins
        says = ", ".join(origin.says for origin in statement.origins)
        lines = sorted({origin.line for origin in statement.origins})
        where = "-".join(str(line) for line in (lines[0], lines[-1])[: len(lines)])
        return f"{first.layer}: {says}  ({file_name(model)}:{where})"

    return heading


def backward_heading() -> Callable[[Derivation], str]:
    """Return the heading: the layer before the first of its derivations."""
    seen: list[str] = [""]

    def heading(statement: Derivation) -> str:
        layer = statement.origins[0].layer if statement.origins else seen[-1]
        text = derivation_of(statement)
        if layer == seen[-1] or not text:
            return text
        seen.append(layer)
        return f"{layer}: {text}"

    return heading


def said(model: Model, clause: Clause) -> str:
    """Return a clause as the spec has it, with its file and line."""
    return f"{clause.use}{_where(model, clause)}"


def _without_brackets(model: Model, clause: Clause) -> str:
    """Return a clause as words: a docstring must not look like a signature."""
    word, bracket, rest = str(clause.use).partition("(")
    says = said(model, clause)
    if bracket:
        says = says.replace(str(clause.use), f"{word} with {rest.removesuffix(')')}", 1)
    return says


def metric_doc(model: Model, clause: Clause, part: str) -> str:
    """Return the docstring of a metric, or of the `part` that one is made of."""
    if part:
        says = _without_brackets(model, clause)
        return f"Return the {part}, a mean over samples, for {says}"
    word, _, arguments = str(clause.use).partition("(")
    means = _meaning(clause) or word
    given = f", with {arguments.removesuffix(')')}" if arguments else ""
    return f"Return {means}{given}{_where(model, clause)}"


def _meaning(clause: Clause) -> str:
    """Return the first sentence that the vocabulary has of a word, as a part of another."""
    first, *_ = re.split(r"\.(?:\s|$)", clause.use.entry.make.__doc__ or "")
    text = " ".join(first.split())
    return text[:1].lower() + text[1:] if text[:2].istitle() else text


def _where(model: Model, clause: Clause) -> str:
    return f"  ({file_name(model)}:{clause.span.line})" if clause.span else ""


def file_name(model: Model) -> str:
    """Name the spec in a comment: its file, or its model where the name is not plain."""
    name = re.split(r"[/\\]", model.source.name)[-1]
    plain = re.fullmatch(r"[A-Za-z0-9_.-]+", name) is not None
    return name if plain else f"{model.name}.spec"
