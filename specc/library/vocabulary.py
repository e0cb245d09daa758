"""The words of the vocabulary: each is a class or a function whose parameters are its arguments.

A decorator registers an entry under its kind. Invariant: everything about a word is in the
signature: the name of an argument, its type, its range (in `Annotated`), its default; nothing is
written twice.
"""

from __future__ import annotations

import functools
import inspect
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from specc.library.kinds import KINDS

POSITIONAL = ("layer", "activation", "initializer")
"""The kinds whose required arguments are written without names: `linear(25)`."""


@dataclass(frozen=True)
class Interval:
    """The range of an argument."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: float) -> bool:
        """True if `value` is in the range (NaN never is)."""
        above = self.low is None or (
            value > self.low if self.low_open else value >= self.low
        )
        below = self.high is None or (
            value < self.high if self.high_open else value <= self.high
        )
        return above and below and value == value

    def __str__(self) -> str:
        parts = []
        if self.low is not None:
            parts.append(f"{'above' if self.low_open else 'at least'} {self.low:g}")
        if self.high is not None and self.high != MOST:
            parts.append(f"{'below' if self.high_open else 'at most'} {self.high:g}")
        return " and ".join(parts)


@dataclass(frozen=True)
class Of:
    """Marks an argument whose value is an entry of this kind (`weight=he_normal`)."""

    kind: str


MOST = 2**31 - 1
"""The largest integer that every target supports."""
Size = Annotated[int, Interval(low=1)]
"""A size; an error about its shape is reported if it is too large."""
Count = Annotated[int, Interval(low=1, high=MOST)]
CountOrZero = Annotated[int, Interval(low=0, high=MOST)]
Positive = Annotated[float, Interval(low=0, low_open=True)]
NotNegative = Annotated[float, Interval(low=0)]
Fraction = Annotated[float, Interval(low=0, high=1)]
Share = Annotated[int | float, Interval(low=0)]
"""A part of the samples: an int is a count, a float below 1 a fraction."""


class ArgumentError(Exception):
    """The value of an argument has the right type, but contradicts the others.

    `argument` names the parameter with the error, "" the entry as a whole; `item` the string with
    the error if the argument is a list of them.
    """

    def __init__(
        self, argument: str, message: str, hint: str = "", item: str = ""
    ) -> None:
        super().__init__(message)
        self.argument = argument
        self.message = message
        self.hint = hint
        self.item = item


class ShapeError(Exception):
    """A layer, loss or metric does not accept values of these shapes."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Argument:
    """One argument of an entry, read from its signature."""

    name: str
    type: Any
    """`int`, `float`, `bool`, `str`, `Use`, a `Literal`, `tuple[T, ...]`, or such `| None`."""
    constraint: Interval | None
    kind: str | None
    """The kind of entry that is its value, None if it is not an entry."""
    required: bool
    default: Any

    def __str__(self) -> str:
        return self.name if self.required else f"{self.name}={spelled(self.default)}"


@dataclass(frozen=True)
class Entry:
    """A word: its kind, its name in a spec, and the class or function behind it."""

    kind: str
    name: str
    make: Callable[..., Any]
    operands: int
    """The number of leading parameters of `make` that are values of the network, not arguments."""
    defined: bool = False
    """Whether the spec defines it."""
    reach: Callable[..., tuple[float, float]] | None = None
    """For an activation: the range of its output for given arguments; None if unbounded or unknown.
    """
    operations: int = 0
    """For a definition of the spec: the number of operations of its formula."""

    @property
    def function(self) -> str:
        """The name of its function in an emitted module, if it has one."""
        ends = self.name.endswith(f"_{self.kind}")
        return f"{self.name}_{self.kind}" if self.defined and not ends else self.name

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The arguments, in the order of positional ones."""
        return _arguments(self)

    @property
    def signature(self) -> str:
        """The entry as a spec writes it, with every default: `linear(units, bias=zeros)`."""
        inside = ", ".join(str(argument) for argument in self.arguments)
        return f"{self.name}({inside})" if inside else self.name


@dataclass(frozen=True)
class Use:
    """An entry with its arguments bound, in signature order and complete."""

    entry: Entry
    arguments: tuple[tuple[str, Any], ...]

    def __call__(self, *operands: Any) -> Any:
        """Apply a function entry to its operands, or make a class entry's object."""
        return self.entry.make(*operands, **dict(self.arguments))

    def __getitem__(self, name: str) -> Any:
        return dict(self.arguments)[name]

    def __str__(self) -> str:
        """Return the use as short as possible, without arguments at their defaults.

        It consists of validated identifiers and numbers, so it is safe in a comment; strings
        (paths, column names) are left out for the same reason.
        """
        required = [a.name for a in self.entry.arguments if a.required]
        defaults = {a.name: a.default for a in self.entry.arguments if not a.required}
        parts = []
        for name, value in self.arguments:
            if isinstance(value, str | tuple) and not _is_plain(value):
                continue
            if name in required and self.entry.kind in POSITIONAL:
                parts.append(spelled(value))
            elif name in required or value != defaults[name]:
                parts.append(f"{name}={spelled(value)}")
        return f"{self.entry.name}({', '.join(parts)})" if parts else self.entry.name


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(item, int | float) for item in value)
    return (
        isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]*", value) is not None
    )


def written(number: float) -> float:
    """Return a number of the compiler rounded as a person writes it: 0.9 for 1 - 0.1."""
    return float(f"{number:.15g}")


def spelled(value: Any) -> str:
    """Return a bound value as a spec writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(spelled(item) for item in value) + "]"
    return str(value)


Made = TypeVar("Made", bound=Callable[..., Any])

VOCABULARY: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}


def entry(
    kind: str,
    operands: int = 0,
    reach: Callable[..., tuple[float, float]] | None = None,
) -> Callable[[Made], Made]:
    """Register a class (`HeNormal` is the word `he_normal`) or a function (its own name)."""

    def register(make: Made) -> Made:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", make.__name__).lower().rstrip("_")
        VOCABULARY[kind][name] = Entry(kind, name, make, operands, reach=reach)
        return make

    return register


def kinds_of(word: str) -> list[str]:
    """Return the kinds that have a word."""
    return [kind for kind, words in VOCABULARY.items() if word in words]


def use(kind: str, name: str) -> Use:
    """Return an entry with all its defaults, as the default of another's argument."""
    found = VOCABULARY[kind][name]
    return Use(found, tuple((a.name, a.default) for a in found.arguments))


@functools.cache
def _arguments(entry: Entry) -> tuple[Argument, ...]:
    make = entry.make
    annotated = make.__init__ if inspect.isclass(make) else make
    hints = get_type_hints(annotated, include_extras=True)
    parameters = list(inspect.signature(make).parameters.values())[entry.operands :]
    arguments = []
    for parameter in parameters:
        hint, marks = _stripped(hints[parameter.name])
        required = parameter.default is inspect.Parameter.empty
        arguments.append(
            Argument(
                name=parameter.name,
                type=hint,
                constraint=next((m for m in marks if isinstance(m, Interval)), None),
                kind=next((m.kind for m in marks if isinstance(m, Of)), None),
                required=required,
                default=None if required else parameter.default,
            )
        )
    return tuple(arguments)


def _stripped(hint: Any) -> tuple[Any, list[Any]]:
    """Return a hint and its marks: `Annotated[float, mark] | None` is (float | None, [mark])."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        return inner, marks
    if get_origin(hint) in (Union, UnionType):
        parts = [_stripped(part) for part in get_args(hint)]
        joined = functools.reduce(operator.or_, (part for part, _ in parts))
        return joined, [m for _, ms in parts for m in ms]
    return hint, []
