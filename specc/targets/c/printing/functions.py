"""Printed Programs -> the bodies of C functions, with the comments that stand in them.

A comment beside code is the heading of a layer or the derivation that a Value carries.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from specc.calculus.notation import mathematics
from specc.emit.language import spelled
from specc.emit.pieces import Code
from specc.emit.statements import is_named_number
from specc.ir.program import Program
from specc.ir.rewrite import nameless
from specc.ir.value import Value
from specc.passes.expand import expand
from specc.passes.simplify import simplify
from specc.targets.c.operations import SCALAR, TENSOR
from specc.targets.c.printing.formatting import WIDTH
from specc.targets.c.printing.record import Printed, Statement
from specc.targets.c.printing.statements import Printer
from specc.targets.c.printing.vectors import as_vectors
from specc.targets.python.functions import BASIC

Says = Callable[[Statement], str]
"""What stands above a statement."""
EMPTY: Mapping[Value, str] = MappingProxyType({})


@dataclass(frozen=True)
class Update:
    """The update of all parameters: a loop over vectors, and what stands before it."""

    before: tuple[Code, ...]
    lines: tuple[Code, ...]


def update(
    program: Program, printer: Printer, state: Iterable[str], size: str
) -> tuple[Update, frozenset[str]]:
    """Print the update of all `size` numbers of the parameters; return what it calls too."""
    made = printer.begin()
    lines = _updated(program, printer)
    norms = [value.args[0] for value in program.values if value.op == "norm"]
    squares = [f"squares += vsquare({_lanes(of, printer)[0]});" for of in norms]
    arrays = ["real *theta = flat(&m->parameters);"]
    arrays += [f"real *{name} = flat(&m->{name});" for name in state]
    if "gradient" in made.reads:
        arrays.append("const real *gradient = flat_const(g);")
    before = [*_numbers(program, "lr" in made.reads), *arrays]
    if norms:
        made.calls.add("square")
        loop = f"for (int at = 0; at < {size}; at += LANES)"
        of_all = ["vec squares = fill(0);", loop, *("  " + line for line in squares)]
        before = [*arrays, *of_all, *_numbers(program, "lr" in made.reads)]
    return Update(codes(before), codes(lines)), frozenset(made.calls)


def _updated(program: Program, printer: Printer) -> list[str]:
    results = {value: name for name, value in program.outputs}
    known: dict[Value, str] = {}
    lines: list[str] = []
    for value in program.values:
        name = results.get(value) or (value.name if value.op != "input" else "")
        if not name or not value.shape or value.op == "input":
            continue
        if value.derivation:
            lines.append(f"/* {value.derivation} */")
        expression, _ = _lanes(value, printer, known)
        uses = program.uses()[value] - (value in results)
        if value in results and not uses:
            lines.append(f"store({name} + at, {expression});")
            continue
        local = f"new_{name}" if value in results else name
        lines.append(f"vec {local} = {expression};")
        known[value] = local
        if value in results:
            lines.append(f"store({name} + at, {local});")
    return lines


def _lanes(
    value: Value, printer: Printer, known: Mapping[Value, str] = EMPTY
) -> tuple[str, int]:
    """Write a vector of the flat arrays; `known` are those that a variable has."""
    if value in known:
        return known[value], 0
    if is_named_number(value):
        return value.name, 0
    if not value.shape:
        return printer.factor(value)
    if value.op == "input":
        printer.made.reads.add(value.name)
        return f"load({value.name} + at)", 0
    printer.made.calls.add(value.op)
    operands = (_lanes(arg, printer, known) for arg in value.args)
    return spelled(TENSOR[value.op], as_vectors(value, operands))


def _numbers(program: Program, reads_rate: bool) -> list[str]:
    names = {"lr": "rate", "t": "t"}
    found = []
    if any(value.name == "t" for value in program.inputs):
        found.append("const double t = (double)m->updates++;")
    if reads_rate:
        found.append("const real lr = (real)rate;")
    for value in program.values:
        if is_named_number(value):
            text = number(value, names)
            found.append(f"const real {value.name} = (real)({text});")
    return found


def body(made: Printed, says: Says) -> list[Code]:
    """Return the statements of a function, each below what is said of it."""
    lines: list[Code] = []
    before = ""
    for statement in made.statements:
        said = says(statement)
        if said and said != before:
            lines += commented(said)
        before = said
        lines += codes(statement.lines)
    return lines


def by_layer(made: Printed, says: Says) -> list[Code]:
    """Return the statements of a function, those of one layer below one heading."""
    lines: list[Code] = []
    for _, group in itertools.groupby(made.statements, key=_first_layer):
        of_layer = list(group)
        values = tuple(value for each in of_layer for value in each.values)
        lines += commented(says(Statement((), values)))
        lines += codes(line for each in of_layer for line in each.lines)
    return lines


def _first_layer(statement: Statement) -> str:
    return statement.origins[0].layer


def scalars(made: Printed) -> list[Code]:
    """Declare the numbers that depend on the batch alone."""
    lines = [
        Code(f"const real {name} = {text};") for name, text in made.scalars.items()
    ]
    return lines or [Code("(void)n;")]


def reduction(made: Printed) -> list[Code]:
    """Return the statements of a function that returns a number."""
    lines = [Code(line) for statement in made.statements for line in statement.lines]
    return [*lines, Code(f"return {made.result};")]


def commented(text: str) -> list[Code]:
    """Wrap a comment."""
    lines = textwrap.wrap(text, WIDTH - 10, break_long_words=False)
    if len(lines) == 1:
        return [Code(f"/* {lines[0]} */")]
    return [
        Code(f"/* {lines[0]}"),
        *(Code(f" * {line}") for line in lines[1:-1]),
        Code(f" * {lines[-1]} */"),
    ]


def codes(lines: Iterable[str]) -> tuple[Code, ...]:
    """Let lines stand in a module."""
    return tuple(map(Code, lines))


def nothing(statement: Statement) -> str:
    """Return no heading."""
    return ""


def formula(program: Program) -> str:
    """Write a loss as a line of mathematics."""
    expanded = simplify(nameless(expand(program, BASIC)))
    return mathematics(expanded.outputs[0][1])


def rate(program: Program) -> str:
    """Write the rate as a double; t is one, and so is every other number."""
    return number(program.outputs[0][1], {})


def number(result: Value, names: Mapping[str, str]) -> str:
    """Write a number in doubles; `names` are what arguments are called, where not the same."""

    def text(value: Value) -> tuple[str, int]:
        if value.op == "const":
            constant = float(value.attribute("value"))
            return repr(constant), 0 if constant >= 0 else 2
        if value.op == "norm":
            return "sqrt((double)total(squares))", 0
        if value.op == "input":
            return names.get(value.name, value.name), 0
        rule = SCALAR[value.op]
        return spelled(rule, map(text, value.args))

    return text(result)[0]
