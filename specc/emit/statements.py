"""Values -> statements: the text of a Program's body, line by line, with its comments.

A Value with a slot is a statement; a Value without one is part of an expression. An operation that
overwrites the result of the line before joins that line. Nothing here knows a layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from specc.ir.ir import (
    BATCH,
    Origin,
    Program,
    Value,
    batched,
    is_constant,
    of_arrays,
    rows_of,
)
from specc.ir.target import ATOM, NEGATION, PRODUCT, Target, Text
from specc.passes.buffers import VIEWS

WIDTH = 88
"""How long a line may be."""
AUGMENTED = {"add": "+=", "sub": "-=", "mul": "*=", "div": "/="}
"""How an operation is written whose result takes the place of its first operand."""


@dataclass
class Statement:
    """One statement with the comments above it and the shape behind it."""

    code: str
    value: Value
    origins: list[Origin] = field(default_factory=list)
    derivations: list[str] = field(default_factory=list)
    goes_on: bool = False
    """Whether it belongs to the section of the statement before, and has no comment."""

    def fits(self, method: str) -> bool:
        """Tell whether the call of one more method leaves the statement on its line."""
        return len(self.code) + len(method) + len(self.shape) + 8 <= WIDTH

    def says_nothing_but(self, value: Value) -> bool:
        """Tell whether all that it says is of the layer of `value`, and no derivation."""
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
    """Whether the result only looks at an array that is kept."""


class Place(Protocol):
    """Where a function finds what a Program names."""

    def __call__(self, name: str) -> str:
        """Give the text for an argument or a slot: `relu1` -> `s.relu1`."""

    def owner_of(self, name: str) -> str:
        """Return the object whose attribute a name is, "" for an argument or a local."""

    @property
    def fresh(self) -> frozenset[str]:
        """The slots that are not there before a function makes them."""

    def is_given(self, name: str) -> bool:
        """Tell whether a slot is an array that is there before the function begins."""


def printed(program: Program, target: Target, place: Place) -> Printed:
    """Print a Program whose slots `buffers` has assigned, in the words of `target`."""
    outputs = {value for _, value in program.outputs}
    printer = _Printer(target, place, program.uses(), outputs)
    for value in in_statements(program):
        if not value.shape:
            printer.define(value)
        elif target.workspace:
            printer.state(value)
        else:
            printer.assign(value)
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
    """Keep a text under a name, or under the next one that is free; give it."""
    free, count = name, 1
    while known.setdefault(free, text) != text:
        count += 1
        free = f"{name}{count}"
    return free


def is_named_number(value: Value) -> bool:
    """Tell whether a single number has a name: then it is a local variable."""
    is_local = bool(value.name) and value.op not in ("input", "const")
    return is_local and not value.shape and not value.slot


class _Printer:
    def __init__(
        self,
        target: Target,
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

    def define(self, value: Value) -> None:
        """Give a single number its name."""
        table = self._table(value)
        self.statements.append(
            Statement(f"{value.name} = {self._formula(value, table)}", value)
        )

    def state(self, value: Value) -> None:
        """Print one statement, or lengthen the last one by a method."""
        rule = self.target.tensor[value.op]
        out = self.place(value.slot)
        first = value.args[0]
        words = {**self._attributes(value), "out": out, "all": self._all(value)}
        before = self.statements[-1] if self.statements else None
        over = rule.over and value.slot == (first.slot or first.name)
        free = [self.text(arg)[0] for arg in value.args]
        joined = over and before and before.value is first and self.uses[first] == 1
        if (
            before
            and joined
            and before.fits(method := rule.over.format(*free, **words))
        ):
            before.code += method
            before.value = value
            statement = self._head()
        else:
            operands = self._operands(value, rule)
            if over:
                code = out + rule.over.format(*free, **words)
            elif rule.fresh and value.slot in self.place.fresh and "." in out:
                code = f"{out} = {rule.plain.format(*operands, **words)}"
                self.fresh.add(value.slot)
            elif rule.into:
                code = rule.into.format(*free, **words)
            elif rule.over:
                code = f"{out}.copy_({free[0]})" + rule.over.format(*free, **words)
            else:
                code = f"{out}.copy_({rule.plain.format(*operands, **words)})"
            statement = Statement(code, value)
            self.statements.append(statement)
            if joined:  # what a chain derives stands above the first of its lines
                statement.goes_on = self._head(1).says_nothing_but(value)
                statement = self._head()
        self.called.add(value.op)
        statement.origins += [o for o in value.origins if o not in statement.origins]
        if value.derivation:
            statement.derivations.append(value.derivation)

    def _head(self, behind: int = 0) -> Statement:
        """Give the statement that the last one goes on with, or the last but `behind`."""
        made = self.statements[: len(self.statements) - behind]
        return next(each for each in reversed(made) if not each.goes_on)

    def assign(self, value: Value) -> None:
        """Print one assignment; an array that is there already is changed in place."""
        out = self.place(value.slot)
        sign = AUGMENTED.get(value.op)
        if not self.place.is_given(value.slot):
            result = value in self.results and "." not in out
            typed = f"{out}: {self.target.words.array}" if result else out
            code = f"{typed} = {self._formula(value, self.target.tensor)}"
        elif sign and self.text(value.args[0])[0] == out:
            self.called.add(value.op)
            code = f"{out} {sign} {self.text(value.args[1])[0]}"
        else:
            code = f"{out}[:] = {self._formula(value, self.target.tensor)}"
        statement = Statement(code, value, list(value.origins))
        if value.derivation:
            statement.derivations.append(value.derivation)
        elif self._follows(value):
            statement.goes_on = True
            heads = [made for made in self.statements if not made.goes_on]
            heads[-1].origins += statement.origins
        self.statements.append(statement)

    def _follows(self, value: Value) -> bool:
        """Tell whether a layer only goes on with the last statement: relu after linear."""
        before = self.statements[-1].value if self.statements else None
        follows = before is value.args[0] and self.uses[value.args[0]] == 1
        return follows and bool(value.origins) and value.shape == value.args[0].shape

    def text(self, value: Value) -> tuple[str, int]:
        """Give the expression of a Value and how tightly it binds."""
        if value.slot:
            return self.place(value.slot), ATOM
        if value.op == "input":
            return self.place(value.name), ATOM
        if is_named_number(value):
            return value.name, ATOM
        if value.op == "const":
            number = value.attribute("value")
            text = "math.pi" if number == math.pi else repr(number)
            return text, ATOM if number >= 0 else NEGATION
        if value.op == "count":
            if self.target.workspace:  # a kept number has it ahead, see `_share`
                return f"{self.text(value.args[0])[0]}.numel()", ATOM
            return self._count(value.args[0])
        shared = self.target.workspace and value.op == "div"
        if shared and value.args[1].op == "count":
            return self._share(*value.args), ATOM
        if value.op in VIEWS and self.target.workspace:
            return self._view(value), ATOM
        table = self._table(value)
        return self._formula(value, table), table[value.op].binds

    def _table(self, value: Value) -> Mapping[str, Text]:
        return self.target.tensor if of_arrays(value) else self.target.scalar

    def _formula(self, value: Value, table: Mapping[str, Text]) -> str:
        match value:
            case Value(op="mul", args=(array, Value(op="div", args=(one, count)))):
                if not self.target.workspace and array.shape and is_constant(one, 1):
                    share = replace(value, op="div", args=(array, count))
                    return self._formula(share, table)
        rule = table[value.op]
        self.called.add(value.op)
        operands = self._operands(value, rule)
        words = {**self._attributes(value), "all": self._all(value)}
        return rule.plain.format(*operands, **words)

    def _all(self, value: Value) -> str:
        """Give every operand of an operation that takes any number of them."""
        if value.op != "concat":
            return ""
        return ", ".join(self.text(arg)[0] for arg in value.args)

    def _operands(self, value: Value, rule: Text) -> list[str]:
        args = value.args
        if self._has_factor(value):
            args = args[::-1]
        pairs = zip(args, rule.needs, strict=False)
        return [self._within(arg, need) for arg, need in pairs]

    def _has_factor(self, value: Value) -> bool:
        """Tell whether a formula has a factor that it writes first: `lr * gradient`."""
        if self.target.workspace or value.op != "mul":
            return False
        array, factor = value.args
        plain = factor.op in ("const", "input") or is_named_number(factor)
        return bool(array.shape) and plain and not factor.shape

    def _within(self, value: Value, need: int) -> str:
        text, binds = self.text(value)
        return text if binds <= need else f"({text})"

    def _attributes(self, value: Value) -> dict[str, str]:
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

    def _count(self, value: Value) -> tuple[str, int]:
        if "count" in self.target.tensor:
            return self.target.tensor["count"].plain.format(self.text(value)[0]), ATOM
        fixed = rows_of(value.shape) if batched(value.shape) else 1
        for dim in value.shape:
            fixed *= dim if isinstance(dim, int) else 1
        batch = self.place(BATCH)
        if fixed == 1:
            return batch, ATOM
        return f"{fixed} * {batch}", PRODUCT

    def _share(self, part: Value, count: Value) -> str:
        """Name part / n, a kept number: of a number in Python torch makes a tensor each time."""
        number = part.attribute("value")
        word = {1: "one", 2: "two"}.get(number, "part")
        divisor, binds = self._count(count.args[0])
        whole = divisor if binds == ATOM else f"({divisor})"
        name = numbered(f"{word}_over_n", f"{number!r} / {whole}", self.scalars)
        return self.place(name)

    def _view(self, value: Value) -> str:
        """Name a view: of a kept array it is kept too, of an argument it is taken in place."""
        operand = value.args[0]
        if value.op == "with_ones":
            name = operand.slot or operand.name
            self.carrying_ones.add(name)
            return self.place(f"{name}_ones")
        seen = self._view(operand) if operand.op in VIEWS else self.text(operand)[0]
        pattern = self.target.tensor[value.op].plain
        if "." not in seen or (operand.slot or operand.name) in self.place.fresh:
            return str(pattern.format(seen))
        if value.op == "weight_of":
            name = f"{seen.removesuffix('_matrix')}_weight"
        else:
            name = seen + {"transpose": "_t", "flat": "_flat"}.get(value.op, "_body")
        root = operand
        while root.op in VIEWS:
            root = root.args[0]
        owner = self.place.owner_of(root.slot or root.name)
        own, of = (text.removeprefix(f"{owner}.") for text in (name, seen))
        self.views[name] = View(owner, own, of, pattern)
        return name
