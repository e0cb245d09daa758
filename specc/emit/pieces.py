"""Pieces of a module as a template sees them: text that is known to be safe, and functions.

Text of the user's gets in only as a validated identifier, a number, or through `ascii()`.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from specc.emit.statements import Printed, Statement, printed
from specc.ir.ir import Origin, Program, Shape, batched
from specc.ir.target import Target

LINE = 88
"""How long a line may be."""
WIDTH = 82
"""How long a comment in a function's body may be."""


@dataclass(frozen=True)
class Code:
    """Text that may stand in a module as it is: the only text that a template prints."""

    text: str


@dataclass(frozen=True)
class Function:
    """One function of the module, ready to print."""

    name: Code
    takes: tuple[tuple[str, str], ...]
    """Its parameters: name, type."""
    returns: Code
    """The type of what it returns."""
    doc: Code
    lines: tuple[Code, ...]
    result: Code
    """The expression of the Program's first result without an array of its own; may be empty."""
    program: Program
    printed: Printed

    @property
    def arguments(self) -> Code:
        """The parameters as a signature writes them."""
        return Code(", ".join(f"{name}: {kind}" for name, kind in self.takes))

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(name for name, _ in self.takes)

    def returning(self, kind: str, *lines: str) -> Function:
        """Return the same function with these last lines, which return a `kind`."""
        body = (*self.lines, *(Code(line) for line in lines))
        return replace(self, returns=Code(kind), lines=body)


@dataclass(frozen=True)
class Places:
    """Where a function of the module finds what a Program names."""

    arguments: dict[str, str]
    """Names of a Program's arguments and results -> what the function calls them."""
    parameters: frozenset[str] = frozenset()
    buffers: frozenset[str] = frozenset()
    owner: str = "s"
    """The object whose attributes other slots are."""
    kept: frozenset[str] | None = None
    """Which slots are, the rest being local; None for all."""
    fresh: frozenset[str] = frozenset()
    """Which slots are not there before a function makes them."""

    @functools.cached_property
    def gradients(self) -> dict[str, str]:
        """The derivatives by parameters -> the attributes of `g` that have them."""
        return gradients_of(self.parameters)

    def owner_of(self, name: str) -> str:
        """Return the object whose attribute a name is, "" for an argument or a local."""
        if name in self.arguments:
            return ""
        if name in self.parameters:
            return "p"
        if name in self.buffers:
            return "buffers"
        if name in self.gradients:
            return "g"
        local = self.kept is not None and name not in self.kept
        return "" if local else self.owner

    def __call__(self, name: str) -> str:
        """Return the text for an argument or a slot."""
        if name in self.arguments:
            return self.arguments[name]
        owner = self.owner_of(name)
        if owner == "g":
            name = self.gradients[name]
        return f"{owner}.{name}" if owner else name

    def is_given(self, name: str) -> bool:
        """True if a slot is an array that is there before the function begins."""
        return name in self.arguments or self.owner_of(name) in ("p", "buffers", "g")


def gradients_of(parameters: Iterable[str]) -> dict[str, str]:
    """Return the names of the derivatives by these parameters -> those of the parameters."""
    return {f"d_{name}": name for name in parameters}


def function(
    program: Program,
    target: Target,
    place: Places,
    signature: dict[str, str],
    doc: str,
    heading: Callable[[Statement], str],
) -> Function:
    """Print a Program as a function with these parameters (name -> type)."""
    body = printed(program, target, place)
    lines: list[Code] = []
    before = ""
    for statement in body.statements:
        said = heading(statement) if not statement.goes_on else before
        if said != before:
            lines += comment(said)
        before = said
        shape = ""
        if batched(statement.value.shape):
            shape = f"  # {dims(statement.value.shape)}"
        alone = 4 + len(statement.code) <= LINE < 4 + len(statement.code + shape)
        if alone and not target.workspace:
            shape = ""  # rather than break a line that fits
        lines.append(Code(statement.code + shape))
    return Function(
        name=Code(program.name),
        takes=tuple(signature.items()),
        returns=Code("None"),
        doc=Code(docstring(doc)),
        lines=tuple(lines),
        result=Code(body.result),
        program=program,
        printed=body,
    )


def comment(text: str) -> list[Code]:
    """Wrap a comment."""
    if 0 < len(text) <= WIDTH and text.isprintable():
        return [Code(f"# {text}")]
    wrapped = textwrap.wrap(text, WIDTH, break_long_words=False, subsequent_indent="  ")
    return [Code(f"# {line}") for line in wrapped]


def docstring(text: str) -> str:
    """Wrap the text of a function's docstring."""
    if len(text) <= WIDTH - 4:
        return text
    lines = textwrap.wrap(text, WIDTH - 4, subsequent_indent="    ")
    return "\n".join([*lines, "    "])


def dims(shape: Shape) -> str:
    """Write a shape as a tuple."""
    inside = ", ".join(str(dim) for dim in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def indented(lines: list[str], by: int) -> Code:
    """Join statements for a template that has no loop for them."""
    return Code("\n".join(" " * by + line for line in lines))


def whole(program: Program, target: Target, doc: str) -> Function:
    """Print a Program that is one expression in its arguments."""
    place = Places({value.name: value.name for value in program.inputs})
    signature = {value.name: target.words.array for value in program.inputs}
    return function(program, target, place, signature, doc, derivation_of)


class Derivation(Protocol):
    """A printed statement of any target, with what is said of it."""

    @property
    def origins(self) -> Sequence[Origin]:
        """The layers that it belongs to."""

    @property
    def derivations(self) -> Sequence[str]:
        """The mathematics that it implements."""


def derivation_of(statement: Derivation) -> str:
    """Return what a statement derives."""
    return ";  ".join(statement.derivations)
