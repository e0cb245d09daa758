"""The initial parameters of a seed, by the definition of the random streams.

Takes a Model and a seed, returns the expected parameters in float64. Invariant: only the words and
arguments of initializers, and the shapes of weights, are used.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from specc.library import streams
from specc.library.network.layers import Parameter
from specc.library.vocabulary import Use
from specc.model.model import Model
from specc.verify.reference.missing import MissingReference

Numbers = NDArray[np.float64]


def starts(model: Model, seed: int) -> dict[str, Numbers]:
    """Return every parameter by its full name."""
    return {
        f"{node.name}.{short}": _drawn(
            parameter,
            node.parameters.get("weight", parameter).shape,
            seed,
            f"init/{node.name}.{short}",
        )
        for node in model.nodes
        for short, parameter in node.parameters.items()
    }


def _drawn(
    parameter: Parameter, weight: tuple[int, ...], seed: int, stream: str
) -> Numbers:
    use, shape = parameter.initializer, parameter.shape
    count = math.prod(shape)
    fan_out, fan_in = weight[0], weight[-1]
    uniform = streams.uniform(seed, stream, count).reshape(shape)
    match use.entry.name:
        case "zeros":
            return np.zeros(shape)
        case "ones":
            return np.ones(shape)
        case "constant":
            return np.full(shape, float(use["value"]))
        case "uniform":
            low, high = float(use["low"]), float(use["high"])
            return low + (high - low) * uniform
        case "xavier_uniform":
            a = float(use["gain"]) * math.sqrt(6 / (fan_in + fan_out))
            return (2 * uniform - 1) * a
        case "he_uniform":
            fan = fan_in if use["mode"] == "fan_in" else fan_out
            return (2 * uniform - 1) * math.sqrt(6 / fan)
        case "torch_default":
            return (2 * uniform - 1) / math.sqrt(fan_in)
        case "orthogonal":
            return float(use["gain"]) * _orthogonal(seed, stream, fan_out, fan_in)
    mean, std = _moments(use, fan_in, fan_out)
    if use["truncated"]:
        return mean + std / 0.87962566103423978 * _cut(seed, stream, count).reshape(
            shape
        )
    return mean + std * streams.normal(seed, stream, count).reshape(shape)


def _moments(use: Use, fan_in: int, fan_out: int) -> tuple[float, float]:
    match use.entry.name:
        case "normal":
            return use["mean"], use["std"]
        case "xavier_normal":
            return 0.0, use["gain"] * math.sqrt(2 / (fan_in + fan_out))
        case "he_normal":
            fan = fan_in if use["mode"] == "fan_in" else fan_out
            return 0.0, math.sqrt(2 / fan)
    raise MissingReference("initializer", use.entry.name, "starts.py")


def _cut(seed: int, stream: str, count: int) -> Numbers:
    """Return normal numbers with those beyond two drawn again, from the stream `.../1`, `.../2`."""
    z = streams.normal(seed, stream, count)
    for attempt in itertools.count(1):
        far = np.abs(z) > 2
        if not far.any():
            break
        z = np.where(far, streams.normal(seed, f"{stream}/{attempt}", count), z)
    return z


def _orthogonal(seed: int, stream: str, rows: int, columns: int) -> Numbers:
    tall = streams.normal(seed, stream, rows * columns)
    tall = tall.reshape(max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(tall)
    signed = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return signed if rows >= columns else signed.T
