"""Compute each thing once: Values of the same operation on the same arguments become one."""

from __future__ import annotations

from typing import Any

from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Value


def share(program: Program) -> Program:
    """Merge equal Values; of two the first in order stays, with its name."""
    seen: dict[tuple[Any, ...], Value] = {}

    def shared(value: Value) -> Value:
        if value.op == "input":
            return value
        return seen.setdefault((value.op, value.args, value.attrs), value)

    return rewrite(program, shared)
