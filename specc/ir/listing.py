"""Stages of a compilation as text, for `--emit`: a syntax tree, or a Program.

Takes any tree, and any Program, verified or not; gives text that a person reads, and no tool. Of
a tree each node is a line with its place in the spec, of a Program each Value with its shape.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from specc.ir.program import Program
from specc.ir.value import Shape, Value
from specc.syntax.source import Source, Span

SHORT = 88
"""A node that fits on a line of this length is written on one."""


def outline(node: object) -> str:
    """Print a syntax tree: `Kind(field=...)`, indented, with `@line:column` behind a statement."""
    return "\n".join(_outlined(node, "")) + "\n"


def _outlined(node: object, before: str) -> list[str]:
    whole = before + _inline(node)
    if len(whole) + len(_place(node)) <= SHORT or not _parts(node):
        return [whole + _place(node)]
    lines = [f"{before}{_kind(node)}{_place(node)}"]
    for name, part in _parts(node):
        indent = before[: len(before) - len(before.lstrip())] + "  "
        items = part if isinstance(part, tuple) and part else (part,)
        for item in items:
            lines += _outlined(item, f"{indent}{name}: " if name else indent)
    return lines


def _parts(node: object) -> list[tuple[str, object]]:
    if isinstance(node, tuple):
        return [("", item) for item in node]
    if not is_dataclass(node):
        return []
    found = [(f.name, getattr(node, f.name)) for f in fields(node)]
    told = [(n, p) for n, p in found if not isinstance(p, Span | Source)]
    return [(name, part) for name, part in told if part is not None and part != ()]


def _inline(node: object) -> str:
    if isinstance(node, tuple):
        return f"[{', '.join(_inline(item) for item in node)}]"
    parts = _parts(node)
    if not parts:
        return repr(node)
    if len(parts) == 1 or (len(parts) == 2 and not any(_parts(p) for _, p in parts)):
        return f"{_kind(node)}({', '.join(_inline(part) for _, part in parts)})"
    return f"{_kind(node)}({', '.join(f'{n}={_inline(p)}' for n, p in parts)})"


def _kind(node: object) -> str:
    return type(node).__name__


def _place(node: object) -> str:
    span = getattr(node, "span", None)
    if not isinstance(span, Span):
        return ""
    line, column = span.source.position(span.start)
    return f"  @{line}:{column}"


def show(program: Program) -> str:
    """Print a Program as code, with shapes and the lines of the spec."""
    numbers: dict[Value, str] = {}
    text = [f"program {program.name}:"]
    for value in program.inputs:
        numbers[value] = value.name
        text.append(f"    {value.name}: {value.dtype}[{_dims(value.shape)}]")
    for value in program.values:
        if value in numbers:
            continue
        if value.op == "const":
            numbers[value] = f"{value.attribute('value'):g}"
            continue
        numbers[value] = value.name or f"%{len(numbers)}"
        args = [numbers[arg] for arg in value.args]
        args += [f"{name}={item}" for name, item in value.attrs]
        line = f"    {numbers[value]} = {value.op}({', '.join(args)})"
        notes = [f"[{_dims(value.shape)}]"]
        if value.slot:
            notes.append(f"in {value.slot}")
        if value.origins:
            notes.append(f"line {value.origins[0].line}")
        if value.derivation:
            notes.append(value.derivation)
        text.append(f"{line:<56}  # {', '.join(notes)}")
    results = ", ".join(f"{name}={numbers[value]}" for name, value in program.outputs)
    text.append(f"    return {results}")
    return "\n".join(text) + "\n"


def _dims(shape: Shape) -> str:
    return ", ".join(str(dim) for dim in shape)
