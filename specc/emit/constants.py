"""Numbers as a person derives them: a fraction, a root, a known constant, not 17 digits.

Invariant: what is written has the same value, to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from specc.emit.language import ATOM, NEGATION, PRODUCT

SHORT = 8
"""The number of characters up to which a number is written as it is."""
PARTS = 33
"""Larger than any numerator or denominator of a fraction."""
NAMED = {
    math.pi: ("math.pi", ATOM),
    2 / math.sqrt(math.pi): ("2 / math.sqrt(math.pi)", PRODUCT),
    math.sqrt(2 / math.pi): ("math.sqrt(2 / math.pi)", ATOM),
}
"""Constants of the normal distribution and of `gelu`, in Python."""


@dataclass(frozen=True)
class Ratio:
    """numerator / denominator, or its square root."""

    numerator: int
    denominator: int
    root: bool


def ratio(number: float) -> Ratio | None:
    """Return a long number as a ratio of small integers or its root, None if it is neither."""
    if len(repr(number)) <= SHORT or not 0 < number < math.inf:
        return None
    for numerator in range(1, PARTS):
        under = round(numerator / number)
        if 1 < under < PARTS and numerator / under == number:
            return Ratio(numerator, under, root=False)
    for numerator in range(1, PARTS):
        under = round(numerator / (number * number))
        if 0 < under < PARTS and math.sqrt(numerator / under) == number:
            return Ratio(numerator, under, root=True)
    return None


def needs_math(number: float) -> bool:
    """True if a number is written with Python's module math."""
    found = ratio(number)
    return number in NAMED or (found is not None and found.root)


def in_python(number: float) -> tuple[str, int]:
    """Write a number in Python; return also how tightly the text binds."""
    if number in NAMED:
        return NAMED[number]
    found = ratio(number)
    if found is None:
        return repr(number), ATOM if number >= 0 else NEGATION
    quotient = f"{found.numerator} / {found.denominator}"
    if not found.root:
        return quotient, PRODUCT
    inside = quotient if found.denominator > 1 else str(found.numerator)
    return f"math.sqrt({inside})", ATOM
