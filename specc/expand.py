"""Bodies -> a flat sequence of named layers: looks words up, calls blocks, writes repeats out.

Two steps. `resolve` binds every node once and counts what it would expand to; `placed` writes it out
and names the layers. Invariant: nothing is written out before its count is known to be at most LIMIT.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from specc import syntax
from specc.bind import Bound, Report, bind, converted, find, match_arguments, not_yet
from specc.diagnostics import Invalid, did_you_mean, error, quoted
from specc.evaluate import UNKNOWN, Value, evaluate
from specc.fragments import NESTING
from specc.library import LATER, VOCABULARY
from specc.library.entry import Argument, Interval
from specc.library.layers import Activation, Layer
from specc.source import Span

LIMIT = 10_000
"""How many layers a network may have."""


@dataclass(frozen=True)
class Element:
    """One layer as the spec writes it; `layer` is None where it is at fault."""

    word: str
    name: syntax.Name | None
    layer: Layer | None
    bound: Bound | None
    span: Span
    size: int = 1
    depth: int = 0


@dataclass(frozen=True)
class Group:
    """Several in a row, `times` over."""

    items: tuple[Element | Group, ...]
    size: int
    """How many layers it expands to."""
    depth: int
    times: int = 1
    repeated: bool = False
    """Whether names inside get a count."""
    prefix: syntax.Name | None = None
    """The name of the block's call, which goes before those inside."""


@dataclass(frozen=True)
class Macro:
    """A block: its statement and the names that it can see; `usable` unless it is at fault."""

    block: syntax.Block
    names: Mapping[str, Value]
    blocks: Mapping[str, Macro]
    usable: bool


@dataclass
class Vocabulary:
    """What a body may use, beside the library."""

    blocks: dict[str, Macro] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """Where each block of the file is defined, later ones too."""
    unusable: set[str] = field(default_factory=set)
    """Definitions that are at fault or not available, already told."""
    inside: str | None = None
    """The block that is being defined."""
    called: dict[tuple[str, str], Group] = field(default_factory=dict)
    """What each block gives for its arguments, so that blocks of blocks stay cheap."""


@dataclass(frozen=True)
class Placed:
    """A layer of the expanded network."""

    name: str
    element: Element


def define(
    block: syntax.Block,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Macro:
    """Check a block's body for whatever holds with any arguments."""
    inner = dict(names)
    own: dict[str, Span] = {}
    for parameter in block.parameters:
        name = parameter.name
        if name.text in own:
            message = f"`{name.text}` is defined twice"
            report(error("E023", message, name.span, "a parameter of this block"))
        own[name.text] = name.span
        if parameter.default is not None:
            _evaluated(parameter.default, names, report)
        inner[name.text] = UNKNOWN
    vocabulary.inside = block.name.text
    group = resolve(block.body, inner, vocabulary, report)
    vocabulary.inside = None
    usable = group.depth <= NESTING
    if not usable:
        message = f"blocks and bodies nest deeper than {NESTING}"
        report(error("E006", message, block.name.span, "with this block"))
    return Macro(block, dict(names), dict(vocabulary.blocks), usable)


def resolve(
    body: syntax.Body,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Group:
    """Bind all nodes of a body."""
    items = [_resolved(node, names, vocabulary, report) for node in body.nodes]
    return _group(items)


def _group(items: list[Element | Group], times: int = 1, **marks: Any) -> Group:
    size = times * sum(item.size for item in items)
    depth = 1 + max((item.depth for item in items), default=0)
    return Group(tuple(items), size, depth, times, **marks)


def _resolved(
    node: syntax.Node,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Element | Group:
    word = node.entry.name.text
    poison = Element(word, node.name, None, None, node.span)
    if word == "repeat":
        return _repeat(node, names, vocabulary, report)
    if word in {"residual", "concat"}:
        report(not_yet(f"`{word}`", node.entry.name.span))
        for body in node.bodies:
            resolve(body, names, vocabulary, report)
        return poison
    for body in node.bodies:
        brace = Span(body.span.source, body.span.start, body.span.start + 1)
        report(error("E034", f"{quoted(word)} takes no body", brace, "leave it out"))
        resolve(body, names, vocabulary, report)
    if word in vocabulary.unusable:
        return poison
    if word in vocabulary.blocks:
        return _call(node, names, vocabulary, report)
    kind = "activation" if word in _words("activation") else "layer"
    if word not in _words(kind):
        _unknown(node.entry.name, vocabulary, report)
        return poison
    entry = find(kind, node.entry.name, report)
    if entry is None:
        return poison
    bound = bind(entry, node.entry, names, report)
    layer: Layer | None = None
    if bound.use is not None:
        layer = Activation(bound.use) if kind == "activation" else bound.use()
    return Element(word, node.name, layer, bound, node.span)


def _words(kind: str) -> set[str]:
    return {*VOCABULARY[kind], *LATER.get(kind, ())}


def _unknown(name: syntax.Name, vocabulary: Vocabulary, report: Report) -> None:
    word = name.text
    if word == vocabulary.inside:
        message = f"block `{word}` uses itself"
        report(error("E026", message, name.span, "blocks may use earlier ones only"))
        return
    if word in vocabulary.lines:
        message = f"block `{word}` is used before its definition"
        label = f"it is defined on line {vocabulary.lines[word]}"
        report(error("E026", message, name.span, label, "move the block up"))
        return
    known = {*_words("layer"), *_words("activation"), *vocabulary.blocks, "repeat"}
    label = did_you_mean(word, known)
    other = [kind for kind, words in VOCABULARY.items() if word in words]
    message = f"unknown layer {quoted(word)}"
    if other:
        what = "a data source" if other[0] == "data" else f"the name of a(n) {other[0]}"
        what = what.replace("a(n) i", "an i").replace("a(n) o", "an o")
        message = f"`{word}` is {what.replace('a(n)', 'a')}, not a layer"
        label = ""
    available = sorted({*VOCABULARY["layer"], *VOCABULARY["activation"], "repeat"})
    note = "" if label else f"available: {', '.join([*available, *vocabulary.blocks])}"
    report(error("E010", message, name.span, label, note))


_TIMES = Argument("n", int, Interval(low=0), None, False, True, None)


def _repeat(
    node: syntax.Node,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Group:
    if node.name is not None:
        label = "name the layers inside"
        report(error("E034", "`repeat` takes no name", node.name.span, label))
    form = "repeat(n) { … }"
    if len(node.bodies) != 1:
        message = f"`repeat` takes one body, found {len(node.bodies) or 'none'}"
        report(error("E034", message, node.entry.span, "", form))
    given = match_arguments("repeat", [("n", True)], form, node.entry, report)
    times: Value = UNKNOWN
    if "n" in given:
        value = _evaluated(given["n"], names, report)
        try:
            times = converted(_TIMES, value, given["n"])
        except Invalid as invalid:
            report(invalid.diagnostic)
    bodies = [resolve(body, names, vocabulary, report) for body in node.bodies]
    items: list[Element | Group] = list(bodies)
    if times is UNKNOWN:
        items.append(Element("repeat", None, None, None, node.span))
        times = 1
    return _group(items, times, repeated=True)


def _call(
    node: syntax.Node,
    names: Mapping[str, Value],
    vocabulary: Vocabulary,
    report: Report,
) -> Group:
    """Resolve a block's body with the arguments of one call."""
    macro = vocabulary.blocks[node.entry.name.text]
    called = macro.block.name.text
    parameters = macro.block.parameters
    shown = [p.name.text + (f"={p.default.span.text}" if p.default else "") for p in parameters]
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
            value = _evaluated(given[name], names, report)
        elif default is not None:
            value = _evaluated(default, macro.names, report)
        inner[name] = value
    if not macro.usable:
        return _group([Element(called, None, None, None, node.span)])
    key = (called, repr([inner[p.name.text] for p in parameters]))
    if key not in vocabulary.called:
        seen = Vocabulary(
            dict(macro.blocks),
            vocabulary.lines,
            vocabulary.unusable,
            called,
            vocabulary.called,
        )
        vocabulary.called[key] = resolve(macro.block.body, inner, seen, report)
    return _group([vocabulary.called[key]], prefix=node.name)


def _evaluated(expr: syntax.Expr, names: Mapping[str, Value], report: Report) -> Value:
    try:
        return evaluate(expr, names)
    except Invalid as invalid:
        report(invalid.diagnostic)
        return UNKNOWN


@dataclass
class _Counts:
    """The names given so far in one scope: the whole network, or one named call of a block."""

    prefix: str = ""
    unnamed: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)


def placed(group: Group) -> list[Placed]:
    """Write a group out; its size must be at most LIMIT."""
    layers: list[Placed] = []
    _place(group, _Counts(), False, layers)
    return layers


def _place(
    group: Group, counts: _Counts, repeated: bool, layers: list[Placed]
) -> None:
    if not group.size:
        return
    if group.prefix is not None:
        name = _numbered(group.prefix.text, counts, repeated)
        counts, repeated = _Counts(f"{counts.prefix}{name}."), False
    repeated = repeated or group.repeated
    for _ in range(group.times):
        for item in group.items:
            if isinstance(item, Group):
                _place(item, counts, repeated, layers)
                continue
            if item.name is not None:
                name = _numbered(item.name.text, counts, repeated)
            else:
                counts.unnamed[item.word] += 1
                name = f"{item.word}{counts.unnamed[item.word]}"
            layers.append(Placed(counts.prefix + name, item))


def _numbered(name: str, counts: _Counts, repeated: bool) -> str:
    if not repeated:
        return name
    counts.named[name] += 1
    return f"{name}{counts.named[name]}"
