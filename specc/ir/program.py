"""Programs: named results, and the graph of Values that computes them.

Invariant: `verify` accepts every Program that leaves a stage.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from specc.ir.value import OPS, Value


@dataclass(frozen=True)
class Program:
    """Named results, and the arguments that they are computed from."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[tuple[str, Value], ...]

    @functools.cached_property
    def values(self) -> tuple[Value, ...]:
        """Every Value that a result needs, each after its arguments, in order of the results."""
        return in_order(value for _, value in self.outputs)

    @functools.cached_property
    def users(self) -> Mapping[Value, list[Value]]:
        """Value -> the Values that read it, in order."""
        found: dict[Value, list[Value]] = {value: [] for value in self.values}
        for value in self.values:
            for arg in dict.fromkeys(value.args):
                found[arg].append(value)
        return found

    def output(self, name: str) -> Value:
        """Return one result by its name."""
        return dict(self.outputs)[name]

    def uses(self) -> dict[Value, int]:
        """Count how often each Value is an argument or a result."""
        counts = dict.fromkeys(self.values, 0)
        for value in self.values:
            for arg in value.args:
                counts[arg] += 1
        for _, value in self.outputs:
            counts[value] += 1
        return counts


def in_order(
    results: Iterable[Value], beside: Iterable[Value] = ()
) -> tuple[Value, ...]:
    """Sort all that `results` need so that arguments come first, without recursion.

    What is needed only for those `beside` is left out, as they are.
    """
    known = frozenset(beside)
    done: dict[Value, None] = dict.fromkeys(known)
    for result in results:
        waiting = [result]
        while waiting:
            value = waiting[-1]
            first = [arg for arg in value.args if arg not in done]
            if first:
                waiting += reversed(first)
            else:
                done[value] = None
                waiting.pop()
    return tuple(value for value in done if value not in known)


class InvalidProgram(Exception):
    """A pass broke the IR: a bug in specc, never the user's mistake."""


def verify(program: Program, stage: str) -> Program:
    """Check a Program's arguments, shapes and names; return it, so that calls chain."""
    names: dict[str, Value] = {}
    inputs = frozenset(program.inputs)
    for value in program.values:
        if value.op == "input":
            if value not in inputs:
                _fail(program, stage, f"`{value.name}` is no argument of it")
        elif value.op != "const":
            shape, dtype = OPS[value.op].type(*value.args, **dict(value.attrs))
            if (shape, dtype) != (value.shape, value.dtype):
                found = f"{value.dtype}{list(value.shape)}"
                _fail(
                    program, stage, f"{value.op} is {dtype}{list(shape)}, says {found}"
                )
        if value.name and names.setdefault(value.name, value) is not value:
            _fail(program, stage, f"two values are called `{value.name}`")
    return program


def _fail(program: Program, stage: str, problem: str) -> None:
    raise InvalidProgram(f"after {stage}, program `{program.name}`: {problem}")
