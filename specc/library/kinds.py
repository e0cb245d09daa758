"""The kinds of words that the vocabulary has, and what messages call each kind.

Takes a kind, returns text. Invariant: every kind has a name for one word and a name for many.
"""

from __future__ import annotations

KINDS = (
    "layer",
    "activation",
    "initializer",
    "loss",
    "optimizer",
    "schedule",
    "metric",
    "data",
    "setting",
)

HEADINGS = {
    "layer": "layers",
    "activation": "activations",
    "initializer": "initializers",
    "loss": "losses",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "metric": "metrics",
    "data": "data",
    "setting": "settings",
    "function": "functions",
}
"""The plural of each kind, and of the functions of expressions, in the order of the listing."""


def noun(kind: str) -> str:
    """Return what a message calls one word of a kind."""
    return "data source" if kind == "data" else kind


def article(kind: str) -> str:
    """Return that name with `a` or `an` before it."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {noun(kind)}"
