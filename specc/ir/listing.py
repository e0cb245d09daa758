"""A Program as text, for `--emit ir`, `grad` and `opt`.

Takes any Program, verified or not; returns text for people, not for tools. Each Value is a line
with its shape.
"""

from __future__ import annotations

from specc.ir.program import Program
from specc.ir.value import Shape, Value


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
