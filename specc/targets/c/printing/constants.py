"""Numbers -> constants of C, written as a person derives them: `sqrt(2.0)`, not 17 digits.

Invariant: what is written is the same double, to the last bit.
"""

from __future__ import annotations

from specc.emit.constants import ratio


def constant(number: float) -> str:
    """Write a double: a fraction, a root, or its digits."""
    found = ratio(number)
    if found is None:
        return repr(number)
    quotient = f"{found.numerator}.0 / {found.denominator}"
    if not found.root:
        return f"({quotient})"
    inside = quotient if found.denominator > 1 else f"{found.numerator}.0"
    return f"sqrt({inside})"
