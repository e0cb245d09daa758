"""A word that specc does not have -> what to write instead.

Takes a kind and a name, returns the error. The tables of `other_names.py` are asked first; any
other name is compared with the spelling of known ones. Invariant: a name of a table is answered
from it alone, never with a word that is merely spelled like it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from specc.library.kinds import HEADINGS, article, noun
from specc.library.other_names import ADVICE, CALLED, DEFINABLE, MISSING
from specc.library.vocabulary import kinds_of
from specc.syntax.diagnostics import Diagnostic, error, quoted
from specc.syntax.spelling import did_you_mean, plain
from specc.syntax.tree import Name


def unknown_word(kind: str, name: Name, known: Iterable[str]) -> Diagnostic:
    """Return the error about a `name` that is none of the `known` words of a kind."""
    word = name.text
    label = called(kind, word)
    message = f"unknown {noun(kind)} {quoted(word)}"
    other = kinds_of(word)
    note = ""
    if label:
        pass
    elif word in DEFINABLE.get(kind, ()):
        label = "not built in: define it first"
        note = f"add `{DEFINABLE[kind][word]}`"
    elif plain(word) in _missing(kind):
        message = f"{noun(kind)} {quoted(word)} is not available yet"
        note = listed(kind)
    elif other:
        message = f"`{word}` is {article(other[0])}, not {article(kind)}"
        note = listed(kind)
    else:
        label = did_you_mean(word, known)
        note = "" if label else listed(kind)
    return error("E010", message, name.span, label, note)


def suggestion(kind: str, name: str, known: Iterable[str]) -> str:
    """Return what to write for an unknown `name`: its word here, or the nearest of `known`."""
    if kind == "argument" and name in ADVICE:
        return ADVICE[name]
    words = set(known)
    label = called(kind, name, words if kind == "argument" else None)
    if label or plain(name) in _missing(kind):
        return label
    return did_you_mean(name, words)


def called(kind: str, name: str, known: Iterable[str] | None = None) -> str:
    """Return what specc calls `name`, "" if no table has it; `known` limits the answers."""
    words = _called(kind).get(plain(name), ())
    for word in words:
        if known is None or word in known:
            bare = word.isidentifier()
            return (
                f"{quoted(name)} is called `{word}` here" if bare else f"write `{word}`"
            )
    return ""


def is_missing(name: str, *kinds: str) -> bool:
    """True if other frameworks have `name` in one of the kinds and specc does not have it yet."""
    return any(plain(name) in _missing(kind) for kind in kinds or MISSING)


def listed(kind: str) -> str:
    """Return the note that says which command lists the words of a kind."""
    names = "layers activations" if kind == "layer" else HEADINGS[kind]
    own = "; `npz` and `csv` read your own files" if kind == "data" else ""
    return f"`specc list {names}` shows what is available{own}"


@cache
def _called(kind: str) -> Mapping[str, tuple[str, ...]]:
    """Return the words for each name of a kind."""
    words: dict[str, tuple[str, ...]] = {}
    for word, names in CALLED.get(kind, {}).items():
        for name in map(plain, names.split()):
            words[name] = (*words.get(name, ()), word)
    return words


@cache
def _missing(kind: str) -> frozenset[str]:
    return frozenset(map(plain, MISSING.get(kind, "").split()))
