"""The intermediate representation: a Program is a graph of Values, each one operation.

A Value is immutable and knows its shape; the batch is a symbolic dimension. Names and origins are
part of it, because the emitted text is read by people. Invariant: `verify` accepts every Program
that leaves a stage.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

BATCH = "batch"
"""The dimension that counts samples (times positions, where all arrays have as many)."""

Shape = tuple[int | str, ...]
"""A size is a number, or the batch, or so many rows for each of it: `4 * batch`."""
DType = Literal["real", "int", "bool"]


@dataclass(frozen=True)
class Origin:
    """Where a Value comes from: one layer, as the spec wrote it."""

    layer: str
    says: str
    line: int


@dataclass(frozen=True, eq=False)
class Value:
    """The result of one operation; two Values are equal only when they are the same one."""

    op: str
    args: tuple[Value, ...] = ()
    attrs: tuple[tuple[str, Any], ...] = ()
    shape: Shape = ()
    dtype: DType = "real"
    name: str = ""
    """What the spec or the sweep calls it: `relu1`, `d_relu1`; empty inside an expression."""
    origins: tuple[Origin, ...] = ()
    """The layers that it belongs to: several, once operations are fused."""
    derivation: str = ""
    """For a derivative: the line of mathematics that it was made by."""
    rules: tuple[str, ...] = ()
    """The rules that this line follows from: `relu.x`, `linear.w`."""
    slot: str = ""
    """The kept buffer that it is written to; several Values may take turns in one."""

    def attribute(self, name: str) -> Any:
        """Give one attribute of the operation, such as its axis."""
        return dict(self.attrs)[name]

    def of(self, args: tuple[Value, ...]) -> Value:
        """Give the same with other arguments; what `replace` does, in a fifth of the time."""
        made = object.__new__(Value)
        made.__dict__.update(self.__dict__, args=args)
        return made

    def __add__(self, other: Value | float) -> Value:
        return _apply("add", self, other)

    def __radd__(self, other: float) -> Value:
        return _apply("add", other, self)

    def __sub__(self, other: Value | float) -> Value:
        return _apply("sub", self, other)

    def __rsub__(self, other: float) -> Value:
        return _apply("sub", other, self)

    def __mul__(self, other: Value | float) -> Value:
        return _apply("mul", self, other)

    def __rmul__(self, other: float) -> Value:
        return _apply("mul", other, self)

    def __truediv__(self, other: Value | float) -> Value:
        return _apply("div", self, other)

    def __rtruediv__(self, other: float) -> Value:
        return _apply("div", other, self)

    def __pow__(self, other: Value | float) -> Value:
        return _apply("pow", self, other)

    def __rpow__(self, other: float) -> Value:
        return _apply("pow", other, self)

    def __neg__(self) -> Value:
        return _apply("neg", self)


def _apply(op: str, *args: Value | float) -> Value:
    from specc.ir import ops  # the table of operations is written in terms of Values

    return ops.apply(op, *args)


def constant(value: float) -> Value:
    """Make a number of a Value, without a shape."""
    return Value("const", attrs=(("value", value),))


def times(rows: int) -> str:
    """Give the size of what has so many rows for each of the batch."""
    return BATCH if rows == 1 else f"{rows} * {BATCH}"


def rows_of(shape: Shape) -> int:
    """Tell how many rows an array of samples has for each of the batch."""
    size = next(str(dim) for dim in shape if isinstance(dim, str))
    return 1 if size == BATCH else int(size.removesuffix(f" * {BATCH}"))


def batched(shape: Shape) -> bool:
    """Tell whether an array has rows for the samples of a batch."""
    return any(isinstance(dim, str) for dim in shape)


def argument(name: str, shape: Shape = (), dtype: DType = "real") -> Value:
    """Make an argument of a Program."""
    return Value("input", shape=shape, dtype=dtype, name=name)


def named(value: Value, name: str) -> Value:
    """Give a Value a name, under which it is kept."""
    return replace(value, name=name)


def role(value: Value) -> str:
    """Tell what an argument of a network is: a `parameter`, a `buffer`, a `mask`; else nothing."""
    return str(dict(value.attrs).get("role", ""))


def of_arrays(value: Value) -> bool:
    """Tell whether an operation computes with arrays, else with single numbers."""
    return any(arg.shape for arg in value.args)


def is_constant(value: Value, number: float | None = None) -> bool:
    """Tell whether `value` is a number, or that number."""
    return value.op == "const" and number in (None, value.attribute("value"))


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
        """Of each Value those that it is an argument of, in order."""
        found: dict[Value, list[Value]] = {value: [] for value in self.values}
        for value in self.values:
            for arg in dict.fromkeys(value.args):
                found[arg].append(value)
        return found

    def output(self, name: str) -> Value:
        """Give one result by its name."""
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
    """Sort all that `results` need so that arguments come first; no recursion, for deep nets.

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


def owned(made: Value, of: Iterable[Value], origins: tuple[Origin, ...]) -> Value:
    """Let every part that `made` consists of, beside `of`, belong to these layers."""
    new: dict[Value, Value] = {value: value for value in of}
    for part in in_order([made], beside=new):
        if part.op in ("input", "const") or not origins:
            new[part] = part
        else:
            args = tuple(new[arg] for arg in part.args)
            new[part] = replace(part, args=args, origins=origins)
    return new[made]


Rule = Callable[[Value], Value]


def rewrite(program: Program, rule: Rule) -> Program:
    """Rebuild a Program bottom-up, giving each Value, with its new arguments, to `rule`.

    A name, an origin and a derivation that `rule` loses are put back on what takes its place. A
    Value that is there already takes the place as it is, unless the name is another. Where
    nothing changes the Program is given back.
    """
    new: dict[Value, Value] = {}
    there: set[Value] = set()
    changes = False
    for value in program.values:
        args = tuple(new[arg] for arg in value.args)
        same = all(map(operator.is_, args, value.args))
        moved = value if same else value.of(args)
        made = rule(moved)
        if made in there and made.op not in ("const", "input"):
            if value.name not in ("", made.name):
                made = replace(
                    made,
                    name=value.name,
                    derivation=value.derivation,
                    rules=value.rules,
                )
        elif made is not moved and made not in there:
            made = _belonging(made, value)
        new[value] = made
        there.add(made)
        changes = changes or made is not value
    if not changes:
        return program
    return Program(
        program.name,
        tuple(new.get(value, value) for value in program.inputs),
        tuple((name, new[value]) for name, value in program.outputs),
    )


def _belonging(made: Value, value: Value) -> Value:
    """Put on what takes the place of a Value what it has not of its own."""
    lost: dict[str, Any] = {}
    if made.op not in ("const", "input"):
        if value.name and not made.name:
            lost["name"] = value.name
        if value.derivation and not made.derivation:
            lost["derivation"] = value.derivation
        if value.rules and not made.rules:
            lost["rules"] = value.rules
    if value.origins and not made.origins:
        lost["origins"] = value.origins
    return replace(made, **lost) if lost else made


def nameless(program: Program) -> Program:
    """Take the names off all but the arguments: then nothing is kept, it is one formula."""
    new: dict[Value, Value] = {}
    for value in program.values:
        args = tuple(new[arg] for arg in value.args)
        is_argument = value.op == "input"
        new[value] = value if is_argument else replace(value, args=args, name="")
    outputs = tuple((name, new[value]) for name, value in program.outputs)
    return replace(program, outputs=outputs)


class InvalidProgram(Exception):
    """A pass broke the IR: always a bug in specc, never the user's mistake."""


def verify(program: Program, stage: str) -> Program:
    """Check a Program's arguments, shapes and names; give it back, so that calls chain."""
    from specc.ir import ops

    names: dict[str, Value] = {}
    inputs = frozenset(program.inputs)
    for value in program.values:
        if value.op == "input":
            if value not in inputs:
                _fail(program, stage, f"`{value.name}` is no argument of it")
        elif value.op != "const":
            shape, dtype = ops.result_type(value.op, value.args, dict(value.attrs))
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
