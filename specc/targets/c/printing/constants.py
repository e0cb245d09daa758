"""Numbers -> constants of C, written as a person derives them: `sqrt(2.0 / 25)`, not 17 digits.

Invariant: what is written is the same double, to the last bit.
"""

from __future__ import annotations

import math
import re

SHORT = 8
"""How many characters a number may have that nobody would derive."""
NUMERATORS = (2, 6, 1, 3)
"""Those of the roots that initializers and activations have."""
MOST = 1_000_000
"""The largest divisor under a root."""
PARTS = 33
"""Beyond the largest numbers of a fraction."""


def constant(number: float, formula: str = "") -> str:
    """Write a double, which may have come from a formula such as `sqrt(6 / fan_in)`."""
    plain = repr(number)
    if not 0 < number < math.inf or (len(plain) <= SHORT and not formula):
        return plain
    for numerator in range(1, PARTS):
        under = round(numerator / number)
        if 1 < under < PARTS and numerator / under == number:
            return plain if len(plain) <= SHORT else f"({numerator}.0 / {under})"
    under = round(1 / (number * number))
    if "1 / sqrt" in formula and 1 < under < MOST and 1 / math.sqrt(under) == number:
        return f"(1 / sqrt({under}.0))"
    said = [int(digits) for digits in re.findall(r"sqrt\((\d+) /", formula)]
    for numerator in (*said, *NUMERATORS):
        under = round(numerator / (number * number))
        if 0 < under < MOST and math.sqrt(numerator / under) == number:
            return (
                f"sqrt({numerator}.0 / {under})"
                if under > 1
                else f"sqrt({numerator}.0)"
            )
    return plain
