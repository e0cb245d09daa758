"""The exception for a word that the independent references do not implement.

`specc verify` reports it as such, not as a fault of the module. Invariant: the message names the
file that the word must be added to.
"""

from __future__ import annotations

FOLDER = "specc/verify/reference"


class MissingReference(Exception):
    """A word or an operation without an independent reference; the message names the file."""

    def __init__(self, kind: str, word: str, place: str) -> None:
        super().__init__(
            f"{kind} `{word}` has no independent reference: add it to {FOLDER}/{place}"
        )
