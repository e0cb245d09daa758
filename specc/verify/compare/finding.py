"""The findings of `specc verify`: the error between two ways to the same number, and its place.

A finding has an error and a bound. Invariant: NaN is beyond every bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from specc.verify.compare.tensors import MissingTorch, Tensor, torch

ROUNDINGS = 1e-13
"""Rounding errors of numbers that are all 0 by structure."""
ALL_ZERO = 1e-4
"""The scale of errors if all expected numbers are 0."""


@dataclass(frozen=True)
class Finding:
    """The comparison of one thing."""

    check: str
    """The name of the check: `autograd`, `fit`."""
    what: str
    """The name of what was compared: a parameter, `prediction`."""
    error: float
    bound: float
    where: str = ""
    """The worst place, with the found and the expected number."""
    said: str = ""
    """A note on how it was compared."""

    @property
    def ok(self) -> bool:
        """True if the error is within the bound."""
        return self.error <= self.bound


def compared(
    check: str,
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    bound: float,
    said: str = "",
) -> list[Finding]:
    """Compare arrays by name, each number relative to itself or to 1/1000 of the largest.

    A relative error alone says nothing about numbers that are 0 by structure.
    """
    missing = [name for name in expected if name not in found]
    made = [Finding(check, name, math.inf, bound, "it is missing") for name in missing]
    largest = max((_largest(a) for a in expected.values()), default=0.0)
    floor = 1e-3 * largest if largest > ROUNDINGS else ALL_ZERO
    for name, a in expected.items():
        if name in missing:
            continue
        made.append(_one(check, name, found[name], a, floor, bound, said))
    return made


def _one(
    check: str,
    name: str,
    g: Tensor,
    a: Tensor,
    floor: float,
    bound: float,
    said: str,
) -> Finding:
    if g.shape != a.shape:
        where = f"shape {tuple(g.shape)}, expected {tuple(a.shape)}"
        return Finding(check, name, math.inf, bound, where, said)
    g, a = g.detach().double(), a.detach().double()
    errors = (g - a).abs() / a.abs().clamp_min(floor)
    errors = torch.where(g == a, 0.0, errors)
    errors = torch.where(errors.isnan(), math.inf, errors)
    if errors.numel() == 0:
        return Finding(check, name, 0.0, bound, "", said)
    worst = int(errors.argmax())
    at = f"at {place_in(worst, errors.shape)}: " if errors.shape else ""
    where = (
        f"{at}{float(g.flatten()[worst]):.6g}, expected {float(a.flatten()[worst]):.6g}"
    )
    return Finding(check, name, float(errors.flatten()[worst]), bound, where, said)


def place_in(index: int, shape: Sequence[int]) -> list[int]:
    """Return the index of a number of a flat array in an array of a shape."""
    place: list[int] = []
    for size in reversed(shape):
        index, position = divmod(index, size)
        place.insert(0, position)
    return place


def _largest(a: Tensor) -> float:
    real = a.detach().double()
    real = real[real.isfinite()]
    return float(real.abs().max()) if real.numel() else 0.0


def number(
    check: str, what: str, found: float, expected: float, bound: float, said: str = ""
) -> Finding:
    """Compare two numbers."""
    a, b = (torch.tensor(value, dtype=torch.float64) for value in (found, expected))
    return compared(check, {what: a}, {what: b}, bound, said)[0]


def near(
    check: str,
    name: str,
    found: Tensor,
    expected: Tensor,
    bound: float,
    said: str,
    least: float = 1.0,
) -> Finding:
    """Compare arrays relative to their numbers, or to `least`."""
    if found.shape != expected.shape:
        where = f"shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
        return Finding(check, name, math.inf, bound, where, said)
    errors = (found - expected).abs() / expected.abs().clamp_min(least)
    errors = torch.where(found == expected, 0.0, errors).nan_to_num(math.inf)
    worst = int(errors.argmax())
    pair = [float(v.flatten()[worst]) for v in (found, expected)]
    place = place_in(worst, errors.shape)
    where = f"at {place}: {pair[0]:.6g}, expected {pair[1]:.6g}"
    return Finding(check, name, float(errors.flatten()[worst]), bound, where, said)


def fact(check: str, what: str, holds: bool, where: str, said: str = "") -> Finding:
    """Return a finding about a fact, whose error is 0 or infinite."""
    return Finding(check, what, 0.0 if holds else math.inf, 0.0, where, said)


def in_turn(*parts: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings of each part; raise MissingTorch after the last if one needs it."""
    missing = None
    for part in parts:
        try:
            yield from part
        except MissingTorch as error:
            missing = error
    if missing is not None:
        raise missing
