"""lark's tree of one statement or expression -> syntax nodes.

Takes a tree without naming its classes, so that only `parser.py` depends on lark: `data` is the
rule, `children` its tokens and trees in order (None for an optional part that is left out).
"""

from __future__ import annotations

from typing import Any

from specc.syntax import tree as syntax
from specc.syntax.source import Source, Span


def build(tree: Any, source: Source) -> Any:
    """Return the syntax node of a tree."""
    span = Span(source, tree.meta.start_pos, tree.meta.end_pos)
    parts = list(tree.children)

    def name(token: Any) -> syntax.Name:
        return syntax.Name(str(token), Span(source, token.start_pos, token.end_pos))

    def node(part: Any) -> Any:
        return None if part is None else build(part, source)

    def nodes(part: Any) -> tuple[Any, ...]:
        """Return the nodes of a list, () if it is left out."""
        if part is None:
            return ()
        return tuple(node(child) for child in part.children if child is not None)

    match str(tree.data):
        case "model":
            return syntax.ModelName(name(parts[0]), span)
        case "param":
            return syntax.Param(name(parts[0]), node(parts[1]), node(parts[2]), span)
        case "choices":
            return syntax.Choices(nodes(parts[0]), span)
        case "interval":
            return syntax.Range(parts[0].value, node(parts[1]), node(parts[2]), span)
        case "feature":
            role, dtype = parts[0].value, parts[2].value
            return syntax.Feature(role, name(parts[1]), dtype, nodes(parts[3]), span)
        case "definition":
            kind, defined, parameters, value = parts
            return syntax.Definition(
                kind.value, name(defined), nodes(parameters), node(value), span
            )
        case "block":
            return syntax.Block(name(parts[0]), nodes(parts[1]), node(parts[2]), span)
        case "layers":
            return syntax.Layers(node(parts[0]), span)
        case "clause":
            return syntax.Clause(parts[0].value, node(parts[1]), span)
        case "setting" | "call":
            entry = syntax.Entry(name(parts[0]), nodes(parts[1]), span)
            return entry if tree.data == "call" else syntax.Setting(entry, span)
        case "entry":
            return syntax.Entry(name(parts[0]), nodes(parts[1]), span)
        case "body":
            return syntax.Body(nodes(tree), span)
        case "node":
            bodies = tuple(node(body) for body in parts[3:])
            given = None if parts[0] is None else name(parts[0])
            return syntax.Node(given, node(parts[2]), bodies, span)
        case "argument":
            given = None if parts[0] is None else name(parts[0])
            return syntax.Argument(given, node(parts[-1]), span)
        case "parameter":
            return syntax.Parameter(name(parts[0]), node(parts[2]))
        case "binary":
            left, operator, right = parts
            return syntax.Binary(str(operator), node(left), node(right), span)
        case "negative":
            return syntax.Negative(node(parts[1]), span)
        case "list":
            return syntax.Listing(nodes(parts[0]), span)
        case "number":
            return syntax.Number(str(parts[0]), span)
        case "string":
            text = str(parts[0])[1:-1].replace('\\"', '"').replace("\\\\", "\\")
            return syntax.Text(text, span)
        case "word":
            return syntax.Word(str(parts[0]), span)
    raise AssertionError(tree.data)
