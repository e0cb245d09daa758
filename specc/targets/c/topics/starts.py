"""How each parameter of a C module starts, and where it lies.

Takes a checked model and its memory; returns statements, and the kernels that they call.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.library.network.initializers import Draw
from specc.library.network.layers import Parameter
from specc.model.model import Model
from specc.targets.c.memory.rows import Arrays, Weight
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.names import member
from specc.targets.c.printing.functions import codes, commented
from specc.targets.c.printing.indexing import times
from specc.targets.c.topics.draws import buffer_starts
from specc.targets.python.starts import derived_scale

DRAWN_BY = {
    "uniform": "uniform",
    "normal": "normal",
    "truncated": "truncated_normal",
    "orthogonal": "orthogonal",
}
"""The kernel that draws from a distribution."""


@dataclass(frozen=True)
class Starts:
    """The parameters at the start."""

    names: tuple[Code, ...]
    """Constants that count the parameters."""
    places: tuple[Code, ...]
    lines: tuple[Code, ...]
    """The body of `init`."""


@dataclass(frozen=True)
class Started:
    """The topic, and the kernels that it calls."""

    starts: Starts
    calls: frozenset[str]


def starts(model: Model, kept: Memory) -> Started:
    """Write the statements that draw the parameters, and where each of those lies."""
    places: list[str] = []
    lines: list[Code] = []
    kinds: set[str] = set()
    names = _constants(model)
    for name, parameter in model.parameters.items():
        field = name.replace(".", "_")
        weight = kept.arrays.parameters[field]
        places.append(
            f"[{names[name]}] = {_place(model.name, field, parameter, weight)}"
        )
        draw: Draw = parameter.initializer(parameter.fans)
        kinds.add(draw.distribution)
        if draw.distribution != "constant" or draw.a:
            formula = f", {draw.formula}" if draw.formula else ""
            lines += commented(f"{name}: {parameter.initializer}{formula}")
            lines += codes(_filled(name, parameter, draw, names[name]))
    first = ["real *p = flat(&m->parameters);"]
    if kinds & {"normal", "uniform", "orthogonal"}:
        first.append("uint64_t key;")
    seeded = kinds - {"constant"} or kept.draws
    first += ["(void)seed;"] * (not seeded) + ["(void)p;"] * (not lines)
    first.append("memset(m, 0, sizeof *m);")
    remembered = codes(["m->seed = seed;"] * kept.draws)
    return Started(
        Starts(
            names=codes(names.values()),
            places=codes(places),
            lines=(*codes(first), *buffer_starts(model), *remembered, *lines),
        ),
        frozenset(DRAWN_BY[kind] for kind in kinds - {"constant"}),
    )


def _constants(model: Model) -> dict[str, str]:
    """Name a constant after each parameter: in capitals, unless two would be the same."""
    fields = {name: name.replace(".", "_") for name in model.parameters}
    capitals = [field.upper() for field in fields.values()]
    return {
        name: field.upper() if capitals.count(field.upper()) == 1 else f"AT_{field}"
        for name, field in fields.items()
    }


def _place(c: str, field: str, parameter: Parameter, weight: Weight) -> str:
    """Return the place of element (r, c) of torch's matrix."""
    rows, columns = (*parameter.shape, 1)[:2]
    step_r, step_c = (1, weight.row.pitch) if weight.turned else (weight.row.pitch, 1)
    if len(parameter.shape) == 1:
        step_r, step_c = 1, 0
    offset = f"offsetof({c}_parameters, {member(field)}) / sizeof(real)"
    return f"{{{offset}, {rows}, {columns}, {step_r}, {step_c}}},"


def _filled(name: str, parameter: Parameter, draw: Draw, constant: str) -> list[str]:
    """Write the loop that fills a parameter."""
    stream = f'"init/{name}"'
    size = math.prod(parameter.shape)
    longer, fewer = max(parameter.shape), min(parameter.shape)
    key = f"key = keyed(seed, named({stream}));"
    before = {
        "constant": [],
        "truncated": [],
        "orthogonal": [key, f"orthogonal(m->basis, key, {longer}, {fewer});"],
    }.get(draw.distribution, [key])
    drawn = _drawn(parameter, draw, stream)
    drawn = drawn if draw.distribution == "constant" else f"({drawn})"
    return [
        *before,
        f"for (size_t i = 0; i < {size}; i++)",
        f"  p[place({constant}, i)] = (real){drawn};",
    ]


def _drawn(parameter: Parameter, draw: Draw, stream: str) -> str:
    """Write number `i` of a parameter."""
    scaled = "" if draw.b == 1 else f" * {_scale(parameter, draw)}"
    match draw.distribution:
        case "constant":
            return repr(draw.a)
        case "uniform" if draw.a == -draw.b:
            text = "2 * uniform(key, i) - 1"
            return f"({text}){scaled}" if scaled else text
        case "uniform":
            width = f"({draw.b!r} - {draw.a!r})".replace("- -", "+ ")
            return f"{draw.a!r} + {width} * uniform(key, i)"
        case "orthogonal":
            return f"m->basis[{_in_basis(parameter)}]" + (
                "" if draw.a == 1 else f" * {draw.a!r}"
            )
    drawn = "normal(key, i)"
    if draw.distribution == "truncated":
        drawn = f"truncated_normal(seed, {stream}, i)"
    mean = f"{draw.a!r} + " if draw.a else ""
    return f"{mean}{drawn}{scaled}"


def _scale(parameter: Parameter, draw: Draw) -> str:
    """Write the scale of a draw as its formula has it, in doubles."""
    text = derived_scale(draw, parameter.fans).replace("math.", "")
    return re.sub(r"sqrt\((\d+)", r"sqrt(\1.0", text)


def _in_basis(parameter: Parameter) -> str:
    """Return the place of number `i` among the columns of a tall matrix."""
    rows, columns = parameter.shape
    if rows >= columns:
        return "i"
    return f"{times(f'i % {columns}', rows)} + i / {columns}"


def named_views(model: Model, laid: Arrays) -> list[Code]:
    """Look at each parameter in torch's shape, within all of them."""
    entries = []
    start = 0
    found: dict[str, str] = {}
    for name, weight in laid.parameters.items():
        row, end = weight.row, start + weight.rows * weight.row.pitch
        if weight.turned:
            how = f".reshape({weight.rows}, {row.pitch})[:, :{row.width}].T"
        elif not weight.is_bias:
            how = f".reshape({weight.rows}, {row.pitch})[:, :{row.width}]"
        else:
            end, how = start + row.width, ""
        found[name] = f"flat[{start}:{end}]{how}"
        start += weight.size
    for name in model.parameters:
        entries.append(Code(f'"{name}": {found[name.replace(".", "_")]}'))
    return entries
