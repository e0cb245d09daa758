"""The reverse sweep: a Program -> the Program of its derivatives.

Takes a Program with one result; the new Program computes the derivatives asked for from dL/d(that
result). The Values of the forward Program that a derivative mentions become arguments, by name:
they are what the forward pass has to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from specc.calculus.notation import mathematics
from specc.ir.formulas import sum_over
from specc.ir.ops import rules_of
from specc.ir.program import Program, in_order, verify
from specc.ir.rewrite import rewrite
from specc.ir.value import OPS, Value, argument

SUMMED = "broadcast"
"""The rule that the derivative by what was broadcast is a sum over all its copies."""
ADDED = "uses"
"""The rule that what several values are made of has the sum of what they pass on to it."""


Guard = Callable[[Value, Value, Value], Value]
"""Changes what a rule gives, for dL/dy and y."""


def differentiate(
    program: Program,
    wrt: Iterable[Value],
    name: str,
    seed: Value | None = None,
    guard: Guard = lambda part, dy, y: part,
) -> Program:
    """Return dL/dv for every v of `wrt` (arguments of `program`), under the names `d_<v>`.

    `seed` is dL/d(the result); left out, it is the argument `d_<result>`.
    """
    ((result_name, result),) = program.outputs
    wanted = tuple(wrt)
    if seed is None:
        seed = argument(f"d_{result_name}", result.shape)
    moved = active(program, wanted)
    cotangent = {result: seed}
    latest: dict[Value, Value] = {}
    by: dict[Value, tuple[str, ...]] = {}
    """Value -> the rules that an unnamed cotangent follows from."""
    for value in reversed(program.values):
        if value not in cotangent or value not in moved:
            continue
        dy = cotangent[value] = _named(cotangent[value], value, by.get(value, ()))
        if value.op == "input":
            continue
        inherited = () if dy.name else by.get(value, ())
        derivative = OPS[value.op].derivative
        assert derivative is not None, f"{value.op} has no derivative"
        parts = derivative(dy, value, *value.args, **dict(value.attrs))
        rules = rules_of(value.op, len(value.args))
        for arg, part, rule in zip(value.args, parts, rules, strict=True):
            if part is None or arg not in moved:
                continue
            whole = part = guard(part, dy, value)
            part = _unbroadcast(part, arg)
            follows = (*inherited, rule, *([SUMMED] if part is not whole else []))
            if part is not dy:  # a copy of what has a name would be a second one
                part = replace(part, origins=value.origins or dy.origins)
            if arg in cotangent:
                before = cotangent[arg]
                if latest[arg] is not value:  # which may take it several times
                    before = _partial(before, arg, latest[arg], by[arg])
                follows = (*(() if before.name else by[arg]), *follows, ADDED)
                part = part + before
                part = replace(part, origins=value.origins or dy.origins)
            cotangent[arg] = part
            latest[arg] = value
            by[arg] = tuple(dict.fromkeys(follows))
    outputs = tuple((f"d_{v.name}", cotangent[v]) for v in wanted if v in cotangent)
    return verify(outside(Program(name, (), outputs), program), name)


def active(program: Program, wanted: Iterable[Value]) -> set[Value]:
    """Return every Value that depends on these."""
    moved = set(wanted)
    for value in program.values:
        if moved.intersection(value.args):
            moved.add(value)
    return moved


def _named(dy: Value, value: Value, rules: tuple[str, ...]) -> Value:
    """Call dL/dvalue `d_<value>` and write beside it how it was derived."""
    if not value.name or dy.name or dy.op in ("const", "input"):
        return dy
    lhs = f"dL/d{mathematics(value)}"
    line = f"{lhs} = {mathematics(dy)}"
    return replace(dy, name=f"d_{value.name}", derivation=line, rules=rules)


def _partial(dy: Value, value: Value, user: Value, rules: tuple[str, ...]) -> Value:
    """Name the partial sum of the derivatives that reached `value` so far."""
    if not (value.name and user.name) or dy.name or dy.op in ("const", "input"):
        return dy
    kept = replace(dy, name=f"d_{value.name}_from_{user.name}", rules=rules)
    return replace(kept, derivation=f"{mathematics(kept)} = {mathematics(dy)}")


def _unbroadcast(part: Value, arg: Value) -> Value:
    """Sum over the axes that broadcasting added or stretched: once, for every rule."""
    while len(part.shape) > len(arg.shape):
        part = sum_over(part, axis=0, keep=False)
    for axis, (found, expected) in enumerate(zip(part.shape, arg.shape, strict=True)):
        if expected == 1 and found != 1:
            part = sum_over(part, axis=axis, keep=True)
    return part


def outside(backward: Program, forward: Program) -> Program:
    """Turn the named Values of `forward` that `backward` reads into arguments."""
    mine = {value.name for value in forward.values if value.name}

    def keep(value: Value) -> Value:
        if value.name in mine and value.op != "input":
            return argument(value.name, value.shape, value.dtype)
        return value

    cut = rewrite(backward, keep)
    inputs = tuple(v for v in cut.values if v.op == "input")
    return Program(cut.name, inputs, cut.outputs)


def saved(forward: Program, backward: Program) -> Program:
    """Return the forward Program with every Value that `backward` reads as a result."""
    named = {value.name: value for value in forward.values if value.op != "input"}
    results = dict(forward.outputs)
    for value in backward.inputs:
        if value.name in named:
            results.setdefault(value.name, named[value.name])
    ordered = [v for v in in_order(results.values()) if results.get(v.name) is v]
    last = forward.outputs[0][0]
    ordered.sort(key=lambda value: value.name != last)
    return replace(forward, outputs=tuple((v.name, v) for v in ordered))
