"""What a struct of C may call its members: a spec may use words that C keeps for itself."""

from __future__ import annotations

KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while asm typeof linux unix bool true false vec real mask whole
    errno panel parameters gradient velocity basis
    first_moment second_moment square_average sum_of_squares updates buffers seed""".split()
)
"""What a member of a struct may not be called, or is called already."""


def member(name: str) -> str:
    """Name a member of a struct after a layer, an input or a parameter; capitals are macros."""
    return f"{name}_" if name in KEYWORDS or name.isupper() else name
