"""What `specc explain E012` says: there for every code, with examples that are what they say."""

from __future__ import annotations

import pytest

from specc.cli.lessons import BASE, LESSONS, lesson
from specc.compiler import analyse
from specc.syntax.diagnostics import CODES
from tests.cases.modules import source

SHOWN = [code for code, each in LESSONS.items() if each.piece]


def codes_of(piece: str, text: str) -> list[str]:
    """Give the codes of what is found in the spec with this piece."""
    first, *others = piece.split()
    changed = {**BASE, first: text, **dict.fromkeys(others, "")}
    _, found = analyse(source("\n".join(changed.values())), {})
    return [finding.code for finding in found]


def test_every_code_is_explained() -> None:
    assert list(LESSONS) == list(CODES)
    assert codes_of("model", BASE["model"]) == []


@pytest.mark.parametrize("code", SHOWN)
def test_the_wrong_example_is_found_under_its_code(code: str) -> None:
    assert code in codes_of(LESSONS[code].piece, LESSONS[code].wrong)


@pytest.mark.parametrize("code", SHOWN)
def test_the_right_example_is_not(code: str) -> None:
    found = codes_of(LESSONS[code].piece, LESSONS[code].right)
    assert code not in found
    assert not [other for other in found if other.startswith("E")]


@pytest.mark.parametrize("code", CODES)
def test_a_lesson_is_plain_and_short(code: str) -> None:
    text = lesson(code)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 88
    examples, cures = LESSONS[code].others, LESSONS[code].cures
    assert len(text.splitlines()) <= 12 + 6 * len(examples) + len(cures) + 1


@pytest.mark.parametrize(
    ("code", "place"),
    [(code, i) for code, each in LESSONS.items() for i in range(len(each.others))],
)
def test_further_examples_are_what_they_say(code: str, place: int) -> None:
    example = LESSONS[code].others[place]
    assert code in codes_of(example.piece, example.wrong)
    found = codes_of(example.piece, example.right)
    assert not [other for other in found if other.startswith("E")]
