"""How each parameter starts, as the statements of the emitted `initialize`."""

from __future__ import annotations

from typing import Any

from specc.library.initializers import Draw
from specc.library.layers import Parameter
from specc.model import Model
from specc.view import Code, comment


def starts_view(model: Model) -> dict[str, Any]:
    """Give the lines of `initialize`, and which draws they call."""
    lines: list[Code] = []
    kinds: set[str] = set()
    for name, parameter in model.parameters.items():
        draw: Draw = parameter.initializer(parameter.fans)
        kinds.add(draw.distribution)
        formula = f", {draw.formula}" if draw.formula else ""
        lines += comment(f"{name}: {parameter.initializer}{formula}")
        lines.append(Code(_statement(name, parameter, draw)))
    normal = bool(kinds & {"normal", "truncated", "orthogonal"})
    return {
        "starts": lines,
        "draws_uniform": normal or "uniform" in kinds,
        "draws_normal": normal,
        "draws_truncated": "truncated" in kinds,
        "draws_orthogonal": "orthogonal" in kinds,
    }


def _statement(name: str, parameter: Parameter, draw: Draw) -> str:
    target = f'parameters["{name}"]'
    drawn = f'(seed, "init/{name}", {parameter.shape})'
    match draw.distribution:
        case "constant":
            return f"{target}.fill_({draw.a!r})"
        case "uniform" if draw.a == -draw.b:
            a = f" * {draw.b!r}" if draw.b != 1 else ""
            drawn = f"2 * uniform{drawn} - 1"
            return f"{target}.copy_({f'({drawn}){a}' if a else drawn})"
        case "uniform":
            width = f"({draw.b!r} - {draw.a!r})".replace("- -", "+ ")
            return f"{target}.copy_({draw.a!r} + {width} * uniform{drawn})"
        case "orthogonal":
            factor = "" if draw.a == 1 else f" * {draw.a!r}"
            return f"{target}.copy_(orthogonal{drawn}{factor})"
    kind = "normal" if draw.distribution == "normal" else "truncated_normal"
    mean = f"{draw.a!r} + " if draw.a else ""
    std = f" * {draw.b!r}" if draw.b != 1 else ""
    return f"{target}.copy_({mean}{kind}{drawn}{std})"
