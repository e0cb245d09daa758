"""Values -> statements: the text of a Program's body, line by line, with its comments.

A Value with a slot is a statement; a Value without one is part of an expression. An operation that
overwrites the result of the line before joins that line. Nothing here knows a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from specc.emit.constants import in_python
from specc.emit.language import ATOM, PRODUCT, Language, Text
from specc.ir.program import Program
from specc.ir.value import (
    BATCH_NAME,
    Origin,
    Value,
    batched,
    of_arrays,
    rows_of,
)

WIDTH = 88
"""How long a line may be."""


@dataclass
class Statement:
    """One statement with the comments above it and the shape behind it."""

    code: str
    value: Value
    origins: list[Origin] = field(default_factory=list)
    derivations: list[str] = field(default_factory=list)
    goes_on: bool = False
    """True if it belongs to the section of the statement before, and has no comment."""

    def fits(self, method: str) -> bool:
        """True if the call of one more method leaves the statement on its line."""
        return len(self.code) + len(method) + len(self.shape) + 8 <= WIDTH

    def says_nothing_but(self, value: Value) -> bool:
        """True if its comments name only layers of `value`, and no derivation."""
        alone = all(origin in value.origins for origin in self.origins)
        return alone and not self.derivations

    @property
    def shape(self) -> str:
        """The shape of what is written, as a comment says it."""
        dims = ", ".join(str(dim) for dim in self.value.shape)
        return f"({dims},)" if len(self.value.shape) == 1 else f"({dims})"


@dataclass(frozen=True)
class View:
    """A kept view: an attribute that looks at another of the same object."""

    owner: str
    """The object, as functions call it: `p`."""
    name: str
    of: str
    """The attribute that it looks at."""
    how: str
    """The expression, `{0}.t()`."""


@dataclass
class Printed:
    """The body of one function, and what it needs to find around it."""

    statements: list[Statement]
    result: str
    """The expression of the first result that has no buffer; empty where all have one."""
    views: list[View]
    carrying_ones: set[str]
    """The slots and arguments that are read with a row of ones below them."""
    called: set[str]
    """The operations that the text calls."""
    scalars: dict[str, str]
    """Kept numbers that depend on the batch alone: name -> how they are computed."""
    fresh: set[str]
    """The slots that are not allocated ahead."""
    looks: bool
    """True if the result only looks at an array that is kept."""


class Place(Protocol):
    """Where a function finds what a Program names."""

    def __call__(self, name: str) -> str:
        """Return the text for an argument or a slot: `relu1` -> `s.relu1`."""

    def owner_of(self, name: str) -> str:
        """Return the object whose attribute a name is, "" for an argument or a local."""

    @property
    def fresh(self) -> frozenset[str]:
        """The slots that are not there before a function makes them."""

    def is_given(self, name: str) -> bool:
        """True if a slot is an array that is there before the function begins."""


def printed(program: Program, target: Language, place: Place) -> Printed:
    """Print a Program whose slots `buffers` has assigned, in the words of `target`."""
    outputs = {value for _, value in program.outputs}
    printer = target.printer(target, place, program.uses(), outputs)
    for value in in_statements(program):
        if value.shape:
            printer.state(value)
        else:
            printer.define(value)
    results = [value for _, value in program.outputs if not value.slot]
    result = printer.text(results[0])[0] if results else ""
    return Printed(
        printer.statements,
        result,
        list(printer.views.values()),
        printer.carrying_ones,
        printer.called,
        printer.scalars,
        printer.fresh,
        bool(results) and results[0].op == "reshape",
    )


def in_statements(program: Program) -> list[Value]:
    """Order the Values with slots, each right before the one that overwrites it alone."""
    uses = program.uses()
    chained = {
        value.args[0]: value
        for value in program.values
        if value.slot and value.args[0].slot == value.slot and uses[value.args[0]] == 1
    }
    ordered: list[Value] = []
    for value in program.values:
        if is_named_number(value):
            ordered.append(value)
        if value.slot and value not in chained:
            chain = [value]
            while chain[-1].args[0] in chained:
                chain.append(chain[-1].args[0])
            ordered += reversed(chain)
    return ordered


def numbered(name: str, text: str, known: dict[str, str]) -> str:
    """Register a text under a name, or the next free one; return that name."""
    free, count = name, 1
    while known.setdefault(free, text) != text:
        count += 1
        free = f"{name}{count}"
    return free


def is_named_number(value: Value) -> bool:
    """True if a single number has a name: then it is a local variable."""
    is_local = bool(value.name) and value.op not in ("input", "const")
    return is_local and not value.shape and not value.slot


class Printer:
    """What the printers of the array targets share: names, numbers and expressions."""

    def __init__(
        self,
        target: Language,
        place: Place,
        uses: Mapping[Value, int],
        results: set[Value],
    ) -> None:
        self.target = target
        self.results = results
        self.place = place
        self.uses = uses
        self.statements: list[Statement] = []
        self.views: dict[str, View] = {}
        self.carrying_ones: set[str] = set()
        self.called: set[str] = set()
        self.scalars: dict[str, str] = {}
        self.fresh: set[str] = set()

    def state(self, value: Value) -> None:
        """Print the statement that computes an array."""
        raise NotImplementedError

    def define(self, value: Value) -> None:
        """Print the assignment of a single number to its name."""
        table = self.table(value)
        self.statements.append(
            Statement(f"{value.name} = {self.formula(value, table)}", value)
        )

    def text(self, value: Value) -> tuple[str, int]:
        """Return the expression of a Value and how tightly it binds."""
        if value.slot:
            return self.place(value.slot), ATOM
        if value.op == "input":
            return self.place(value.name), ATOM
        if is_named_number(value):
            return value.name, ATOM
        if value.op == "const":
            return in_python(value.attribute("value"))
        if value.op == "count":
            return self.count(value.args[0])
        table = self.table(value)
        return self.formula(value, table), table[value.op].binds

    def table(self, value: Value) -> Mapping[str, Text]:
        """Return the lines that an operation is written by: of arrays or of numbers."""
        return self.target.tensor if of_arrays(value) else self.target.scalar

    def formula(self, value: Value, table: Mapping[str, Text]) -> str:
        """Write an operation on its operands."""
        rule = table[value.op]
        self.called.add(value.op)
        operands = self.operands(value, rule)
        words = {**self.attributes(value), "all": self.all(value)}
        return rule.plain.format(*operands, **words)

    def all(self, value: Value) -> str:
        """Return every operand of an operation that takes any number of them."""
        if value.op != "concat":
            return ""
        return ", ".join(self.text(arg)[0] for arg in value.args)

    def operands(self, value: Value, rule: Text) -> list[str]:
        """Write the operands, each in brackets where it binds too loosely."""
        pairs = zip(value.args, rule.needs, strict=False)
        return [self._within(arg, need) for arg, need in pairs]

    def _within(self, value: Value, need: int) -> str:
        text, binds = self.text(value)
        return text if binds <= need else f"({text})"

    def attributes(self, value: Value) -> dict[str, str]:
        """Spell the attributes; `keep` is an argument that is left out where it is false."""
        words = {name: str(item) for name, item in value.attrs}
        if "keep" in words:
            words["keep"] = self.target.words.keep if value.attribute("keep") else ""
        if "stop" in words:
            words["size"] = str(value.attribute("stop") - value.attribute("start"))
        if value.op == "swap":
            words["width"] = str(value.args[0].shape[-1])
        if "axis" in words and value.args[0].shape:
            words["width"] = str(value.args[0].shape[value.attribute("axis")])
        return words

    def count(self, value: Value) -> tuple[str, int]:
        """Write how many elements an array has."""
        if "count" in self.target.tensor:
            return self.target.tensor["count"].plain.format(self.text(value)[0]), ATOM
        fixed = rows_of(value.shape) if batched(value.shape) else 1
        for dim in value.shape:
            fixed *= dim if isinstance(dim, int) else 1
        batch = self.place(BATCH_NAME)
        if fixed == 1:
            return batch, ATOM
        return f"{fixed} * {batch}", PRODUCT
