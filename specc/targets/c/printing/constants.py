"""Numbers -> constants of C, written as a person derives them: `sqrt(2.0)`, not 17 digits.

Invariant: what is written is the same double, to the last bit.
"""

from __future__ import annotations

import math

SHORT = 8
"""How many characters a number may have that nobody would derive."""
PARTS = 33
"""Beyond the largest numbers of a fraction."""


def constant(number: float) -> str:
    """Write a double: a fraction, a root, or its digits."""
    plain = repr(number)
    if len(plain) <= SHORT or not 0 < number < math.inf:
        return plain
    for numerator in range(1, PARTS):
        under = round(numerator / number)
        if 1 < under < PARTS and numerator / under == number:
            return f"({numerator}.0 / {under})"
    for numerator in range(1, PARTS):
        under = round(numerator / (number * number))
        if 0 < under < PARTS and math.sqrt(numerator / under) == number:
            return (
                f"sqrt({numerator}.0 / {under})"
                if under > 1
                else f"sqrt({numerator}.0)"
            )
    return plain
