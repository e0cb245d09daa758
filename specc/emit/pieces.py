"""Pieces of a module as a template sees them: text that is known to be safe, and functions.

Text of the user's gets in only as a validated identifier, a number, or through `ascii()`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from specc.emit.statements import Printed, Statement, printed
from specc.ir.ir import Program, Shape, batched
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
    arguments: Code
    doc: Code
    lines: tuple[Code, ...]
    result: Code
    printed: Printed

    @property
    def long(self) -> bool:
        """Whether `return float(result)` does not fit on a line."""
        return len(self.result.text) > LINE - len("    return float()")


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

    def owner_of(self, name: str) -> str:
        """Return the object whose attribute a name is, "" for an argument or a local."""
        if name in self.arguments:
            return ""
        if name in self.parameters:
            return "p"
        if name in self.buffers:
            return "buffers"
        if name.removeprefix("d_") in self.parameters:
            return "g"
        local = self.kept is not None and name not in self.kept
        return "" if local else self.owner

    def __call__(self, name: str) -> str:
        """Return the text for an argument or a slot."""
        if name in self.arguments:
            return self.arguments[name]
        owner = self.owner_of(name)
        if owner == "g":
            name = name.removeprefix("d_")
        return f"{owner}.{name}" if owner else name

    def is_given(self, name: str) -> bool:
        """Tell whether a slot is an array that is there before the function begins."""
        gradient = name.removeprefix("d_") in self.parameters
        return name in self.arguments or name in self.buffers or gradient


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
        arguments=Code(
            ", ".join(f"{name}: {kind}" for name, kind in signature.items())
        ),
        doc=Code(docstring(doc)),
        lines=tuple(lines),
        result=Code(body.result),
        printed=body,
    )


def names_of(made: Function) -> list[str]:
    """Name what a function takes, in order."""
    return [part.partition(":")[0] for part in made.arguments.text.split(", ")]


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


def derivation_of(statement: Any) -> str:
    """Say what a statement derives."""
    return ";  ".join(statement.derivations)
