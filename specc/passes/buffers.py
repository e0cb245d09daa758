"""Assign a kept buffer to every array; a result may overwrite an operand that is not read again.

The rule of what is kept: a Value with a name has a buffer, called by the name of the last Value
that is written to it; what has no name is part of an expression. Nothing is recomputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specc.ir.program import InvalidProgram, Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Value


def buffers(
    program: Program,
    over: Mapping[str, str] | None = None,
    in_place: bool = True,
) -> Program:
    """Assign slots; a result named in `over` is written over that argument.

    With `in_place`, an operation that allows it takes over the slot of its first operand.
    """
    uses = program.uses()
    results = {value: name for name, value in program.outputs}
    over = over or {}
    slots: dict[Value, str] = {}
    for value in reversed(program.values):
        if value.op in ("input", "const") or not value.shape:
            continue
        if value.row.view and value not in results:
            continue
        if results.get(value, "") in over:
            slots[value] = over[results[value]]
        elif value.name and value not in slots:
            slots[value] = value.name
        if value in slots and in_place and value.row.in_place:
            first = value.args[0]
            if (
                first.op not in ("input", "const")
                and not first.row.view
                and first.op != "reshape"
                and first.shape == value.shape
                and uses[first] == 1
            ):
                slots[first] = slots[value]
    _check_overwriting(program, slots, over)
    ids = {id(value): slot for value, slot in slots.items()}
    order = iter(program.values)

    def placed(value: Value) -> Value:
        slot = ids.get(id(next(order)), "")
        return replace(value, slot=slot) if slot else value

    return rewrite(program, placed)


def _check_overwriting(
    program: Program, slots: Mapping[Value, str], over: Mapping[str, str]
) -> None:
    """Refuse a Program that reads an argument after it was written over.

    What is added to `d_x` may be added to `x` itself: then x is written over too.
    """
    written: set[str] = set()
    for value in program.values:
        slot = slots.get(value, "")
        for arg in value.args:
            if arg.op == "input" and written & {arg.name, over.get(f"d_{arg.name}")}:
                raise InvalidProgram(f"{program.name} reads {arg.name} too late")
        written.add(slot)
