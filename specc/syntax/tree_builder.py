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
    made = _statement(tree, source) or _expression(tree, source)
    if made is not None:
        return made
    span = _span(tree, source)
    parts = list(tree.children)
    match str(tree.data):
        case "choices":
            return syntax.Choices(_nodes(parts[0], source), span)
        case "interval":
            low, high = (_node(part, source) for part in parts[1:])
            return syntax.Range(parts[0].value, low, high, span)
        case "entry":
            name = _name(parts[0], source)
            return syntax.Entry(name, _nodes(parts[1], source), span)
        case "body":
            return syntax.Body(_nodes(tree, source), span)
        case "node":
            bodies = tuple(_node(body, source) for body in parts[3:])
            entry = _node(parts[2], source)
            return syntax.Node(_given(parts[0], source), entry, bodies, span)
        case "argument":
            value = _node(parts[-1], source)
            return syntax.Argument(_given(parts[0], source), value, span)
        case "parameter":
            return syntax.Parameter(_name(parts[0], source), _node(parts[2], source))
    raise AssertionError(tree.data)


def _statement(tree: Any, source: Source) -> Any:
    """Return the node of a statement, None if a tree is something else."""
    span = _span(tree, source)
    parts = list(tree.children)

    def node(part: Any) -> Any:
        return _node(part, source)

    match str(tree.data):
        case "model":
            return syntax.ModelName(_name(parts[0], source), span)
        case "param":
            name = _name(parts[0], source)
            return syntax.Param(name, node(parts[1]), node(parts[2]), span)
        case "feature":
            role, dtype = parts[0].value, parts[2].value
            shape = _nodes(parts[3], source)
            return syntax.Feature(role, _name(parts[1], source), dtype, shape, span)
        case "definition":
            kind, defined, parameters, value = parts
            name, given = _name(defined, source), _nodes(parameters, source)
            return syntax.Definition(kind.value, name, given, node(value), span)
        case "block":
            name, given = _name(parts[0], source), _nodes(parts[1], source)
            return syntax.Block(name, given, node(parts[2]), span)
        case "layers":
            return syntax.Layers(node(parts[0]), span)
        case "clause":
            return syntax.Clause(parts[0].value, node(parts[1]), span)
        case "setting":
            name, given = _name(parts[0], source), _nodes(parts[1], source)
            return syntax.Setting(syntax.Entry(name, given, span), span)
    return None


def _expression(tree: Any, source: Source) -> Any:
    """Return the node of an expression, None if a tree is something else."""
    span = _span(tree, source)
    parts = list(tree.children)
    match str(tree.data):
        case "call":
            name = _name(parts[0], source)
            return syntax.Entry(name, _nodes(parts[1], source), span)
        case "binary":
            left, right = _node(parts[0], source), _node(parts[2], source)
            return syntax.Binary(str(parts[1]), left, right, span)
        case "negative":
            return syntax.Negative(_node(parts[1], source), span)
        case "list":
            return syntax.Listing(_nodes(parts[0], source), span)
        case "number":
            return syntax.Number(str(parts[0]), span)
        case "string":
            text = str(parts[0])[1:-1].replace('\\"', '"').replace("\\\\", "\\")
            return syntax.Text(text, span)
        case "word":
            return syntax.Word(str(parts[0]), span)
    return None


def _span(tree: Any, source: Source) -> Span:
    return Span(source, tree.meta.start_pos, tree.meta.end_pos)


def _name(token: Any, source: Source) -> syntax.Name:
    return syntax.Name(str(token), Span(source, token.start_pos, token.end_pos))


def _given(token: Any, source: Source) -> syntax.Name | None:
    """Return a name, None if it is left out."""
    return None if token is None else _name(token, source)


def _node(part: Any, source: Source) -> Any:
    """Return the node of a tree, None if it is left out."""
    return None if part is None else build(part, source)


def _nodes(part: Any, source: Source) -> tuple[Any, ...]:
    """Return the nodes of a list, () if it is left out."""
    children = () if part is None else part.children
    return tuple(build(child, source) for child in children if child is not None)
