"""Binds the arguments that a spec writes to the signature of a word.

Takes an Entry of the library and the written arguments; returns a Use, or None after reporting
every error. Invariant: a Use is complete, has the right types and ranges, and can be made without
an ArgumentError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType

from specc.check.arguments.constants import UNKNOWN, Value, evaluate
from specc.check.arguments.convert import alternatives, choices, converted, refuse_word
from specc.check.arguments.match import Report, match_arguments
from specc.check.arguments.unknown_words import listed, unknown_word
from specc.ir import formulas
from specc.ir.functions import CONSTANTS
from specc.library import VOCABULARY
from specc.library.kinds import article
from specc.library.network.initializers import Fans
from specc.library.vocabulary import Argument, ArgumentError, Entry, Use
from specc.syntax import tree
from specc.syntax.diagnostics import Diagnostic, Invalid, error, quoted
from specc.syntax.source import Span


@dataclass(frozen=True)
class Bound:
    """A Use, with the place of each of its arguments (and of `features[a]`, its item)."""

    use: Use | None
    """None if the arguments have errors or are not known yet."""
    spans: dict[str, Span]


def find(
    kind: str, name: tree.Name, report: Report, own: Iterable[str] = ()
) -> Entry | None:
    """Return the word of a kind; None, after reporting an error, if it is unknown.

    `own` are the words of that kind that the spec defines, which the error may suggest.
    """
    known = VOCABULARY[kind]
    if name.text in known:
        return known[name.text]
    report(unknown_word(kind, name, {*known, *own}))
    return None


def not_yet(what: str, span: Span, note: str = "") -> Diagnostic:
    """Return the error about a feature that is not available yet."""
    return error("E020", f"{what} is not available yet", span, "", note)


def bind(
    entry: Entry,
    written: tree.Entry,
    names: Mapping[str, Value],
    report: Report,
) -> Bound:
    """Bind the arguments of `written` to those of `entry`."""
    faults: list[Diagnostic] = []
    values: dict[str, Value] = {}
    spans: dict[str, Span] = {}
    given = match_arguments(
        entry.name,
        [(a.name, a.required) for a in entry.arguments],
        entry.signature,
        written,
        faults.append,
    )
    for argument in entry.arguments:
        value: Value = argument.default
        if argument.name in given:
            expr = given[argument.name]
            spans[argument.name] = expr.span
            if isinstance(expr, tree.Listing):
                texts = [item for item in expr.items if isinstance(item, tree.Text)]
                spans |= {f"{argument.name}[{t.value}]": t.span for t in texts}
            try:
                value = _value(entry, argument, expr, names, faults.append)
            except Invalid as invalid:
                faults.append(invalid.diagnostic)
        values[argument.name] = value
    for fault in faults:
        report(fault)
    if faults or UNKNOWN in values.values():
        return Bound(None, spans)
    use = Use(entry, tuple(values.items()))
    problem = _tried(use)
    if problem is None:
        return Bound(use, spans)
    place = spans.get(problem.argument, written.span)
    report(error("E018", problem.message, place, problem.hint, entry.signature))
    return Bound(None, spans)


def _value(
    entry: Entry,
    argument: Argument,
    expr: tree.Expr,
    names: Mapping[str, Value],
    report: Report,
) -> Value:
    value: Value
    if argument.kind is not None:
        value = _entry_value(entry, argument, expr, names, report)
    elif isinstance(expr, tree.Word) and (word := _as_word(entry, argument, expr)):
        value = word
    else:
        if isinstance(expr, tree.Word) and expr.name not in {*names, *CONSTANTS}:
            refuse_word(argument, expr)
        value = converted(argument, evaluate(expr, names), expr)
    return value


def _as_word(entry: Entry, argument: Argument, word: tree.Word) -> str | None:
    """Return a bare name as text if the argument is one of several words, or a name."""
    if word.name in choices(argument):
        return word.name
    is_name = entry.kind in ("setting", "schedule") and argument.type is str
    return word.name if is_name and word.name not in CONSTANTS else None


def _entry_value(
    entry: Entry,
    argument: Argument,
    expr: tree.Expr,
    names: Mapping[str, Value],
    report: Report,
) -> Value:
    """Bind an argument that is itself an entry: `weight=he_normal(mode=fan_out)`."""
    kind = str(argument.kind)
    if isinstance(expr, tree.Word):
        if expr.name == "none" and NoneType in alternatives(argument.type):
            return None
        if expr.name in CONSTANTS or expr.name in names:
            passed = names.get(expr.name, expr)
            if passed is UNKNOWN or _is(passed, kind):
                return passed
            if passed is None and NoneType in alternatives(argument.type):
                return None
            raise _no_entry(entry, argument, expr)
        if expr.name.lower() in CONSTANTS:  # spelled as in Python, such as `None`
            if expr.name.lower() == "none" and NoneType in alternatives(argument.type):
                message = f"unknown name {quoted(expr.name)}"
                raise Invalid(error("E011", message, expr.span, "did you mean `none`?"))
            raise _no_entry(entry, argument, expr)
        name = tree.Name(expr.name, expr.span)
        expr = tree.Entry(name, (), expr.span)
    if not isinstance(expr, tree.Entry):
        raise _no_entry(entry, argument, expr)
    found = find(kind, expr.name, report)
    if found is None:
        return UNKNOWN
    use = bind(found, expr, names, report).use
    return UNKNOWN if use is None else use


def _is(value: Value, kind: str) -> bool:
    return isinstance(value, Use) and value.entry.kind == kind


def _no_entry(entry: Entry, argument: Argument, expr: tree.Expr) -> Invalid:
    kind = str(argument.kind)
    message = (
        f"`{argument.name}` of {entry.name} must be {article(kind)},"
        f" found {quoted(expr.span.text)}"
    )
    label = ""
    if entry.name == "linear" and isinstance(expr, tree.Number):
        label = f"write `linear({expr.text})`: the number of inputs is known"
    return Invalid(error("E016", message, expr.span, label, listed(kind)))


def _tried(use: Use) -> ArgumentError | None:
    """Make what a use names, and return the error that only this shows, None if there is none."""
    try:
        if use.entry.defined:
            use(*(formulas.scalar(f"operand{i}") for i in range(use.entry.operands)))
        match use.entry.kind:
            case "initializer":
                use(Fans(1, 1))
            case "schedule" if not use.entry.defined:
                use(
                    formulas.scalar("lr"),
                    formulas.scalar("t"),
                    formulas.scalar("total"),
                )
            case "layer" | "optimizer" | "data" | "setting":
                use()
    except ArgumentError as problem:
        return problem
    return None
