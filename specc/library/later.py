"""What the language has and this version refuses as not available yet.

Takes a word, tells its kinds. Invariant: no word is both here and in the VOCABULARY under
one kind. Arguments that are not available yet stand at their entry, as `later`.
"""

from __future__ import annotations

from specc.library.entry import VOCABULARY

LATER: dict[str, tuple[str, ...]] = {}
"""Words of the language that this version refuses as not available yet, by kind."""


def words(kind: str) -> set[str]:
    """Give every word of a kind, those that are not available yet included."""
    return {*VOCABULARY[kind], *LATER.get(kind, ())}


def kinds_of(word: str) -> list[str]:
    """Give the kinds that a word belongs to."""
    return [kind for kind in VOCABULARY if word in words(kind)]
