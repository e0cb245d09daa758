"""The params of a spec: their values, overrides and domains.

Takes a `param` statement and its override by `-D`, returns the value. Invariant: a returned value
is in the domain, whether it comes from the spec or from `-D`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specc.check.arguments.constants import UNKNOWN, Value, evaluated, kind_of
from specc.check.arguments.match import Report
from specc.library.vocabulary import spelled
from specc.syntax.diagnostics import Diagnostic, either, error, quoted
from specc.syntax.parser import parse_expression
from specc.syntax.source import Source, Span
from specc.syntax.tree import Choices, Expr, Param, Range


def value_of(
    param: Param, override: str | None, names: Mapping[str, Value], report: Report
) -> Value:
    """Return a param's value, or UNKNOWN after reporting why it has none."""
    default = evaluated(param.value, names, report)
    allowed = _domain(param, names, report)
    value, span = default, param.value.span
    if override is not None:
        source = Source("-D", f"{param.name.text}={override}")
        parsed = parse_expression(source, len(param.name.text) + 1)
        if isinstance(parsed, Diagnostic):
            report(_one_value(param, parsed))
            return UNKNOWN
        value, span = evaluated(parsed, names, report), parsed.span
        if UNKNOWN not in (value, default) and _sort(value) != _sort(default):
            message = (
                f"`{param.name.text}` must be {_sort(default)}, found {kind_of(value)}"
            )
            note = f"the spec says {quoted(param.span.text)}"
            report(error("E016", message, span, "", note))
            return UNKNOWN
    for given, place in dict.fromkeys(((default, param.value.span), (value, span))):
        if UNKNOWN not in (given, allowed) and not _holds(allowed, given):
            assert param.domain is not None
            label = f"write {_described(allowed)}"
            message = f"`{param.name.text}` is {spelled(given)}, outside its domain"
            note = "" if place is not span or override is None else _where(param)
            report(error("E029", message, place, label, note))
            return UNKNOWN
    return value


def _one_value(param: Param, fault: Diagnostic) -> Diagnostic:
    """Return the error about the text of an override, with what can be typed instead."""
    name = param.name.text
    if fault.code != "E004":
        return fault
    message = fault.message
    if fault.span.text == ",":
        message = f"`-D {name}` sets one value, found a list"
    example = f"one value, such as `-D {name}={param.value.span.text}`"
    return replace(fault, message=message, label="", notes=(f"write {example}",))


def _sort(value: Value) -> str:
    """Return the kind of a value, with integers counted as numbers."""
    return "a number" if kind_of(value) == "an integer" else kind_of(value)


def _where(param: Param) -> str:
    source, line = param.span.source, param.span.line
    return f"its domain is on line {line} of {source.name}"


def _domain(param: Param, names: Mapping[str, Value], report: Report) -> Value:
    """Return the domain: choices as a tuple, a range as (scale, low, high), else None."""
    match param.domain:
        case None:
            return None
        case Choices(items):
            values = tuple(evaluated(item, names, report) for item in items)
            return UNKNOWN if UNKNOWN in values else ("in", *values)
        case Range(scale, low_expr, high_expr, span):
            low = _bound(low_expr, names, report)
            high = _bound(high_expr, names, report)
            if UNKNOWN in (low, high):
                return UNKNOWN
            if low >= high:
                message = f"the domain from {spelled(low)} to {spelled(high)} is empty"
                report(error("E028", message, span, "write the lower bound first"))
                return UNKNOWN
            if scale == "log" and low <= 0:
                message = "a logarithmic domain must begin above 0"
                label = "write a number above 0"
                report(error("E028", message, low_expr.span, label))
                return UNKNOWN
            return (scale, low, high)


def _bound(expr: Expr, names: Mapping[str, Value], report: Report) -> Value:
    value = evaluated(expr, names, report)
    if value is UNKNOWN or _sort(value) == "a number":
        return value
    message = f"a bound of a domain must be a number, found {kind_of(value)}"
    report(error("E028", message, expr.span))
    return UNKNOWN


def _holds(allowed: Value, value: Value) -> bool:
    match allowed:
        case None:
            return True
        case ("in", *choices):
            return any(_sort(c) == _sort(value) and c == value for c in choices)
        case (_, low, high):
            inside: bool = _sort(value) == "a number" and low <= value <= high
            return inside
    raise AssertionError(allowed)


def _described(allowed: Value) -> str:
    if allowed[0] == "in":
        return either([spelled(choice) for choice in allowed[1:]])
    return f"a number from {spelled(allowed[1])} to {spelled(allowed[2])}"


def unknown_overrides(
    overrides: Mapping[str, str], params: Mapping[str, Span]
) -> list[Diagnostic]:
    """Return the errors about overrides of what is not a param."""
    from specc.syntax.spelling import did_you_mean

    found = []
    for name in overrides:
        if name not in params:
            source = Source("-D", f"{name}={overrides[name]}")
            known = (
                f"params: {', '.join(params)}" if params else "the spec has no param"
            )
            label = did_you_mean(name, params)
            message = f"the spec has no param {quoted(name)}"
            span = Span(source, 0, len(name))
            found.append(error("E030", message, span, label, "" if label else known))
    return found
