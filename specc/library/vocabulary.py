"""What a word of the vocabulary is: a class or a function whose parameters ARE its arguments.

An entry is registered by a decorator that names its kind. Everything the checker needs is in the
signature: the name of an argument, its type, its constraint (in `Annotated`), its default. Nothing
about a word is written down twice.
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
"""The kinds whose required arguments are spelled without their names: `linear(25)`."""


@dataclass(frozen=True)
class Interval:
    """The numbers an argument may take."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: float) -> bool:
        """True if `value` lies inside (NaN never does)."""
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
    """Marks an argument whose value is itself an entry, of this kind (`weight=he_normal`)."""

    kind: str


MOST = 2**31 - 1
"""The largest whole number that every target counts with."""
Size = Annotated[int, Interval(low=1)]
"""How large something is; where that is too much, its shape is told."""
Count = Annotated[int, Interval(low=1, high=MOST)]
CountOrZero = Annotated[int, Interval(low=0, high=MOST)]
Positive = Annotated[float, Interval(low=0, low_open=True)]
NotNegative = Annotated[float, Interval(low=0)]
Fraction = Annotated[float, Interval(low=0, high=1)]
Share = Annotated[int | float, Interval(low=0)]
"""A part of the samples: an int is a count, a float below 1 a fraction."""


class ArgumentError(Exception):
    """An argument's value is of the right type and still makes no sense.

    `argument` names the parameter at fault, "" the entry as a whole; `item` the string at fault
    where the argument is a list of them.
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
    """A layer, loss or metric cannot take values of the shapes it is given."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Argument:
    """One argument of an entry, read off its signature."""

    name: str
    type: Any
    """`int`, `float`, `bool`, `str`, `Use`, a `Literal`, `tuple[T, ...]`, or such `| None`."""
    constraint: Interval | None
    kind: str | None
    """The kind of entry that the argument takes, where it takes one."""
    required: bool
    default: Any

    def __str__(self) -> str:
        return self.name if self.required else f"{self.name}={spelled(self.default)}"


@dataclass(frozen=True)
class Entry:
    """A word: its kind, its name in a spec, and what makes the thing that it names."""

    kind: str
    name: str
    make: Callable[..., Any]
    operands: int
    """How many leading parameters of `make` are values of the network, not arguments."""
    defined: bool = False
    """Whether the spec defines it."""
    reach: Callable[..., tuple[float, float]] | None = None
    """Of an activation: what it gives lies between these two, for its arguments; None if that
    is anything, or nobody knows."""
    operations: int = 0
    """Of what a spec defines: how many its formula has."""

    @property
    def function(self) -> str:
        """What an emitted module calls its function, where it has one."""
        ends = self.name.endswith(f"_{self.kind}")
        return f"{self.name}_{self.kind}" if self.defined and not ends else self.name

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The arguments, in the order in which positional ones are given."""
        return _arguments(self)

    @property
    def signature(self) -> str:
        """The entry as a user would write it, with every default: `linear(units, bias=zeros)`."""
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
        """Spell the use as short as it can be: arguments at their defaults are left out.

        Only validated identifiers and numbers come out, so the text may stand in a comment;
        strings (paths, column names) are left out for the same reason.
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
    """Round a number of the compiler's to what a person writes: 0.9 for 1 - 0.1."""
    return float(f"{number:.15g}")


def spelled(value: Any) -> str:
    """Write a bound value the way a spec does."""
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
    """Return the kinds that a word belongs to."""
    return [kind for kind, words in VOCABULARY.items() if word in words]


def use(kind: str, name: str) -> Use:
    """Name an entry with all its defaults, as the default of another's argument."""
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
    """Take the marks off a hint: `Annotated[float, mark] | None` is (float | None, [mark])."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        return inner, marks
    if get_origin(hint) in (Union, UnionType):
        parts = [_stripped(part) for part in get_args(hint)]
        joined = functools.reduce(operator.or_, (part for part, _ in parts))
        return joined, [m for _, ms in parts for m in ms]
    return hint, []
