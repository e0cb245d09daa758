"""Syntax tree -> Model: every name resolved, every argument bound, every shape inferred.

Takes the tree and the overrides of the command; returns the Model, or None, with all errors and
warnings. Statements are read in order; what depends on several of them comes after. Invariant: the
Model is None exactly if there is an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from specc.check.arguments.bind import Bound, bind, find, not_yet
from specc.check.arguments.constants import UNKNOWN, evaluate, evaluated
from specc.check.arguments.convert import converted
from specc.check.arguments.definitions import entry_of, known_defaults
from specc.check.arguments.params import unknown_overrides, value_of
from specc.check.arguments.reserved_names import (
    forbidden,
    forbidden_loss,
    forbidden_model,
    forbidden_target,
    forbidden_value,
)
from specc.check.bodies import define, resolve, scope
from specc.check.clauses import Bounded, Parts
from specc.check.link import link, warnings
from specc.check.shapes import LARGEST
from specc.library.vocabulary import Argument, Interval
from specc.model.model import Feature, Model
from specc.syntax import tree as syntax
from specc.syntax.diagnostics import Diagnostic, Invalid, error
from specc.syntax.source import Span
from specc.syntax.statements import STATEMENTS, meant


def check(
    tree: syntax.Tree, overrides: Mapping[str, str]
) -> tuple[Model | None, tuple[Diagnostic, ...]]:
    """Check a spec; `overrides` are the `-D name=value` of the command."""
    found: list[Diagnostic] = []
    params = {s.name.text: s.name.span for s in _of(tree, syntax.Param)}

    def report(finding: Diagnostic) -> None:
        word = finding.span.text
        if finding.code == "E011" and word in params and word not in parts.names:
            message = f"`{word}` is used before its definition"
            label = f"it is defined on line {params[word].line}"
            finding = error("E026", message, finding.span, label, "move the param up")
        found.append(finding)
        parts.faults += 1

    parts = Parts(tree, overrides, report)
    parts.vocabulary.lines.update(
        {s.name.text: s.span.line for s in _of(tree, syntax.Block | syntax.Definition)}
    )
    halves = [s for s in _of(tree, syntax.Broken) if s.word == "param" and s.name]
    known = {**params, **{s.name: s.span for s in halves}}
    found += unknown_overrides(overrides, known)
    for statement in tree.statements:
        _read(statement, parts)
    _missing(parts)
    model = link(parts)
    broken = bool(_of(tree, syntax.Broken))
    if model is None or broken or found:
        return None, tuple(found)
    return model, tuple(warnings(parts, model))


def _of(tree: syntax.Tree, kind: Any) -> list[Any]:
    return [s for s in tree.statements if isinstance(s, kind)]


def _read(statement: syntax.Statement, parts: Parts) -> None:
    """Read one statement."""
    match statement:
        case syntax.ModelName(name, span):
            if _once("model", span, parts):
                parts.name = name.text
                fault = forbidden_model(name)
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
            elif name.text not in parts.vocabulary.blocks:
                parts.vocabulary.unusable.add(name.text)
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
    """Keep a statement with a syntax error from causing other errors."""
    word = word if word in STATEMENTS else meant(word)
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
    """Return True, or report a statement that is given twice."""
    earlier = parts.first.setdefault(word, span)
    if earlier is span:
        return True
    head = Span(span.source, span.start, span.start + len(word))
    label = f"the first one is on line {earlier.line}"
    parts.report(error("E022", f"`{word}` is given twice", head, label))
    return False


def _claim(name: syntax.Name, what: str, parts: Parts) -> bool:
    """Return True, or report a name that is forbidden or already used."""
    owner = parts.defined.get(name.text)
    if owner is not None:
        message = f"`{name.text}` is defined twice"
        parts.report(error("E023", message, name.span, f"it is already {owner}"))
        return False
    parts.defined[name.text] = f"the {what} of line {name.span.line}"
    rules = {"input": forbidden_value, "target": forbidden_target}
    fault = rules.get(what, forbidden)(name)
    if fault is not None:
        parts.report(fault)
    return fault is None


_DIMENSION = Argument("size", int, Interval(low=1), None, True, None)


_OF_BATCH = frozenset({"batch", "batch_size", "b", "n", "none", "samples"})
"""Names under which other frameworks have the size of a batch in a shape."""


def _feature(feature: syntax.Feature, parts: Parts) -> Feature | None:
    shape = []
    for expr in feature.shape:
        try:
            value = evaluate(expr, parts.names)
            called = f"a size of `{feature.name.text}`"
            value = converted(_DIMENSION, value, expr, called)
        except Invalid as invalid:
            fault = invalid.diagnostic
            if fault.code == "E011" and fault.span.text.lower() in _OF_BATCH:
                label = "leave it out: a shape is that of one sample"
                fault = replace(fault, label=label)
            parts.report(fault)
            value = UNKNOWN
        shape.append(value)
    if feature.role == "input" and feature.dtype == "int":
        note = f"declare it as `input {feature.name.text}: real[...]`"
        parts.report(not_yet("an integer input", feature.span, note))
        return None
    if UNKNOWN in shape:
        return None
    if len(shape) > 8:
        message = f"`{feature.name.text}` has {len(shape)} axes"
        parts.report(error("E033", message, feature.span, "at most 8 are supported"))
        return None
    if math.prod(shape) > LARGEST:
        message = f"`{feature.name.text}` has {math.prod(shape):,} numbers per sample"
        label = "at most 2^31 are supported"
        parts.report(error("E033", message, feature.span, label))
        return None
    name, dtype = feature.name.text, feature.dtype
    return Feature(name, dtype, tuple(shape), feature.span)


def _definition(definition: syntax.Definition, parts: Parts) -> None:
    """Add the word that a `def` defines."""
    name = definition.name.text
    fresh = _claim(definition.name, f"def {definition.kind}", parts)
    before = parts.faults
    inner = scope(definition.parameters, parts.names, "this definition", parts.report)
    evaluated(definition.value, inner, parts.report)
    if parts.faults == before and fresh:
        try:
            defaults = known_defaults(definition.parameters, parts.names)
            if defaults is not None:
                entry = entry_of(definition, parts.names, defaults)
                fault = forbidden_loss(definition.name, entry.function)
                if entry.kind != "loss" or fault is None:
                    parts.vocabulary.definitions[name] = entry
                    return
                parts.report(fault)
        except Invalid as invalid:
            parts.report(invalid.diagnostic)
    if name not in parts.vocabulary.definitions:
        parts.vocabulary.unusable.add(name)


def _clause(kind: str, written: syntax.Entry, parts: Parts) -> None:
    """Bind the entry of a statement."""
    bounded = Bounded(Bound(None, {}), written.span)
    word = written.name.text
    if word not in parts.vocabulary.unusable:
        entry = parts.vocabulary.definitions.get(word)
        if entry is not None and entry.kind == kind:
            parts.vocabulary.used.add(word)
        else:
            definitions = parts.vocabulary.definitions
            own = {word for word, e in definitions.items() if e.kind == kind}
            entry = find(kind, written.name, parts.report, own)
        if entry is not None:
            bound = bind(entry, written, parts.names, parts.report)
            bounded = Bounded(bound, written.span)
    if kind == "metric":
        parts.metrics.append(bounded)
    else:
        key = written.name.text if kind == "setting" else kind
        parts.clauses[key] = bounded


def _missing(parts: Parts) -> None:
    """Report missing statements, and a `model` that is not first."""
    source, statements = parts.tree.source, parts.tree.statements
    end = len(source.text.rstrip())
    start = statements[0].span.start if statements else 0
    begin = Span(source, start, statements[0].span.end if statements else 0)
    if not statements:
        message = "the spec is empty"
        parts.report(error("E021", message, begin, "begin with `model name`"))
        return
    if "model" not in parts.first:
        message = "the spec has no `model`"
        parts.report(error("E021", message, begin, "begin with `model name`"))
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
            label = f"add a statement such as `{example}`"
            parts.report(error("E021", message, Span(source, end, end), label))
