"""Derivatives by differences of the loss alone, with kinks told apart from slopes.

Takes a function of numbers that may be moved in place, gives its slope along a direction. A slope
is the central difference, extrapolated from a step and half of it (Richardson 1911). It is taken
where both agree and where the one-sided slopes close up with the step; where no step has that, the
function has a kink there and no slope, and None is given: nobody's gradient is looked at for that.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
AGREES = 1e-6
"""How near both central differences are, relative to the slope, before they are believed."""


def slope(
    function: Callable[[], float], numbers: Tensor, direction: Tensor, floor: float
) -> float | None:
    """Return d function / d numbers along `direction`, None at a kink.

    `numbers` is moved in place and comes back as it was; slopes below `floor` count as noise.
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
