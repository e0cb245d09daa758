"""The start of the parameters and the streams against their formulas, written out again here."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch

from tests.cases.modules import IN_PYTHON, module_of_spec
from tests.cases.streams import WORD, cut_normals, drawn, normals, order, uniforms

Start = Callable[[int, str, int, int], list[float]]
"""(seed, stream, fan in, fan out) to the numbers of a weight."""


def scaled(low: Callable[[int, int], float]) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        return [low(fi, fo) * (2 * u - 1) for u in uniforms(seed, stream, fi * fo)]

    return start


def spread(std: Callable[[int, int], float], mean: float = 0.0) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        return [mean + std(fi, fo) * z for z in normals(seed, stream, fi * fo)]

    return start


def cut(std: Callable[[int, int], float], mean: float = 0.0) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        unit = std(fi, fo) / 0.87962566103423978
        return [mean + unit * z for z in cut_normals(seed, stream, fi * fo)]

    return start


def between(low: float, high: float) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        return [low + (high - low) * u for u in uniforms(seed, stream, fi * fo)]

    return start


def orthonormal(gain: float) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        tall = np.array(normals(seed, stream, fi * fo)).reshape(
            max(fi, fo), min(fi, fo)
        )
        q, r = np.linalg.qr(tall)
        q = q * np.sign(np.diag(r))
        found = gain * (q if fo >= fi else q.T)
        assert isinstance(found, np.ndarray)
        return [float(number) for number in found.ravel()]

    return start


def all_of(value: float) -> Start:
    return lambda seed, stream, fi, fo: [value] * (fi * fo)


STARTS: dict[str, Start] = {
    "xavier_uniform": scaled(lambda fi, fo: math.sqrt(6 / (fi + fo))),
    "xavier_uniform(gain=3)": scaled(lambda fi, fo: 3 * math.sqrt(6 / (fi + fo))),
    "xavier_normal": spread(lambda fi, fo: math.sqrt(2 / (fi + fo))),
    "xavier_normal(gain=2, truncated=true)": cut(
        lambda fi, fo: 2 * math.sqrt(2 / (fi + fo))
    ),
    "he_uniform": scaled(lambda fi, fo: math.sqrt(6 / fi)),
    "he_uniform(mode=fan_out)": scaled(lambda fi, fo: math.sqrt(6 / fo)),
    "he_normal": spread(lambda fi, fo: math.sqrt(2 / fi)),
    "he_normal(mode=fan_out)": spread(lambda fi, fo: math.sqrt(2 / fo)),
    "he_normal(truncated=true)": cut(lambda fi, fo: math.sqrt(2 / fi)),
    "uniform": between(-0.05, 0.05),
    "uniform(low=-1, high=3)": between(-1.0, 3.0),
    "uniform(low=1, high=3)": between(1.0, 3.0),
    "normal": spread(lambda fi, fo: 0.05),
    "normal(mean=-1, std=0.2)": spread(lambda fi, fo: 0.2, -1.0),
    "normal(mean=1, std=2, truncated=true)": cut(lambda fi, fo: 2.0, 1.0),
    "constant(0.25)": all_of(0.25),
    "zeros": all_of(0.0),
    "ones": all_of(1.0),
    "torch_default": scaled(lambda fi, fo: 1 / math.sqrt(fi)),
    "orthogonal": orthonormal(1.0),
    "orthogonal(gain=0.5)": orthonormal(0.5),
}

FANS = ((17, 12), (12, 17))
"""Fan-in and fan-out of the layers that each initializer starts."""

BIASES: dict[str, Start] = {
    "uniform(low=-1, high=3)": between(-1.0, 3.0),
    "normal(mean=-1, std=0.2)": spread(lambda fi, fo: 0.2, -1.0),
    "constant(0.25)": all_of(0.25),
    "zeros": all_of(0.0),
    "ones": all_of(1.0),
    "torch_default": scaled(lambda fi, fo: 1 / math.sqrt(17)),
}


@pytest.fixture(scope="module")
def started(target: str) -> ModuleType:
    """Give a net with a layer for each initializer, 17 to 12 and 12 to 17 in turn."""
    layers = [
        f"linear({units}, weight={name})"
        for name in STARTS
        for units in (12, 17)  # wide, then tall
    ]
    layers += [f"linear(17, bias={name})" for name in BIASES]
    text = "model net input point: real[17] target goal: real[17] loss mse\n"
    text += f"layers {{ {' '.join(layers)} }} optimizer sgd(lr=0.1)"
    return module_of_spec(text, target=target)


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_starts_equal_their_formulas(started: ModuleType, seed: int) -> None:
    found = started.Model(seed=seed, dtype=torch.float64).parameters
    cases = [(start, fi, fo) for start in STARTS.values() for fi, fo in FANS]
    for number, (start, fi, fo) in enumerate(cases, 1):
        name = f"linear{number}.weight"
        expected = torch.tensor(
            start(seed, f"init/{name}", fi, fo), dtype=torch.float64
        )
        torch.testing.assert_close(
            found[name], expected.view(fo, fi), rtol=1e-12, atol=1e-14
        )
    for number, start in enumerate(BIASES.values(), len(cases) + 1):
        name = f"linear{number}.bias"
        numbers = start(seed, f"init/{name}", 1, 17)
        expected = torch.tensor(numbers, dtype=torch.float64)
        torch.testing.assert_close(found[name], expected, rtol=1e-12, atol=1e-14)


def test_a_float32_start_is_the_float64_one_rounded(started: ModuleType) -> None:
    double = started.Model(dtype=torch.float64).flat_parameters
    assert torch.equal(started.Model().flat_parameters, double.float())


@pytest.mark.parametrize("target", IN_PYTHON, scope="session")
@pytest.mark.parametrize("seed", [0, 1, 2**63])
@pytest.mark.parametrize("stream", ["shuffle/0", "shuffle/17", ""])
def test_streams_equal_their_definition(
    started: ModuleType, seed: int, stream: str, target: str
) -> None:
    signed = [
        word - WORD if word >= 2**63 else word for word in drawn(seed, stream, 50)
    ]
    assert started.bits(seed, stream, 50).tolist() == signed
    found = started.uniform(seed, stream, (5, 10))
    assert found.dtype == torch.float64
    assert found.flatten().tolist() == uniforms(seed, stream, 50)
    assert started.normal(seed, stream, (50,)).tolist() == pytest.approx(
        normals(seed, stream, 50), rel=1e-12, abs=1e-15
    )
    for count in (1, 2, 257):
        made = started.permutation(seed, stream, count).tolist()
        assert made == order(seed, stream, count)
