"""Small specs for the tests of the front end: statements in, findings and a Model out."""

from __future__ import annotations

from collections.abc import Mapping

from specc.compiler import analyse
from specc.model.model import Model
from specc.syntax.diagnostics import Diagnostic
from specc.syntax.source import Source

STATEMENTS = {
    "model": "model net",
    "param": "",
    "input": "input x: real[2]",
    "target": "target y: real[1]",
    "def": "",
    "block": "",
    "layers": "layers { linear(4) relu linear(1) }",
    "loss": "loss mse",
    "optimizer": "optimizer sgd(lr=0.1)",
    "schedule": "",
    "early_stopping": "",
    "train": "",
    "metric": "",
    "data": "",
}
"""A whole spec, statement by statement; `spec` changes some of them."""

CLASSES = {
    "target": "target y: int[]",
    "layers": "layers { linear(4) relu linear(3) }",
    "loss": "loss cross_entropy",
}
"""What a network that tells classes apart says instead."""


def spec(**changes: str) -> str:
    """Write a spec with other statements (`def_` for `def`), a line each."""
    given = {name.rstrip("_"): text for name, text in changes.items()}
    assert given.keys() <= STATEMENTS.keys()
    lines = [line for line in (STATEMENTS | given).values() if line]
    return "\n".join(lines) + "\n"


def checked(
    text: str, overrides: Mapping[str, str] | None = None
) -> tuple[Model | None, tuple[Diagnostic, ...]]:
    """Analyse a text as the file `net.spec`."""
    return analyse(Source("net.spec", text), overrides or {})


def model_of(text: str, overrides: Mapping[str, str] | None = None) -> Model:
    """Give the model of a text without errors."""
    model, found = checked(text, overrides)
    assert model is not None, [finding.message for finding in found]
    return model


def codes(text: str, overrides: Mapping[str, str] | None = None) -> list[str]:
    """Give the codes of what is found, in order."""
    return [finding.code for finding in checked(text, overrides)[1]]
