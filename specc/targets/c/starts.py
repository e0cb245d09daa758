"""How each parameter of a C module starts, where it lies, and how NumPy looks at it."""

from __future__ import annotations

import math
from typing import Any

from specc.emit.pieces import Code
from specc.library.network.initializers import Draw
from specc.model.model import Model
from specc.targets.c.functions import commented
from specc.targets.c.memory.rows import Arrays
from specc.targets.c.names import member

DRAWN_BY = {
    "uniform": "uniform",
    "normal": "normal",
    "truncated": "truncated_normal",
    "orthogonal": "orthogonal",
}
"""The kernel that draws from a distribution."""


def c_starts(model: Model, laid: Arrays, c: str) -> dict[str, Any]:
    """Give the statements that draw the parameters, and where each of those lies."""
    places: list[str] = []
    lines: list[Code] = []
    kinds: set[str] = set()
    for index, (name, parameter) in enumerate(model.parameters.items()):
        place = name.replace(".", "_")
        weight = laid.parameters[place]
        rows, columns = (*parameter.shape, 1)[:2]
        turned = weight.turned
        step_r, step_c = (1, weight.row.pitch) if turned else (weight.row.pitch, 1)
        if len(parameter.shape) == 1:
            step_r, step_c = 1, 0
        offset = f"offsetof({c}_parameters, {member(place)}) / sizeof(real)"
        places.append(f"{{{offset}, {rows}, {columns}, {step_r}, {step_c}}},")
        draw: Draw = parameter.initializer(parameter.fans)
        kinds.add(draw.distribution)
        if draw.distribution == "constant" and draw.a == 0:
            continue
        formula = f", {draw.formula}" if draw.formula else ""
        lines += commented(f"{name}: {parameter.initializer}{formula}")
        size = math.prod(parameter.shape)
        stream = f'"init/{name}"'
        loop = f"for (int i = 0; i < {size}; i++)"
        put = f"  p[place({index}, i)] = (real)({{}});"
        if draw.distribution == "constant":
            lines += [Code(loop), Code(put.format(repr(draw.a)))]
            continue
        if draw.distribution == "truncated":
            drawn = f"truncated_normal(seed, {stream}, (uint64_t)i)"
        else:
            lines.append(Code(f"key = keyed(seed, named({stream}));"))
            kind = "uniform" if draw.distribution == "uniform" else "normal"
            drawn = f"{kind}(key, (uint64_t)i)"
        if draw.distribution == "orthogonal":
            longer, fewer = max(parameter.shape), min(parameter.shape)
            lines.append(Code(f"orthogonal(m->basis, key, {longer}, {fewer});"))
            r, k = f"i / {columns}", f"i % {columns}"
            at = "i" if rows >= columns else f"{k} * {fewer} + {r}"
            text = f"m->basis[{at}]" + ("" if draw.a == 1 else f" * {draw.a!r}")
        elif draw.distribution == "uniform" and draw.a == -draw.b:
            text = f"2 * {drawn} - 1"
            text = text if draw.b == 1 else f"({text}) * {draw.b!r}"
        elif draw.distribution == "uniform":
            text = f"{draw.a!r} + ({draw.b!r} - {draw.a!r}) * {drawn}".replace(
                "- -", "+ "
            )
        else:
            mean = f"{draw.a!r} + " if draw.a else ""
            text = f"{mean}{drawn}" + (f" * {draw.b!r}" if draw.b != 1 else "")
        lines += [Code(loop), Code(put.format(text))]
    return {
        "places": [Code(line) for line in places],
        "starts": lines,
        "drawn_by": {DRAWN_BY[kind] for kind in kinds - {"constant"}},
        "draws_key": bool(kinds & {"normal", "uniform", "orthogonal"}),
        "unseeded": not (kinds - {"constant"}),
        "unset": not lines,
    }


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
