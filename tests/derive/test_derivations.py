"""Every derivation that a Program carries stands in the emitted text, above code of its own."""

from __future__ import annotations

import pytest

from specc.compiler import optimized
from specc.derive.derive import derive
from specc.derive.lower import lower
from specc.targets.registry import target_called
from tests.cases.modules import checked, compiled
from tests.cases.networks import CASES


def plain(text: str) -> str:
    """Take away what only breaks lines: comment signs, stars, spaces."""
    return " ".join(text.replace("#", " ").replace("*", " ").replace("/*", " ").split())


@pytest.mark.parametrize("target", ["torch", "numpy"])
@pytest.mark.parametrize("name", CASES)
def test_no_derivation_is_lost(name: str, target: str) -> None:
    """Those of the functions of a step, once for each Value that has one."""
    language = target_called(target)
    derived = optimized(derive(lower(checked(CASES[name])), language), language)
    text = plain(compiled(CASES[name], target=target))
    programs = (derived.loss_gradient, derived.backward, derived.update)
    said = [plain(v.derivation) for p in programs for v in p.values if v.derivation]
    assert said
    assert [each for each in said if each not in text] == []
