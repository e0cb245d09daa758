"""`def` -> an entry of the vocabulary: the user's expression as a function of Values.

Takes a definition whose names and calls were checked, returns an Entry like those of the library.
The first parameters are operands (`x`; `prediction, target`; `lr, t, total`), the others arguments.
Invariant: an entry makes Values of operations of the table only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from specc.calculus.slope import slope_of
from specc.check.arguments.constants import UNKNOWN, evaluate, kind_of
from specc.check.arguments.constants import Value as Constant
from specc.check.arguments.match import misplaced
from specc.check.arguments.reserved_names import forbidden_parameter
from specc.ir import formulas
from specc.ir.program import in_order
from specc.ir.value import Value, apply, constant, is_constant
from specc.library.kinds import article
from specc.library.training.losses import REDUCTION, averaged
from specc.library.training.schedules import COMMON, warming
from specc.library.vocabulary import ArgumentError, Entry
from specc.syntax import tree
from specc.syntax.diagnostics import Invalid, error, quoted

OPERANDS = {
    "activation": ("x",),
    "loss": ("prediction", "target"),
    "schedule": ("lr", "t", "total"),
}
"""The operands of each kind, whatever the spec calls them."""

WITH_COMMON: dict[str, Callable[[Callable[..., Value]], Callable[..., Value]]] = {
    "activation": lambda make: make,
    "loss": averaged,
    "schedule": warming,
}
"""What adds the common arguments of a kind to a function."""

_COMPARISONS = {
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
}
_OPERATIONS = {"+": "add", "-": "sub", "*": "mul", "/": "div", "^": "pow"}
_RENAMED = {"min": "minimum", "max": "maximum"}


def entry_of(
    definition: tree.Definition,
    names: Mapping[str, Constant],
    defaults: Mapping[str, Constant],
) -> Entry:
    """Return the entry; `names` are those in scope, `defaults` those of its arguments.

    Raises Invalid if the parameters do not suit the kind, or the expression is not a number.
    """
    count = len(OPERANDS[definition.kind])
    operands = [p.name.text for p in definition.parameters[:count]]
    _check_parameters(definition, count)

    def make(*values: Value, **arguments: float) -> Value:
        leaves = dict(zip(operands, values, strict=True))
        try:
            return formula(definition.value, leaves, {**names, **arguments})
        except Invalid as invalid:
            raise ArgumentError("", invalid.diagnostic.message) from None

    parameters = [
        inspect.Parameter(
            p.name.text,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=defaults.get(p.name.text, inspect.Parameter.empty),
        )
        for p in definition.parameters
    ]
    name = definition.name.text
    make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    make.__annotations__ = {p.name: float for p in parameters[count:]}
    make.__doc__ = definition.value.span.text
    whole = WITH_COMMON[definition.kind](make)
    made = Entry(definition.kind, name, whole, count, defined=True)
    body = _checked(definition, made, operands, names)
    return replace(made, operations=sum(bool(v.args) for v in in_order([body])))


def _check_parameters(definition: tree.Definition, count: int) -> None:
    wanted = OPERANDS[definition.kind]
    given = definition.parameters
    form = f"def {definition.kind} {definition.name.text}({', '.join(wanted)}, …) = …"
    if len(given) < count:
        what = article(definition.kind)
        message = f"{what} needs the parameters {', '.join(wanted)}"
        label = f"write at least {count} parameter{'s' * (count > 1)}"
        span = definition.name.span
        raise Invalid(error("E013", message, span, label, form))
    common = {"schedule": {p.name for p in COMMON}, "loss": {REDUCTION.name}}
    for parameter in given:
        fault = forbidden_parameter(parameter.name)
        if fault is not None:
            raise Invalid(fault)
        if parameter.name.text in common.get(definition.kind, ()):
            message = (
                f"`{parameter.name.text}` is an argument of every {definition.kind}"
            )
            label = "choose another name"
            raise Invalid(error("E023", message, parameter.name.span, label))
    for parameter in given[:count]:
        if parameter.default is not None:
            message = f"`{parameter.name.text}` is an operand and cannot have a default"
            label = "remove the default"
            raise Invalid(error("E015", message, parameter.name.span, label, form))
    fault = misplaced(given)
    if fault is not None:
        raise Invalid(fault)


def _checked(
    definition: tree.Definition,
    entry: Entry,
    operands: list[str],
    names: Mapping[str, Constant],
) -> Value:
    """Return the formula; raise Invalid if it is not a number, or constant in its first operand."""
    free = [*operands, *(a.name for a in entry.arguments if a.required)]
    leaves = {name: formulas.scalar(name) for name in free}
    defaults = {a.name: a.default for a in entry.arguments if not a.required}
    body = formula(definition.value, leaves, {**names, **defaults})
    if definition.kind == "schedule":
        return body
    if is_constant(slope_of(body, operands[0], keep=False).slope, 0):
        message = f"the derivative of `{entry.name}` with respect to `{operands[0]}`"
        message += " is 0 everywhere"
        label = "no gradient passes through it"
        raise Invalid(error("E039", message, definition.value.span, label))
    return body


def formula(
    expr: tree.Expr, leaves: Mapping[str, Value], names: Mapping[str, Constant]
) -> Value:
    """Return an expression as Values: `leaves` are the operands, `names` numbers."""
    made = _made(expr, leaves, names)
    return _as_number(made)


def _made(
    expr: tree.Expr, leaves: Mapping[str, Value], names: Mapping[str, Constant]
) -> Value:
    if not _mentions(expr, leaves):
        value = evaluate(expr, names)
        if isinstance(value, int | float):
            return constant(value)
        message = f"a definition can only compute with numbers, found {kind_of(value)}"
        raise Invalid(error("E016", message, expr.span, f"this is {kind_of(value)}"))
    match expr:
        case tree.Word(name):
            return leaves[name]
        case tree.Negative(operand):
            return -_as_number(_made(operand, leaves, names))
        case tree.Binary(sign, left, right):
            a, b = (_as_number(_made(side, leaves, names)) for side in (left, right))
            if sign in _COMPARISONS:
                return apply(_COMPARISONS[sign], a, b)
            if sign == "^" and a.op == "const":
                return _exponential(a, b, left)
            return apply(_OPERATIONS[sign], a, b)
        case tree.Entry(name, arguments):
            return _called(name.text, arguments, leaves, names)
    message = (
        f"a definition can only compute with numbers, found {quoted(expr.span.text)}"
    )
    raise Invalid(error("E016", message, expr.span))


def _exponential(base: Value, exponent: Value, expr: tree.Expr) -> Value:
    number = base.attribute("value")
    if number <= 0:
        message = f"a power of {number:g} with a variable exponent is undefined"
        label = "write a base above 0"
        raise Invalid(error("E027", message, expr.span, label))
    return formulas.exp(exponent * apply("log", constant(number)))


def _called(
    word: str,
    arguments: tuple[tree.Argument, ...],
    leaves: Mapping[str, Value],
    names: Mapping[str, Constant],
) -> Value:
    values = [_made(argument.value, leaves, names) for argument in arguments]
    if word == "where":
        condition, a, b = values
        if condition.op == "const":
            return a if condition.attribute("value") else b
        if condition.dtype != "bool":
            span = arguments[0].value.span
            message = f"the condition of `where` must be a comparison, found {quoted(span.text)}"
            label = "write a comparison such as `x < 0`"
            raise Invalid(error("E016", message, span, label))
        return formulas.where(condition, _as_number(a), _as_number(b))
    numbers = [_as_number(value) for value in values]
    if word in _RENAMED and numbers[0].op == "const":
        numbers = numbers[::-1]
    return apply(_RENAMED.get(word, word), *numbers)


def _as_number(value: Value) -> Value:
    """Return 1 for a true condition and 0 for a false one; numbers are unchanged."""
    if value.dtype == "bool":
        return formulas.where(value, 1, 0)
    if value.op == "const" and isinstance(value.attribute("value"), bool):
        return constant(int(value.attribute("value")))
    return value


def _mentions(expr: tree.Expr, leaves: Mapping[str, Any]) -> bool:
    match expr:
        case tree.Word(name):
            return name in leaves
        case tree.Negative(operand):
            return _mentions(operand, leaves)
        case tree.Binary(_, left, right):
            return _mentions(left, leaves) or _mentions(right, leaves)
        case tree.Entry(_, arguments):
            return any(_mentions(each.value, leaves) for each in arguments)
        case tree.Listing(items):
            return any(_mentions(item, leaves) for item in items)
    return False


def known_defaults(
    parameters: tuple[tree.Parameter, ...], names: Mapping[str, Constant]
) -> dict[str, Constant] | None:
    """Return the defaults of a definition's arguments; None if one has an error."""
    found: dict[str, Constant] = {}
    for parameter in parameters:
        if parameter.default is not None:
            value = evaluate(parameter.default, names)
            if value is UNKNOWN:
                return None
            if isinstance(value, bool) or not isinstance(value, int | float):
                message = f"the default of `{parameter.name.text}` must be a number"
                label = f"this is {kind_of(value)}"
                raise Invalid(error("E016", message, parameter.default.span, label))
            found[parameter.name.text] = float(value)
    return found
