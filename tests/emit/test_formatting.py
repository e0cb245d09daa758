"""Breaking one statement at a time gives what black makes of the whole."""

from __future__ import annotations

import ast

import black
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specc.emit.formatting import WIDTH, formatted, literal
from tests.cases.modules import EXAMPLES, compiled, example

NAMES = ", ".join(f"argument_{i}: Tensor" for i in range(8))
SUM = " + ".join(f"values[{i}].square()" for i in range(9))
MODULES = [
    f"def f({NAMES}) -> None:\n    return None\n",
    f"class A:\n    def f(self, {NAMES}) -> None:\n        return {SUM}\n",
    f"def f(t):\n    if t:\n        target = f(g({SUM}), {SUM})  # (25, batch)\n",
    "def f(t):\n    return 0.1 * 0.97 ** t * 2 ** g(t)\n",
    "def g():\n    return 1\n\n\n@cached\ndef f(a):\n    return {\n"
    f'        "a": f({SUM}, {SUM}),\n    }}\n\n\nclass B:\n    """B."""\n\n\nX = 1\n',
    f"def f(t):\n    # {'a comment of any length ' * 5}\n    return t\n",
]

DEEP = """model deep
input x: real[2]
target y: real[1]
layers { repeat(30) { linear(3, weight=normal(std=0.25, truncated=true)) tanh } linear(1) }
loss mse
optimizer sgd(lr=0.1, momentum=0.9, nesterov=true, weight_decay=0.0001)
"""


def whole(text: str) -> str:
    return black.format_str(text, mode=black.Mode(line_length=WIDTH))


@pytest.mark.parametrize("text", MODULES)
def test_statement_by_statement_is_what_black_makes_of_the_whole(text: str) -> None:
    assert formatted(text) == whole(text)


@pytest.mark.parametrize("text", [DEEP, *map(example, EXAMPLES)], ids=lambda t: t[:16])
def test_emitted_modules_are_what_black_makes_of_them(text: str) -> None:
    module = compiled(text)
    assert module == whole(module)


@given(st.text())
def test_a_literal_is_the_text_in_ascii(text: str) -> None:
    found = literal(text)
    assert ast.literal_eval(found) == text
    assert found.isascii() and "\n" not in found


@given(st.text(alphabet="ab'\"\\ \n", max_size=8))
def test_a_literal_has_the_quotation_marks_that_black_prefers(text: str) -> None:
    statement = f"x = {literal(text)}\n"
    assert whole(statement) == statement
