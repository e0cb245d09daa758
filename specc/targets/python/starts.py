"""How each parameter starts, as the statements of the emitted `initialize`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from specc.emit.language import Words
from specc.emit.pieces import Code, comment
from specc.library.network.initializers import TRUNCATED_STD, Draw, Fans
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
    scale = _times(derived_scale(draw, parameter.fans))
    match draw.distribution:
        case "constant":
            return repr(draw.a)
        case "uniform" if draw.a == -draw.b:
            drawn = f"2 * uniform{drawn} - 1"
            return f"({drawn}){scale}" if scale else drawn
        case "uniform":
            width = f"({draw.b!r} - {draw.a!r})".replace("- -", "+ ")
            return f"{draw.a!r} + {width} * uniform{drawn}"
        case "orthogonal":
            return f"orthogonal{drawn}{_times(repr(draw.a))}"
    kind = "normal" if draw.distribution == "normal" else "truncated_normal"
    mean = f"{draw.a!r} + " if draw.a else ""
    return f"{mean}{kind}{drawn}{scale}"


def _times(factor: str) -> str:
    """Multiply by a factor, unless that is 1."""
    if factor in ("1", "1.0"):
        return ""
    return f" * {factor}"


FORMULA = re.compile(
    r"\w+ = (?:(?P<gain>\S+) \* )?(?P<one>1 / )?sqrt\((?:(?P<top>\d) / )?(?P<fan>.*)\)"
)
"""The formulas of the vocabulary: `std = 2 * sqrt(2 / (fan_in + fan_out))`."""


def derived_scale(draw: Draw, fans: Fans | None) -> str:
    """Write the scale of a draw as its formula has it: `math.sqrt(2 / 25)`, not 17 digits.

    What the formula does not give to the last bit is a number.
    """
    found = FORMULA.fullmatch(draw.formula)
    if found is None or fans is None or draw.b == 1:
        return repr(draw.b)
    both = f"({fans.fan_in} + {fans.fan_out})"
    words = {"fan_in": str(fans.fan_in), "fan_out": str(fans.fan_out)}
    inside = words.get(found["fan"], both)
    value = sum(int(fan) for fan in re.findall(r"\d+", inside))
    gain, top = float(found["gain"] or 1), int(found["top"] or 0)
    root = math.sqrt(top / value if top else value)
    number = gain * (1 / root if found["one"] else root)
    text = f"math.sqrt({top} / {inside})" if top else f"math.sqrt({inside})"
    text = f"(1 / {text})" if found["one"] else text
    text = f"({found['gain']} * {text})" if found["gain"] else text
    if draw.distribution == "truncated":
        number, text = number / TRUNCATED_STD, f"({text} / {TRUNCATED_STD!r})"
    return text if number == draw.b else repr(draw.b)
