"""The faults that are none: another text that computes the same, and why.

Each entry is a pattern of what a fault prints as, with its reason. `docs/proof.md` lists every
survivor of the recorded run with the reason that is found here; one without is a hole.
"""

from __future__ import annotations

import re

from tests.mutation.faults import Fault

REASONS: tuple[tuple[str, str], ...] = (
    (r"bits: .*2\*\*\(64 \+ 1\)", "the bits above 64 are cut off by the next line"),
    (
        r"permutation: .*(>> \(1 \+ 1\)|, \(1 \+ 1\)\))",
        "the order of 62 random bits is that of 63, unless two agree in 62",
    ),
    (
        r"mask: .*>= rate -> .*> rate|drop: .*>= rate -> .*> rate",
        "a uniform number is the rate itself once in 2^53",
    ),
    (r"initialize: .*fill_\(0\.0\) -> pass", "the flat buffer is made of zeros"),
    (
        r"Parameters\.__init__: .*flat\[.* \+ 1\)\]",
        "a slice that ends beyond the buffer ends with it",
    ),
    (
        r"Buffers\.__init__: .*flat\[.* \+ 1\)\]",
        "a slice that ends beyond the buffer ends with it",
    ),
    (
        r"Run\.watch: .*reference - MIN_DELTA.*reference \+ MIN_DELTA",
        "min_delta is 0 in this spec",
    ),
    (r"measure: .*x\[\(0 \+ 1\)\]", "any sample serves as the origin of sums"),
)


def reason(example: str, fault: Fault) -> str:
    """Say why a fault is none; empty where nobody knows."""
    for pattern, why in REASONS:
        if re.search(pattern, str(fault)):
            return why
    return ""
