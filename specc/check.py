"""Syntax tree -> Model: every name resolved, every argument bound, every shape inferred.

Takes the tree and the command's overrides; gives the Model, or None, with all that was found. The
statements are read in order of the file; what needs several of them comes after. Invariant: the
Model is None exactly when an error was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from specc import syntax
from specc.bind import Bound, Report, bind, converted, find, not_yet
from specc.diagnostics import Diagnostic, Invalid, error
from specc.evaluate import UNKNOWN, Value, evaluate
from specc.expand import Group, Vocabulary, define, resolve
from specc.library.entry import Argument, Interval
from specc.link import link
from specc.model import Feature, Model
from specc.names import forbidden
from specc.params import unknown_overrides, value_of
from specc.source import Span


@dataclass(frozen=True)
class Bounded:
    """A statement of one entry, bound."""

    bound: Bound
    span: Span
    """Of the entry."""


@dataclass
class Parts:
    """What the statements of a file say one by one."""

    tree: syntax.Tree
    overrides: Mapping[str, str]
    report: Report
    names: dict[str, Value] = field(default_factory=dict)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    defined: dict[str, str] = field(default_factory=dict)
    """What has each name: "the param `width`"."""
    first: dict[str, Span] = field(default_factory=dict)
    """Where each statement that may stand once does, those with a syntax error too."""
    name: str = ""
    features: dict[str, Feature] = field(default_factory=dict)
    layers: Group | None = None
    clauses: dict[str, Bounded] = field(default_factory=dict)
    metrics: list[Bounded] = field(default_factory=list)
    metrics_known: bool = True


def check(
    tree: syntax.Tree, overrides: Mapping[str, str]
) -> tuple[Model | None, tuple[Diagnostic, ...]]:
    """Check a file; `overrides` are the `-D name=value` of the command."""
    found: list[Diagnostic] = []
    params = {s.name.text: s.name.span for s in _of(tree, syntax.Param)}

    def report(finding: Diagnostic) -> None:
        word = finding.span.text
        if finding.code == "E011" and word in params and word not in parts.names:
            message = f"`{word}` is used before its definition"
            label = f"it is defined on line {params[word].line}"
            finding = error("E026", message, finding.span, label, "move the param up")
        found.append(finding)

    parts = Parts(tree, overrides, report)
    parts.vocabulary.lines.update(
        {s.name.text: s.span.line for s in _of(tree, syntax.Block)}
    )
    broken = {s.name: s.span for s in _of(tree, syntax.Broken) if s.word == "param"}
    known = {**params, **{name: span for name, span in broken.items() if name}}
    found += unknown_overrides(overrides, known)
    for statement in tree.statements:
        _read(statement, parts)
    _missing(parts)
    model = link(parts)
    errors = any(finding.severity == "error" for finding in found)
    return None if errors else model, tuple(found)


def _of(tree: syntax.Tree, kind: type[Any]) -> list[Any]:
    return [s for s in tree.statements if isinstance(s, kind)]


def _read(statement: syntax.Statement, parts: Parts) -> None:
    """Take in one statement."""
    match statement:
        case syntax.ModelName(name, span):
            if _once("model", span, parts):
                parts.name = name.text
                fault = forbidden(name, vocabulary=False)
                if fault is not None:
                    parts.report(fault)
        case syntax.Param(name):
            _claim(name, "param", parts)
            override = parts.overrides.get(name.text)
            value = value_of(statement, override, parts.names, parts.report)
            parts.names.setdefault(name.text, value)
        case syntax.Feature(role, name, _, _, span):
            if _once(role, span, parts):
                _claim(name, role, parts)
                feature = _feature(statement, parts)
                if feature is not None:
                    parts.features[role] = feature
        case syntax.Definition():
            _definition(statement, parts)
        case syntax.Block(name):
            fresh = _claim(name, "block", parts)
            macro = define(statement, parts.names, parts.vocabulary, parts.report)
            if fresh:
                parts.vocabulary.blocks[name.text] = macro
        case syntax.Layers(body, span):
            if _once("layers", span, parts):
                parts.layers = resolve(
                    body, parts.names, parts.vocabulary, parts.report
                )
        case syntax.Clause(kind, entry, span):
            if kind == "metric" or _once(kind, span, parts):
                _clause(kind, entry, parts)
        case syntax.Setting(entry, span):
            word = entry.name.text
            if _once(word, span, parts):
                _clause("setting", entry, parts)
        case syntax.Broken(word, defined, span):
            _broken(word, defined, span, parts)


def _broken(word: str, name: str | None, span: Span, parts: Parts) -> None:
    """Keep a statement with a syntax error from causing others."""
    parts.first.setdefault(word, span)
    if word == "metric":
        parts.metrics_known = False
    if name is None:
        return
    if word == "param":
        parts.names.setdefault(name, UNKNOWN)
    if word in {"block", "def"}:
        parts.vocabulary.unusable.add(name)


def _once(word: str, span: Span, parts: Parts) -> bool:
    """Report a statement that is there already."""
    earlier = parts.first.setdefault(word, span)
    if earlier is span:
        return True
    head = Span(span.source, span.start, span.start + len(word))
    label = f"the first one is on line {earlier.line}"
    parts.report(error("E022", f"a second `{word}`", head, label))
    return False


def _claim(name: syntax.Name, what: str, parts: Parts) -> bool:
    """Report a name that may not be given, or is taken."""
    owner = parts.defined.get(name.text)
    if owner is not None:
        message = f"`{name.text}` is defined twice"
        parts.report(error("E023", message, name.span, f"it is {owner} already"))
        return False
    parts.defined[name.text] = f"the {what} of line {name.span.line}"
    fault = forbidden(name)
    if fault is not None:
        parts.report(fault)
    return fault is None


_DIMENSION = Argument("size", int, Interval(low=1), None, False, True, None)


def _feature(feature: syntax.Feature, parts: Parts) -> Feature | None:
    shape = []
    for expr in feature.shape:
        try:
            value = converted(_DIMENSION, evaluate(expr, parts.names), expr)
        except Invalid as invalid:
            parts.report(invalid.diagnostic)
            value = UNKNOWN
        shape.append(value)
    if feature.role == "input" and feature.dtype == "int":
        note = "this version compiles real input only"
        parts.report(not_yet("an input of integers", feature.span, note))
        return None
    if UNKNOWN in shape:
        return None
    if len(shape) > 8:
        message = f"a sample of {len(shape)} axes"
        parts.report(error("E033", message, feature.span, "at most 8 can be compiled"))
        return None
    name, dtype = feature.name.text, feature.dtype
    return Feature(name, dtype, tuple(shape), feature.span)


def _definition(definition: syntax.Definition, parts: Parts) -> None:
    """Check a `def` as far as names go, and refuse it: nothing lowers it yet."""
    _claim(definition.name, f"def {definition.kind}", parts)
    inner: dict[str, Any] = dict(parts.names)
    own: set[str] = set()
    for parameter in definition.parameters:
        name = parameter.name
        if name.text in own:
            message = f"`{name.text}` is defined twice"
            label = "a parameter of this definition"
            parts.report(error("E023", message, name.span, label))
        own.add(name.text)
        if parameter.default is not None:
            _evaluated(parameter.default, parts.names, parts)
        inner[name.text] = UNKNOWN
    _evaluated(definition.value, inner, parts)
    start = definition.span.start
    head = Span(definition.span.source, start, definition.name.span.end)
    parts.report(not_yet(f"`def {definition.kind}`", head))
    parts.vocabulary.unusable.add(definition.name.text)


def _evaluated(expr: syntax.Expr, names: Mapping[str, Value], parts: Parts) -> Value:
    try:
        return evaluate(expr, names)
    except Invalid as invalid:
        parts.report(invalid.diagnostic)
        return UNKNOWN


def _clause(kind: str, written: syntax.Entry, parts: Parts) -> None:
    """Bind the entry of a statement."""
    bounded = Bounded(Bound(None, {}), written.span)
    if written.name.text not in parts.vocabulary.unusable:
        entry = find(kind, written.name, parts.report)
        if entry is not None:
            bound = bind(entry, written, parts.names, parts.report)
            bounded = Bounded(bound, written.span)
    if kind == "metric":
        parts.metrics.append(bounded)
    else:
        key = written.name.text if kind == "setting" else kind
        parts.clauses[key] = bounded


def _missing(parts: Parts) -> None:
    """Report required statements that are not there, and a model that is not first."""
    source, statements = parts.tree.source, parts.tree.statements
    end = len(source.text.rstrip())
    start = statements[0].span.start if statements else 0
    begin = Span(source, start, statements[0].span.end if statements else 0)
    if not statements:
        message = "the spec is empty"
        parts.report(error("E021", message, begin, "expected `model name`"))
        return
    if "model" not in parts.first:
        message = "the spec has no `model`"
        parts.report(error("E021", message, begin, "expected `model name` first"))
    elif not isinstance(statements[0], syntax.ModelName) and (
        parts.first["model"] is not statements[0].span
    ):
        message = "`model` is not the first statement"
        span = parts.first["model"]
        parts.report(error("E021", message, span, "move it to the beginning"))
    examples = {
        "input": "input x: real[2]",
        "target": "target y: real[1]",
        "layers": "layers { linear(1) }",
        "loss": "loss mse",
        "optimizer": "optimizer sgd(lr=0.1)",
    }
    for word, example in examples.items():
        if word not in parts.first:
            message = f"the spec has no `{word}`"
            label = f"expected a statement such as `{example}`"
            parts.report(error("E021", message, Span(source, end, end), label))
