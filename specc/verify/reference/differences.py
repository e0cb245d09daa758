"""Derivatives by finite differences of the loss, with kinks detected.

Takes a function of numbers that can be changed in place, returns its slope along a direction. The
slope is the central difference, extrapolated from a step and half of it (Richardson 1911). It is
accepted if both agree and the one-sided slopes converge with the step. If they do for no step, the
function has a kink there, and the result is None. Invariant: no gradient is used.
"""

from __future__ import annotations

from collections.abc import Callable

from specc.verify.compare.tensors import Tensor

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
AGREES = 1e-6
"""The relative distance of both central differences at which they are accepted."""


def slope(
    function: Callable[[], float], numbers: Tensor, direction: Tensor, floor: float
) -> float | None:
    """Return d function / d numbers along `direction`, None at a kink.

    `numbers` is changed in place and restored; slopes below `floor` count as noise.
    """
    start = numbers.clone()

    def at(step: float) -> float:
        numbers.copy_(start + step * direction)
        return function()

    try:
        here = at(0.0)
        for step in STEPS:
            found = _by_step(at, here, step, floor)
            if found is not None:
                return found
    finally:
        numbers.copy_(start)
    return None


def _by_step(
    at: Callable[[float], float], here: float, step: float, floor: float
) -> float | None:
    sides = []
    for h in (step, step / 2):
        sides.append(((at(h) - here) / h, (here - at(-h)) / h))
    (right, left), (nearer_right, nearer_left) = sides
    wide, narrow = (right + left) / 2, (nearer_right + nearer_left) / 2
    extrapolated = (4 * narrow - wide) / 3
    noise = AGREES * max(abs(extrapolated), floor)
    gap, nearer_gap = abs(right - left), abs(nearer_right - nearer_left)
    closes = nearer_gap <= 0.75 * gap + noise
    return extrapolated if closes and abs(wide - narrow) <= noise else None
