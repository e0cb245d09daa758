"""What Python and C write for a number is that number, to the last bit."""

from __future__ import annotations

import math
import random

import pytest

from specc.emit.constants import in_python, needs_math
from specc.targets.c.printing.constants import constant
from tests.cases.modules import module_of_spec

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
        text, _ = in_python(number)
        assert eval(text, {"math": math}) == number, text
        assert needs_math(number) == ("math." in text)


@pytest.mark.parametrize("target", ["torch", "numpy", "c"])
def test_a_rate_with_a_root_finds_math(target: str) -> None:
    """The binding of C imports math only where something needs it."""
    module = module_of_spec(
        "model net\ninput x: real[2]\ntarget y: real[1]\nlayers { linear(1) }\n"
        "def schedule odd(lr, t, total) = lr / (1 + t / sqrt(2))\nschedule odd\n"
        "loss mse\noptimizer sgd(lr=0.1)\ntrain(epochs=3, batch_size=4)\n",
        target=target,
    )
    assert module.learning_rate(3) == 0.1 / (1 + 3 / math.sqrt(2))
