"""What C writes for a number is that number, to the last bit."""

from __future__ import annotations

import math
import random

import pytest

from specc.targets.c.printing.constants import constant

DERIVED = {
    math.sqrt(2 / 25): "sqrt(2.0 / 25)",
    math.sqrt(2): "sqrt(2.0)",
    1 / 6: "(1.0 / 6)",
    0.5: "0.5",
    0.001: "0.001",
    1 / math.sqrt(2 * math.pi): "0.3989422804014327",
    math.inf: "inf",
    -math.sqrt(2): "-1.4142135623730951",
}


@pytest.mark.parametrize("number", DERIVED)
def test_a_number_is_written_as_a_person_derives_it(number: float) -> None:
    assert constant(number) == DERIVED[number]


def test_what_is_written_is_the_same_number() -> None:
    draw = random.Random(0)
    numbers = [draw.uniform(0, 3) for _ in range(300)]
    numbers += [math.sqrt(p / q) for p in range(1, 9) for q in range(1, 60)]
    numbers += [p / q for p in range(1, 40) for q in range(1, 40)]
    for number in numbers:
        text = constant(number)
        assert eval(text, {"sqrt": math.sqrt}) == number, text
