"""What a target cannot write is said at compile time, with the targets that can."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from specc.compiler import Request, compile_source, stages
from specc.syntax.diagnostics import Diagnostic, render
from specc.syntax.source import Source
from specc.targets.coverage import uncovered
from specc.targets.numpy import operations
from specc.targets.registry import TARGETS, target_called
from tests.cases.modules import checked
from tests.cases.networks import CASES

TEXT = """model net
input x: real[2]
target y: int[]
layers {
  linear(4)
  tanh
  linear(5)
  sigmoid
  linear(3)
}
loss cross_entropy
optimizer sgd(lr=0.1)
schedule exponential_decay(rate=0.1)
metric accuracy
"""


def without(*ops: str, patch: pytest.MonkeyPatch, table: str = "tensor") -> None:
    """Take operations from the numpy target."""
    kept = {
        op: text
        for op, text in getattr(operations.NUMPY, table).items()
        if op not in ops
    }
    lesser: Any = replace(operations.NUMPY, **{table: kept})
    patch.setattr(operations, "NUMPY", lesser)


def findings(target: str = "numpy", stage: str = "code") -> tuple[Diagnostic, ...]:
    result = compile_source(
        Source("net.spec", TEXT), Request(target=target, stage=stage)
    )
    assert (result.text is None) == bool(result.diagnostics)
    assert all(found.code == "E038" for found in result.diagnostics)
    return result.diagnostics


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_no_target_lacks_anything(name: str, target: str) -> None:
    model, language = checked(CASES[name]), target_called(target)
    assert uncovered(model, stages(model, language).derived, language) == []


def test_an_activation_that_is_missing_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without("tanh", patch=monkeypatch)
    able = ", ".join(f"`{name}`" for name in TARGETS if name != "numpy")
    assert render(findings()) == (
        "error[E038]: the target `numpy` has no `tanh`\n"
        " --> net.spec:6:3\n"
        "  |\n"
        "6 |   tanh\n"
        "  |   ^^^^ needs it\n"
        f"  = targets that have it: {able}\n"
    )
    assert findings("torch") == ()
    assert findings(stage="opt") and not findings(stage="grad")


MISSING = {
    "sigmoid": (8, "tensor"),
    "argmax": (14, "tensor"),
    "pick": (11, "tensor"),
    "minus_one_hot": (11, "tensor"),
    "exp": (13, "scalar"),
    "mm": (5, "tensor"),
}


@pytest.mark.parametrize("op", MISSING)
def test_the_place_is_what_needs_it(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line, table = MISSING[op]
    without(op, patch=monkeypatch, table=table)
    found = findings()
    assert {f"the target `numpy` has no `{op}`"} == {each.message for each in found}
    assert line in {each.span.line for each in found}


def test_what_can_be_made_of_others_is_not_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """log_softmax comes down to logsumexp, which is what is missing then."""
    without("log_softmax", patch=monkeypatch)
    (found,) = {each.message for each in findings()}
    assert found == "the target `numpy` has no `logsumexp`"
    without("sub", patch=monkeypatch)
    assert len({each.message for each in findings()}) == 2
