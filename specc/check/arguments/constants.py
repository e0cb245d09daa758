"""Constant expressions: syntax -> a number, string, list, boolean or None.

Takes an expression and the names in scope, returns its value. Invariant: evaluation is fast for any
expression, raises only Invalid, and returns only finite numbers.

An integer stays an int; `/` and the functions return a float. UNKNOWN stands for a value whose
definition has an error, or that is known only later: whatever depends on it is UNKNOWN, without an
error.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from specc.check.arguments.unknown_words import is_missing, listed, suggestion
from specc.ir.functions import CONSTANTS, FUNCTIONS
from specc.syntax.diagnostics import Diagnostic, Invalid, error, quoted
from specc.syntax.source import Span
from specc.syntax.spelling import did_you_mean
from specc.syntax.tree import Binary, Entry, Expr, Listing, Negative, Number, Text, Word


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()

Value = Any
"""int, float, bool, str, None, a tuple of these, UNKNOWN, or (for a block) an initializer."""

LARGEST = 2**63 - 1
"""The largest integer."""


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def evaluate(expr: Expr, names: Mapping[str, Value]) -> Value:
    """Return the value of `expr`; raise Invalid if it has none."""
    match expr:
        case Number(text, span):
            return number(text, span)
        case Text(value):
            return value
        case Word(name, span):
            return _named(name, span, names)
        case Listing(items):
            values = tuple(evaluate(item, names) for item in items)
            return UNKNOWN if UNKNOWN in values else values
        case Negative(operand, span):
            value = evaluate(operand, names)
            _need_number(value, operand.span, "`-`")
            return UNKNOWN if value is UNKNOWN else -value
        case Binary(sign, left, right, span):
            a, b = evaluate(left, names), evaluate(right, names)
            if sign not in {"==", "!="}:
                _need_number(a, left.span, f"`{sign}`")
                _need_number(b, right.span, f"`{sign}`")
            if a is UNKNOWN or b is UNKNOWN:
                return UNKNOWN
            compute = _power if sign == "^" else _OPERATORS[sign]
            return _computed(compute, (a, b), span)
        case Entry():
            return _call(expr, names)


def evaluated(
    expr: Expr, names: Mapping[str, Value], report: Callable[[Diagnostic], None]
) -> Value:
    """Return the value of `expr`, or UNKNOWN after reporting why it has none."""
    try:
        return evaluate(expr, names)
    except Invalid as invalid:
        report(invalid.diagnostic)
        return UNKNOWN


def kind_of(value: Value) -> str:
    """Return the kind of a value, for a message."""
    match value:
        case None:
            return "none"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return "a string"
        case tuple():
            return "a list"
    return "an initializer"


def number(text: str, span: Span) -> int | float:
    """Read a number as it is written."""
    digits = text.replace("_", "")
    if digits.isdigit():
        if len(digits) > 400 or int(digits) > LARGEST:
            raise _out_of_reach(quoted(text), span)
        return int(digits)
    value = float(digits)
    if math.isinf(value):
        raise _out_of_reach(quoted(text), span)
    if value == 0 and digits.lower().split("e")[0].strip("0."):
        message = f"{quoted(text)} is too small: it rounds to 0"
        raise Invalid(error("E003", message, span))
    return value


def _out_of_reach(what: str, span: Span) -> Invalid:
    label = "integers go up to 2^63 - 1, other numbers to 1.8e308"
    return Invalid(error("E003", f"{what} is too large", span, label))


def _named(name: str, span: Span, names: Mapping[str, Value]) -> Value:
    if name in names:
        return names[name]
    if name in CONSTANTS:
        return CONSTANTS[name]
    if name in FUNCTIONS:
        message = f"`{name}` is a function"
        raise Invalid(error("E016", message, span, f"write `{name}({_form(name)})`"))
    label = did_you_mean(name, {*names, *CONSTANTS})
    label = label or "expected a value, or the name of a `param` above"
    raise Invalid(error("E011", f"unknown name {quoted(name)}", span, label))


def _call(call: Entry, names: Mapping[str, Value]) -> Value:
    name = call.name.text
    if name not in FUNCTIONS:
        label = suggestion("function", name, FUNCTIONS)
        note = "" if label else listed("function")
        message = f"unknown function {quoted(name)}"
        if is_missing(name, "function"):
            message = f"function {quoted(name)} is not available yet"
        raise Invalid(error("E011", message, call.name.span, label, note))
    compute, arity = FUNCTIONS[name]
    values = [evaluate(argument.value, names) for argument in call.arguments]
    for argument in call.arguments:
        if argument.name:
            message = f"`{name}` has no named arguments"
            label = f"write `{name}({_form(name)})`"
            raise Invalid(error("E012", message, argument.name.span, label))
    if len(values) != arity:
        message = f"`{name}` needs {arity} arguments, found {len(values)}"
        message = message.replace("1 arguments", "1 argument")
        code = "E013" if len(values) < arity else "E015"
        label = f"write `{name}({_form(name)})`"
        raise Invalid(error(code, message, call.span, label))
    for i, (argument, value) in enumerate(zip(call.arguments, values, strict=True)):
        if name == "where" and i == 0:
            if not isinstance(value, bool) and value is not UNKNOWN:
                message = f"the condition of `where` must be a comparison, found {kind_of(value)}"
                label = "write a comparison such as `x < 0`"
                raise Invalid(error("E016", message, argument.value.span, label))
        else:
            _need_number(value, argument.value.span, f"`{name}`")
    if UNKNOWN in values:
        return UNKNOWN
    return _computed(compute, tuple(values), call.span)


def _form(name: str) -> str:
    arity = FUNCTIONS[name][1]
    return "condition, a, b" if arity == 3 else ", ".join("ab"[:arity])


def _need_number(value: Value, span: Span, what: str) -> None:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if numeric or value is UNKNOWN:
        return
    message = f"{what} needs a number, found {kind_of(value)}"
    raise Invalid(error("E016", message, span, f"this is {kind_of(value)}"))


def _computed(
    compute: Callable[..., Any], values: tuple[Any, ...], span: Span
) -> Value:
    try:
        result = compute(*values)
    except ZeroDivisionError:
        raise Invalid(
            error("E027", "division by zero", span, "the divisor is 0")
        ) from None
    except OverflowError:
        raise _no_result("the result is too large", span) from None
    except ValueError:
        raise _no_result("it is undefined for these values", span) from None
    if isinstance(result, bool):
        return result
    if isinstance(result, int):
        if abs(result) > LARGEST:
            raise _no_result("the result is too large", span)
        return result
    if isinstance(result, complex) or not math.isfinite(result):
        raise _no_result("it is undefined for these values", span)
    return result


def _no_result(why: str, span: Span) -> Invalid:
    message = f"{quoted(span.text)} has no finite value"
    return Invalid(error("E027", message, span, why))


def _power(base: float, exponent: float) -> Any:
    """Return base^exponent; raise OverflowError before computing an integer that is too large."""
    both_whole = isinstance(base, int) and isinstance(exponent, int)
    if not both_whole or exponent < 0:
        return float(base) ** float(exponent)
    if abs(base) > 1 and exponent > 63:
        raise OverflowError
    return base**exponent
