"""Spelling suggestions: the known names that a misspelt name resembles.

Takes a name and the known names, returns the nearest. Invariant: a name is suggested only if a
typing error explains the difference, or if one name is the other with a word added (`leaky`,
`leaky_relu`); an unrelated neighbour never is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LONGEST = 100
"""The number of characters of a name that are compared."""
MOST = 3
"""The largest number of suggestions."""
ERRORS = 3
"""The largest number of typing errors in a name; in a short one, one for every three letters."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean ...?` with the nearest known names, or "" if none is near."""
    near = [f"`{other}`" for other in nearest(name, known)]
    if not near:
        return ""
    *others, last = near
    return f"did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def nearest(name: str, known: Iterable[str]) -> Sequence[str]:
    """Return the known names that are spelled most like `name`, at most MOST of them."""
    names = sorted(set(known))
    word = name[:LONGEST].lower()
    same = [other for other in names if plain(other) == plain(word)]
    if same:
        return same[:MOST]
    limit = min(len(word) // 3, ERRORS)
    distances = {other: distance(word, other.lower(), limit) for other in names}
    least = min(distances.values(), default=limit + 1)
    if least <= limit:
        return [name for name, far in distances.items() if far == least][:MOST]
    return [other for other in names if _extends(word, other.lower())][:MOST]


def plain(name: str) -> str:
    """Return a name without capitals and underscores: `LeakyReLU` and `leaky_relu` are one."""
    return name.replace("_", "").lower()


def distance(a: str, b: str, limit: int) -> int:
    """Return how many letters to insert, remove, replace or swap with the next make `b` of `a`.

    A distance above `limit` is returned as `limit + 1`, without computing it.
    """
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    far = limit + 1
    earlier: list[int] = []
    before = [min(j, far) for j in range(len(b) + 1)]
    for i, char in enumerate(a, 1):
        row = [far] * (len(b) + 1)
        row[0] = min(i, far)
        for j in range(max(1, i - limit), min(len(b), i + limit) + 1):
            other = b[j - 1]
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and other == a[i - 2]:
                least = min(least, earlier[j - 2] + 1)
            row[j] = min(least, far)
        if min(row) > limit:
            return far
        earlier, before = before, row
    return before[-1]


def _extends(word: str, other: str) -> bool:
    """True if one name is the other with words before or behind it."""
    if len(word) < 3 or len(other) < 3:
        return False
    shorter = other.startswith(f"{word}_") or other.endswith(f"_{word}")
    return shorter or word.startswith(f"{other}_")
