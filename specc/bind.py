"""Binds the arguments of an entry: what a spec says against what a signature asks for.

Takes an Entry of the library and the arguments written; gives a Use, or None with every fault told.
Invariant: a Use that comes out is complete, of the right types, inside every interval, and what it
names can be made without an ArgumentError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from specc import ops, syntax
from specc.diagnostics import (
    Diagnostic,
    Invalid,
    did_you_mean,
    either,
    error,
    quoted,
)
from specc.evaluate import CONSTANTS, UNKNOWN, Value, evaluate, kind_of
from specc.library import LATER, VOCABULARY
from specc.library.entry import Argument, ArgumentError, Entry, Use, spelled
from specc.library.initializers import Fans
from specc.source import Span

Report = Callable[[Diagnostic], None]


@dataclass(frozen=True)
class Bound:
    """A Use, and where the spec gives each of its arguments."""

    use: Use | None
    """None where the arguments are at fault or not known."""
    spans: dict[str, Span]


def find(kind: str, name: syntax.Name, report: Report) -> Entry | None:
    """Look a word up among those of one kind."""
    known = VOCABULARY[kind]
    if name.text in known:
        return known[name.text]
    if name.text in LATER.get(kind, ()):
        report(not_yet(f"the {kind} `{name.text}`", name.span, _available(kind)))
        return None
    label = did_you_mean(name.text, known)
    note = "" if label else _available(kind)
    other = [k for k, words in VOCABULARY.items() if name.text in words]
    what = f"unknown {kind} {quoted(name.text)}"
    if other and not label:
        what = f"`{name.text}` is {article(other[0])}, not {article(kind)}"
    report(error("E010", what, name.span, label, note))
    return None


def not_yet(what: str, span: Span, note: str = "") -> Diagnostic:
    """Refuse a part of the language that this version cannot lower."""
    return error("E020", f"{what} is not available yet", span, "", note)


def article(noun: str) -> str:
    """Put `a` or `an` before a noun."""
    if noun == "data":
        return "a data source"
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _available(kind: str) -> str:
    return f"available: {', '.join(sorted(VOCABULARY[kind]))}"


def bind(
    entry: Entry,
    written: syntax.Entry,
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


def match_arguments(
    called: str,
    parameters: list[tuple[str, bool]],
    signature: str,
    written: syntax.Entry,
    report: Report,
) -> dict[str, syntax.Expr]:
    """Give the expression for each parameter (name, required) that has one."""
    known = [name for name, _ in parameters]
    given: dict[str, syntax.Expr] = {}
    faulty = named = False
    for i, argument in enumerate(written.arguments):
        if argument.name is None:
            fault = None
            if i >= len(known):
                most = f"at most {len(known)}" if known else "no"
                plural = "argument" if len(known) == 1 else "arguments"
                fault = f"{called} takes {most} {plural}, found {len(written.arguments)}"
            elif named:
                fault = "a positional argument after a named one"
            if fault:
                label = "positional ones come first" if named else "one too many"
                report(error("E015", fault, argument.span, label, signature))
                faulty = True
                break
            given[known[i]] = argument.value
            continue
        named = True
        name = argument.name.text
        if name not in known:
            label = did_you_mean(name, known)
            message = f"{called} has no argument {quoted(name)}"
            report(error("E012", message, argument.name.span, label, signature))
            faulty = True
        elif name in given:
            message = f"`{name}` is given twice"
            line = given[name].span.line
            label = f"the first one is on line {line}"
            report(error("E014", message, argument.name.span, label, signature))
        else:
            given[name] = argument.value
    missing = [name for name, required in parameters if required and name not in given]
    if missing and not faulty:
        what = either([f"`{name}`" for name in missing], "and")
        message = f"{called} needs {what}"
        report(error("E013", message, written.span, f"{what} missing", signature))
    return given


def _value(
    entry: Entry,
    argument: Argument,
    expr: syntax.Expr,
    names: Mapping[str, Value],
    report: Report,
) -> Value:
    value: Value
    if argument.kind is not None:
        value = _entry_value(entry, argument, expr, names, report)
    elif isinstance(expr, syntax.Word) and (word := _as_word(entry, argument, expr)):
        value = word
    else:
        if isinstance(expr, syntax.Word) and expr.name not in {*names, *CONSTANTS}:
            _refuse_word(argument, expr)
        value = converted(argument, evaluate(expr, names), expr)
    if argument.later and value is not UNKNOWN and value != argument.default:
        what = f"`{argument.name}` of {entry.name}"
        default = spelled(argument.default)
        note = f"leave it out: only `{argument.name}={default}` can be compiled"
        report(not_yet(what, expr.span, note))
    return value


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Take a union apart: `float | None` is (float, NoneType)."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def choices(argument: Argument) -> tuple[str, ...]:
    """Give the words that an argument chooses from, where it does."""
    for option in alternatives(argument.type):
        if get_origin(option) is Literal:
            return get_args(option)
    return ()


def _as_word(entry: Entry, argument: Argument, word: syntax.Word) -> str | None:
    """Take a bare name for itself where the argument is one of several words, or a name."""
    if word.name in choices(argument):
        return word.name
    is_name = entry.kind == "setting" and argument.type is str
    return word.name if is_name and word.name not in CONSTANTS else None


def _entry_value(
    entry: Entry,
    argument: Argument,
    expr: syntax.Expr,
    names: Mapping[str, Value],
    report: Report,
) -> Value:
    """Bind an argument that is itself an entry: `weight=he_normal(mode=fan_out)`."""
    kind = str(argument.kind)
    if isinstance(expr, syntax.Word):
        if expr.name == "none" and NoneType in alternatives(argument.type):
            return None
        if names.get(expr.name) is UNKNOWN:
            return UNKNOWN
        name = syntax.Name(expr.name, expr.span)
        expr = syntax.Entry(name, (), expr.span)
    if not isinstance(expr, syntax.Entry):
        message = f"`{argument.name}` of {entry.name} takes {article(kind)}"
        note = f"available: {', '.join(sorted(VOCABULARY[kind]))}"
        shown = quoted(expr.span.text)
        raise Invalid(error("E016", f"{message}, found {shown}", expr.span, "", note))
    found = find(kind, expr.name, report)
    if found is None:
        return UNKNOWN
    use = bind(found, expr, names, report).use
    return UNKNOWN if use is None else use


def _refuse_word(argument: Argument, word: syntax.Word) -> None:
    """Raise Invalid where a bare name can only be a choice misspelt, or a string unquoted."""
    words = choices(argument)
    if words:
        listed = either([f"`{choice}`" for choice in words])
        message = f"`{argument.name}` is {listed}, found {quoted(word.name)}"
        raise Invalid(
            error("E016", message, word.span, did_you_mean(word.name, words))
        )
    if str in alternatives(argument.type):
        message = f"`{argument.name}` takes a string, found the name {quoted(word.name)}"
        raise Invalid(error("E016", message, word.span, f'write `"{word.name}"`'))


def converted(argument: Argument, value: Value, expr: syntax.Expr) -> Value:
    """Make a value of an argument's type, or raise Invalid."""
    options = alternatives(argument.type)
    if value is UNKNOWN:
        return UNKNOWN
    for option in options:
        fits, made = _fitted(value, option)
        if fits:
            inside = argument.constraint
            if inside is None or made is None or inside.holds(made):
                return made
            message = f"`{argument.name}` must be {inside}, found {spelled(made)}"
            raise Invalid(error("E017", message, expr.span, f"expected {inside}"))
    expected = either([_described(option) for option in options])
    found = quoted(expr.span.text)
    if isinstance(expr, syntax.Word | syntax.Binary | syntax.Entry):
        found += f", which is {spelled(value)}" if value is not None else ""
    message = f"`{argument.name}` takes {expected}, found {found}"
    raise Invalid(error("E016", message, expr.span, f"this is {kind_of(value)}"))


def _fitted(value: Value, option: Any) -> tuple[bool, Value]:
    """Tell whether a value is of a type, and give it as one."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if option is NoneType:
        return value is None, None
    if option is int:
        whole = numeric and float(value).is_integer()
        return whole, int(value) if whole and not isinstance(value, int) else value
    if option is float:
        return numeric, float(value) if numeric else value
    if get_origin(option) is tuple and isinstance(value, tuple):
        each = [_fitted(item, get_args(option)[0]) for item in value]
        return all(fits for fits, _ in each), tuple(made for _, made in each)
    if get_origin(option) is Literal:
        return isinstance(value, str) and value in get_args(option), value
    return isinstance(option, type) and isinstance(value, option), value


def _described(option: Any) -> str:
    if get_origin(option) is Literal:
        return either([f"`{choice}`" for choice in get_args(option)])
    if get_origin(option) is tuple:
        return f"a list of {_described(get_args(option)[0]).split(' ', 1)[1]}s"
    words = {
        int: "a whole number",
        float: "a number",
        bool: "`true` or `false`",
        str: "a string",
        NoneType: "`none`",
    }
    return words[option]


def _tried(use: Use) -> ArgumentError | None:
    """Make the thing that a use names, for the mistakes that only this shows."""
    try:
        match use.entry.kind:
            case "initializer":
                use(Fans(1, 1))
            case "schedule":
                use(ops.scalar("lr"), ops.scalar("t"), ops.scalar("total"))
            case "layer" | "optimizer" | "data" | "setting":
                use()
    except ArgumentError as problem:
        return problem
    return None
