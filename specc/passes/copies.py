"""Name every copy into rows of another width, so that it gets an array where rows are padded.

A name is made of that of the operand and of what tells its copies apart; the same copy has the
same name in every Program of a module.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Value


def copies(program: Program, taken: Set[str]) -> Program:
    """Name every copy that is not a result; no name is one of `taken`."""
    results = {value for _, value in program.outputs}
    ids = {id(value) for value in program.values if value not in results}
    order = iter(program.values)

    def known(value: Value) -> Value:
        inside = id(next(order)) in ids
        if not value.row.moves or value.name or not inside:
            return value
        name = "_".join([value.args[0].name, value.op, *map(str, _numbers(value))])
        while name in taken:
            name += "_"
        return replace(value, name=name)

    return rewrite(program, known)


def _numbers(value: Value) -> list[int]:
    """Return the attributes that distinguish copies of one array."""
    attrs = dict(value.attrs)
    return [attrs[key] for key in ("width", "size", "start", "stop") if key in attrs]
