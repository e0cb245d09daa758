"""Rewriting: a Program rebuilt from its arguments up, each Value by a rule.

Names, origins and derivations survive: a Value that takes the place of another has the other's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from specc.ir.program import Program, in_order
from specc.ir.value import Origin, Value

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
    """Give a replacement the name, origins and derivation that it lacks."""
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


def owned(made: Value, of: Iterable[Value], origins: tuple[Origin, ...]) -> Value:
    """Return `made` with these layers as the origins of every part except `of`."""
    new: dict[Value, Value] = {value: value for value in of}
    for part in in_order([made], beside=new):
        if part.op in ("input", "const") or not origins:
            new[part] = part
        else:
            args = tuple(new[arg] for arg in part.args)
            new[part] = replace(part, args=args, origins=origins)
    return new[made]


def nameless(program: Program) -> Program:
    """Remove all names but those of arguments, so that the Program is one formula."""
    new: dict[Value, Value] = {}
    for value in program.values:
        args = tuple(new[arg] for arg in value.args)
        is_argument = value.op == "input"
        new[value] = value if is_argument else replace(value, args=args, name="")
    outputs = tuple((name, new[value]) for name, value in program.outputs)
    return replace(program, outputs=outputs)
