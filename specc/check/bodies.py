"""Bodies -> bound layers in groups: looks up words, calls blocks, counts repeats.

Takes a body and the words in scope; returns a Group, in which every node is bound once and repeats
and calls are counted, not written out. Invariant: the work is proportional to the size of the spec,
not of the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from specc.check.arguments.bind import bind, find
from specc.check.arguments.constants import UNKNOWN, Value, evaluated
from specc.check.arguments.convert import converted
from specc.check.arguments.match import Report, match_arguments, misplaced
from specc.check.arguments.reserved_names import forbidden_layer
from specc.check.arguments.unknown_words import unknown_word
from specc.check.groups import (
    Branches,
    Element,
    Group,
    Macro,
    Vocabulary,
    branched,
    grouped,
)
from specc.library import VOCABULARY
from specc.library.kinds import article
from specc.library.network.layers import JOINS, Activation, Layer
from specc.library.vocabulary import Argument, Interval
from specc.syntax import tree
from specc.syntax.diagnostics import Invalid, error, quoted
from specc.syntax.source import Span
from specc.syntax.statements import NESTING


def scope(
    parameters: Iterable[tree.Parameter],
    names: Mapping[str, Value],
    what: str,
    report: Report,
) -> dict[str, Value]:
    """Return the names inside a definition, with its parameters as UNKNOWN."""
    own: dict[str, Value] = {}
    for parameter in parameters:
        name = parameter.name
        if name.text in own:
            message = f"`{name.text}` is defined twice"
            report(error("E023", message, name.span, f"a parameter of {what}"))
        if parameter.default is not None:
            _passed(parameter.default, names, report)
        own[name.text] = UNKNOWN
    return {**names, **own}


def _passed(expr: tree.Expr, names: Mapping[str, Value], report: Report) -> Value:
    """Return an argument of a block: a value, or an initializer with its own arguments."""
    if isinstance(expr, tree.Word) and expr.name not in names:
        name = tree.Name(expr.name, expr.span)
        entry = tree.Entry(name, (), expr.span)
    elif isinstance(expr, tree.Entry):
        entry = expr
    else:
        return evaluated(expr, names, report)
    if entry.name.text not in VOCABULARY["initializer"]:
        return evaluated(expr, names, report)
    found = find("initializer", entry.name, report)
    use = None if found is None else bind(found, entry, names, report).use
    return UNKNOWN if use is None else use


def define(
    block: tree.Block,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Macro:
    """Check a block's body for errors that do not depend on its arguments."""
    inner = scope(block.parameters, names, "this block", report)
    fault = misplaced(block.parameters)
    if fault is not None:
        report(fault)
    vocabulary.inside = block.name.text
    group = resolve(block.body, inner, vocabulary, report)
    vocabulary.inside = None
    usable = group.depth <= NESTING
    if not usable:
        message = f"blocks and bodies nest more than {NESTING} deep"
        report(error("E006", message, block.name.span, "this block is too deep"))
    return Macro(block, dict(names), dict(vocabulary.blocks), usable)


def resolve(
    body: tree.Body,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Group:
    """Bind all nodes of a body."""
    items = [_resolved(node, names, vocabulary, report) for node in body.nodes]
    return grouped(items)


def _resolved(
    node: tree.Node,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Element | Group | Branches:
    word = node.entry.name.text
    poison = Element(word, node.name, None, None, node.span)
    if word == "repeat":
        return _repeat(node, names, vocabulary, report)
    fault = forbidden_layer(node.name) if node.name is not None else None
    if fault is not None:
        report(fault)
    if word in JOINS:
        return _branches(node, names, vocabulary, report)
    for body in node.bodies:
        brace = Span(body.span.source, body.span.start, body.span.start + 1)
        report(error("E034", f"{quoted(word)} has no body", brace, "remove it"))
        resolve(body, names, vocabulary, report)
    if word in vocabulary.unusable:
        return poison
    if word in vocabulary.blocks:
        return _call(node, names, vocabulary, report)
    entry = vocabulary.definitions.get(word)
    if entry is not None and entry.kind != "activation":
        message = f"`{word}` is {article(entry.kind)}, not a layer"
        report(error("E010", message, node.entry.name.span))
        return poison
    kind = "activation" if entry or word in VOCABULARY["activation"] else "layer"
    if entry is not None:
        vocabulary.used.add(word)
    elif word not in VOCABULARY[kind]:
        _unknown(node.entry.name, vocabulary, report)
        return poison
    else:
        entry = find(kind, node.entry.name, report)
    if entry is None:
        return poison
    bound = bind(entry, node.entry, names, report)
    layer: Layer | None = None
    if bound.use is not None:
        layer = Activation(bound.use) if kind == "activation" else bound.use()
    return Element(word, node.name, layer, bound, node.span)


def _unknown(name: tree.Name, vocabulary: Vocabulary, report: Report) -> None:
    word = name.text
    if word == vocabulary.inside:
        message = f"block `{word}` uses itself"
        report(error("E026", message, name.span, "a block can only use earlier blocks"))
        return
    if word in vocabulary.lines:
        message = f"`{word}` is used before its definition"
        label = f"it is defined on line {vocabulary.lines[word]}"
        note = "move the definition up"
        if vocabulary.inside is not None:
            inside = vocabulary.inside
            note = f"move it above `{inside}`; it cannot use `{inside}` then"
        report(error("E026", message, name.span, label, note))
        return
    own = {*vocabulary.blocks, *vocabulary.definitions}
    known = {*VOCABULARY["layer"], *VOCABULARY["activation"], *own, "repeat"}
    report(unknown_word("layer", name, known))


_TIMES = Argument("n", int, Interval(low=0), None, True, None)


def _repeat(
    node: tree.Node,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Group:
    if node.name is not None:
        label = "name the layers inside"
        report(error("E034", "`repeat` cannot have a name", node.name.span, label))
    form = "repeat(n) { … }"
    if len(node.bodies) != 1:
        message = f"`repeat` needs one body, found {len(node.bodies) or 'none'}"
        report(error("E034", message, node.entry.span, "", form))
    given = match_arguments("repeat", [("n", True)], form, node.entry, report)
    times: Value = UNKNOWN
    if "n" in given:
        value = evaluated(given["n"], names, report)
        try:
            times = converted(_TIMES, value, given["n"])
        except Invalid as invalid:
            report(invalid.diagnostic)
    bodies = [resolve(body, names, vocabulary, report) for body in node.bodies]
    items: list[Element | Group | Branches] = list(bodies)
    if times is UNKNOWN:
        items.append(Element("repeat", None, None, None, node.span))
        times = 1
    return grouped(items, times, repeated=True)


def _branches(
    node: tree.Node,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Element | Branches:
    """Resolve bodies that have the same input."""
    word = node.entry.name.text
    entry = VOCABULARY["layer"][word]
    bound = bind(entry, node.entry, names, report)
    bodies = [resolve(body, names, vocabulary, report) for body in node.bodies]
    poison = Element(word, node.name, None, None, node.span)
    expected, form = JOINS[word]
    count = len(bodies)
    if count < 1 or (count == 1) != (expected == "one body"):
        message = f"`{word}` needs {expected}, found {count or 'none'}"
        report(error("E034", message, node.entry.span, "", form))
        return poison
    for body, group in zip(node.bodies, bodies, strict=True):
        if not group.size:
            message = f"a body of `{word}` is empty"
            report(error("E035", message, body.span, "add a layer"))
            return poison
    layer = None if bound.use is None else bound.use()
    join = Element(word, node.name, layer, bound, node.entry.span)
    return branched(bodies, join)


def _call(
    node: tree.Node,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Group:
    """Resolve the body of a block with the arguments of one call."""
    macro = vocabulary.blocks[node.entry.name.text]
    called = macro.block.name.text
    parameters = macro.block.parameters
    shown = [
        p.name.text + (f"={p.default.span.text}" if p.default else "")
        for p in parameters
    ]
    form = f"{called}({', '.join(shown)})" if shown else called
    given = match_arguments(
        called,
        [(p.name.text, p.default is None) for p in parameters],
        form,
        node.entry,
        report,
    )
    inner = dict(macro.names)
    for parameter in parameters:
        name, default = parameter.name.text, parameter.default
        value = UNKNOWN
        if name in given:
            value = _passed(given[name], names, report)
        elif default is not None:
            value = _passed(default, macro.names, report)
        inner[name] = value
    if not macro.usable:
        return grouped([Element(called, None, None, None, node.span)])
    key = (called, repr([inner[p.name.text] for p in parameters]))
    if key not in vocabulary.called:
        seen = Vocabulary(
            dict(macro.blocks),
            vocabulary.lines,
            vocabulary.unusable,
            called,
            vocabulary.definitions,
            vocabulary.used,
            vocabulary.called,
        )
        vocabulary.called[key] = resolve(macro.block.body, inner, seen, report)
    inside = vocabulary.called[key]
    return replace(grouped([inside], prefix=node.name), depth=inside.depth)
