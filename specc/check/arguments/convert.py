"""Values -> the types of arguments.

Takes a value and an Argument, returns the value in the type that the signature names. Invariant:
the result has that type and is in range; anything else raises Invalid.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from specc.check.arguments.constants import UNKNOWN, Value, kind_of
from specc.ir.functions import CONSTANTS
from specc.library.vocabulary import MOST, Argument, Interval, Use, spelled
from specc.syntax import tree
from specc.syntax.diagnostics import Invalid, either, error, quoted
from specc.syntax.spelling import did_you_mean

LARGEST = (2 - 2**-23) * 2.0**127
"""The largest float32, the default precision of modules."""


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union: `float | None` is (float, NoneType)."""
    if get_origin(hint) is Annotated:
        return alternatives(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return tuple(one for part in get_args(hint) for one in alternatives(part))
    return (hint,)


def choices(argument: Argument) -> tuple[str, ...]:
    """Return the words that an argument chooses from, () if it does not."""
    for option in alternatives(argument.type):
        if get_origin(option) is Literal:
            return get_args(option)
    return ()


def described(argument: Argument) -> tuple[str, ...]:
    """Return the names of the types of an argument, except that of an entry."""
    options = [option for option in alternatives(argument.type) if option is not Use]
    return tuple(text for option in options for text in _described(option))


def refuse_word(argument: Argument, word: tree.Word) -> None:
    """Raise Invalid if a bare name is a misspelt choice, an unquoted string, or a constant in the
    spelling of Python, such as `None`, that the argument does not accept.
    """
    options = alternatives(argument.type)
    words = choices(argument)
    if words:
        words += ("false", "true") * (bool in options)
        words += ("none",) * (NoneType in options)
        listed = either([f"`{choice}`" for choice in words])
        message = f"`{argument.name}` must be {listed}, found {quoted(word.name)}"
        raise Invalid(error("E016", message, word.span, did_you_mean(word.name, words)))
    if str in options:
        message = (
            f"`{argument.name}` must be a string, found the name {quoted(word.name)}"
        )
        raise Invalid(error("E016", message, word.span, f'write `"{word.name}"`'))
    if word.name.lower() in CONSTANTS:
        converted(argument, CONSTANTS[word.name.lower()], word)


def converted(
    argument: Argument, value: Value, expr: tree.Expr, called: str = ""
) -> Value:
    """Return a value in an argument's type, or raise Invalid; messages call it `called`."""
    called = called or f"`{argument.name}`"
    options = alternatives(argument.type)
    if value is UNKNOWN:
        return UNKNOWN
    # A value keeps its type: if an argument is a count or a fraction, 1.0 is not a count.
    for option in sorted(options, key=lambda option: option is not type(value)):
        fits, made = _fitted(value, option)
        if fits:
            inside = argument.constraint
            if _beyond(made, inside):
                message = f"{called} is too large"
                label = "at most 2^31 - 1"
                raise Invalid(error("E017", message, expr.span, label))
            if isinstance(made, float) and abs(made) > LARGEST:
                message = f"{called} is {spelled(made)}, too large for float32"
                raise Invalid(error("E017", message, expr.span, "at most 3.4e38"))
            if inside is None or made is None or inside.holds(made):
                return made
            message = f"{called} must be {inside}, found {spelled(made)}"
            of = "of " if str(inside).startswith("at") else ""
            raise Invalid(
                error("E017", message, expr.span, f"write a number {of}{inside}")
            )
    expected = either([text for option in options for text in _described(option)])
    found = quoted(expr.span.text)
    if isinstance(expr, tree.Word | tree.Binary | tree.Entry):
        found += f", which is {spelled(value)}" if value is not None else ""
    message = f"{called} must be {expected}, found {found}"
    raise Invalid(error("E016", message, expr.span, f"this is {kind_of(value)}"))


def _beyond(value: Value, inside: Interval | None) -> bool:
    """True if a count, or an integer of a list, is larger than `MOST`."""
    if isinstance(value, tuple):
        return any(isinstance(item, int) and abs(item) > MOST for item in value)
    counts = inside is not None and inside.high == MOST
    return counts and isinstance(value, int) and value > MOST


def _fitted(value: Value, option: Any) -> tuple[bool, Value]:
    """Return whether a value fits a type, and the value in that type."""
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


def _described(option: Any) -> tuple[str, ...]:
    """Return the names of the values of a type, one by one or all together."""
    if get_origin(option) is Literal:
        return tuple(f"`{choice}`" for choice in get_args(option))
    if get_origin(option) is tuple:
        [item] = _described(get_args(option)[0])
        return (f"a list of {item.split(' ', 1)[1]}s",)
    words = {
        int: ("an integer",),
        float: ("a number",),
        bool: ("`true`", "`false`"),
        str: ("a string",),
        NoneType: ("`none`",),
    }
    return words[option]
