"""Printed Programs -> the bodies of C functions, with the comments that stand in them.

A comment beside code is the heading of a layer or the derivation that a Value carries.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping

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
from specc.targets.c.printing.expressions import Printed, Statement, as_vectors
from specc.targets.c.printing.formatting import WIDTH
from specc.targets.c.printing.statements import Printer
from specc.targets.python.functions import BASIC

Says = Callable[[Statement], str]
"""What stands above a statement."""


def updated(program: Program, printer: Printer) -> tuple[list[str], set[str]]:
    """Print the update of all parameters as the body of one loop over vectors."""
    made = Printed()
    results = {value: name for name, value in program.outputs}
    known: dict[Value, str] = {}
    lines: list[str] = []

    def text(value: Value) -> tuple[str, int]:
        if value in known:
            return known[value], 0
        if is_named_number(value):
            return value.name, 0
        if not value.shape:
            return printer.factor(value, made)
        if value.op == "input":
            return f"load({value.name} + at)", 0
        rule = TENSOR[value.op]
        made.called.add(value.op)
        return spelled(rule, as_vectors(value, map(text, value.args)))

    for value in program.values:
        name = results.get(value) or (value.name if value.op != "input" else "")
        if not name or not value.shape or value.op == "input":
            continue
        if value.derivation:
            lines.append(f"/* {value.derivation} */")
        expression, _ = text(value)
        uses = program.uses()[value] - (value in results)
        if value in results and not uses:
            lines.append(f"store({name} + at, {expression});")
            continue
        local = f"new_{name}" if value in results else name
        lines.append(f"vec {local} = {expression};")
        known[value] = local
        if value in results:
            lines.append(f"store({name} + at, {local});")
    return lines, made.called


def norm_sum(program: Program, printer: Printer) -> tuple[list[str], set[str]]:
    """Sum the squares of the vector whose norm an update reads: a loop of its own."""
    made = Printed()

    def text(value: Value) -> tuple[str, int]:
        if not value.shape:
            return printer.factor(value, made)
        if value.op == "input":
            return f"load({value.name} + at)", 0
        made.called.add(value.op)
        operands = as_vectors(value, map(text, value.args))
        return spelled(TENSOR[value.op], operands)

    of = [value.args[0] for value in program.values if value.op == "norm"]
    if not of:
        return [], set()
    made.called.add("square")
    (vector,) = of
    return [f"squares += square({text(vector)[0]});"], made.called


def update_numbers(program: Program, lines: list[str]) -> list[str]:
    """Declare the numbers that the loop of an update reads, computed in double."""
    values = program.values
    made = [value for value in values if is_named_number(value)]
    names = {"lr": "rate", "t": "t"}
    found = []
    if any(value.name == "t" for value in program.inputs):
        found.append("const double t = (double)m->updates++;")
    if re.search(r"\blr\b", "\n".join(lines)):
        found.append("const real lr = (real)rate;")
    for value in made:
        found.append(f"const real {value.name} = (real)({number(value, names)});")
    return found


def update_arrays(lines: list[str], state: Iterable[str]) -> list[str]:
    """Declare the arrays that the loop of an update reads and writes."""
    body = "\n".join(lines)
    found = ["real *theta = flat(&m->parameters);"]
    found += [f"real *{name} = flat(&m->{name});" for name in state]
    if re.search(r"\bgradient\b", body):
        found.append("const real *gradient = flat_const(g);")
    return found


def body(made: Printed | None, says: Says) -> list[Code]:
    """Give the statements of a function, each below what is said of it."""
    lines: list[Code] = []
    if made is None:
        return lines
    before = ""
    for statement in made.statements:
        said = says(statement)
        if said and said != before:
            lines += commented(said)
        before = said
        lines += [Code(line) for line in statement.lines]
    return lines


def scalars(made: Printed) -> list[Code]:
    """Declare the numbers that depend on the batch alone."""
    lines = [
        Code(f"const real {name} = {text};") for name, text in made.scalars.items()
    ]
    return lines or [Code("(void)total;")]


def reduction(made: Printed) -> list[Code]:
    """Give the statements of a function that returns a number."""
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


def nothing(statement: Statement) -> str:
    """Say nothing."""
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
