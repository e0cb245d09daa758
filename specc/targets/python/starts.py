"""How each parameter starts, as the statements of the emitted `initialize`."""

from __future__ import annotations

from dataclasses import dataclass

from specc.emit.pieces import Code, comment
from specc.ir.target import Words
from specc.library.network.initializers import Draw
from specc.library.network.layers import Parameter
from specc.model.model import Model


@dataclass(frozen=True)
class Starts:
    """How the parameters start."""

    lines: tuple[Code, ...]
    uniform: bool
    """Whether the module draws from a uniform distribution, be it to draw from another."""
    normal: bool
    truncated: bool
    orthogonal: bool


def starts(model: Model, words: Words, masks: bool) -> Starts:
    """Return the lines of `initialize`, and which draws the module needs.

    `masks` tells that layers draw from a uniform distribution as well.
    """
    lines: list[Code] = []
    kinds: set[str] = set()
    for name, parameter in model.parameters.items():
        draw: Draw = parameter.initializer(parameter.fans)
        kinds.add(draw.distribution)
        formula = f", {draw.formula}" if draw.formula else ""
        lines += comment(f"{name}: {parameter.initializer}{formula}")
        lines.append(Code(_statement(name, parameter, draw, words)))
    normal = bool(kinds & {"normal", "truncated", "orthogonal"})
    return Starts(
        lines=tuple(lines),
        uniform=normal or masks or "uniform" in kinds,
        normal=normal,
        truncated="truncated" in kinds,
        orthogonal="orthogonal" in kinds,
    )


def _statement(name: str, parameter: Parameter, draw: Draw, words: Words) -> str:
    pattern = words.fill if draw.distribution == "constant" else words.assign
    return pattern.format(f'parameters["{name}"]', _drawn(name, parameter, draw))


def _drawn(name: str, parameter: Parameter, draw: Draw) -> str:
    drawn = f'(seed, "init/{name}", {parameter.shape})'
    match draw.distribution:
        case "constant":
            return repr(draw.a)
        case "uniform" if draw.a == -draw.b:
            a = f" * {draw.b!r}" if draw.b != 1 else ""
            drawn = f"2 * uniform{drawn} - 1"
            return f"({drawn}){a}" if a else drawn
        case "uniform":
            width = f"({draw.b!r} - {draw.a!r})".replace("- -", "+ ")
            return f"{draw.a!r} + {width} * uniform{drawn}"
        case "orthogonal":
            factor = "" if draw.a == 1 else f" * {draw.a!r}"
            return f"orthogonal{drawn}{factor}"
    kind = "normal" if draw.distribution == "normal" else "truncated_normal"
    mean = f"{draw.a!r} + " if draw.a else ""
    std = f" * {draw.b!r}" if draw.b != 1 else ""
    return f"{mean}{kind}{drawn}{std}"
