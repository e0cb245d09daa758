"""Give every array a kept buffer, and let a result overwrite an operand that nobody reads again.

The rule of what is kept: a Value with a name has a buffer, called by the name of the last Value
that is written to it; what has no name is part of an expression. Nothing is recomputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specc.ir.ir import InvalidProgram, Program, Value, rewrite

OVERWRITING = frozenset(
    "add sub mul div neg exp log log1p abs relu tanh sigmoid minus_one_hot minus_hot"
    " sqrt rsqrt minimum maximum addcmul addcdiv"
    " add_scaled relu_backward tanh_backward sigmoid_backward".split()
)
"""Operations that may write their result over their first operand."""

VIEWS = frozenset({"transpose", "with_ones", "body", "weight_of", "flat"})
"""Operations that only look at their operand in another way."""


def buffers(
    program: Program,
    over: Mapping[str, str] | None = None,
    overwriting: frozenset[str] = OVERWRITING,
) -> Program:
    """Assign slots; a result named in `over` is written over that argument.

    `overwriting` are the operations that may take over the slot of what they read.
    """
    uses = program.uses()
    results = {value: name for name, value in program.outputs}
    over = over or {}
    slots: dict[Value, str] = {}
    for value in reversed(program.values):
        if value.op in ("input", "const") or not value.shape:
            continue
        if value.op in VIEWS and value not in results:
            continue
        if results.get(value, "") in over:
            slots[value] = over[results[value]]
        elif value.name and value not in slots:
            slots[value] = value.name
        if value in slots and value.op in overwriting:
            first = value.args[0]
            if (
                first.op not in ("input", "const")
                and first.op not in VIEWS | {"reshape"}
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
