"""`specc list` and docs/reference.md: every word, from the library alone."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from specc.cli.main import main
from specc.cli.words import HEADINGS, Item, chosen, items, listing, parts_of, reference
from specc.ir.functions import FORMULAS, FUNCTIONS
from specc.library import VOCABULARY
from specc.library.vocabulary import KINDS, Entry
from tests.cases.goldens import Goldens

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = [entry for words in VOCABULARY.values() for entry in words.values()]

FORMULA = {"activation": r"\bx\b", "schedule": r"\blr\b", "optimizer": "="}
"""What the first sentence of a docstring has to hold, to be a formula of its kind."""


def lacking(item: Item) -> list[str]:
    """Say what the docstring of a word does not tell."""
    missing = []
    if not item.formula:
        missing.append("a docstring whose first sentence says what it computes")
    elif not re.search(FORMULA.get(item.kind, ""), item.formula):
        missing.append(f"a formula first (with {FORMULA[item.kind]}), as in `1 / x.`")
    if not item.source:
        missing.append("`Source: ...` at the end: literature, or `torch.nn.ReLU.`")
    return missing


def of(entry: Entry) -> Item:
    """Give the item of an entry."""
    [item] = [i for i in items() if (i.kind, i.name) == (entry.kind, entry.name)]
    return item


def test_the_reference_page_is_up_to_date(goldens: Goldens) -> None:
    goldens.compare(ROOT / "docs" / "reference.md", reference())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e.kind}-{e.name}")
def test_every_docstring_tells_formula_and_source(entry: Entry) -> None:
    missing = lacking(of(entry))
    file = inspect.getsourcefile(entry.make) or ""
    assert not missing, f"{Path(file).name}, `{entry.name}` lacks: {'; '.join(missing)}"


@pytest.mark.parametrize(
    ("kind", "docstring", "count"),
    [
        ("activation", "", 2),
        ("activation", "max(x, 0).", 1),
        ("activation", "The rectifier. Source: torch.nn.ReLU.", 1),
        ("activation", "Source: torch.nn.ReLU.", 1),
        ("schedule", "lr / 2. Source: nobody.", 0),
        ("metric", "The share. More of it.", 1),
    ],
)
def test_what_a_docstring_lacks_is_found(kind: str, docstring: str, count: int) -> None:
    formula, details, source = parts_of(docstring)
    item = Item(kind, "word", "word", formula, details, (), source)
    assert len(lacking(item)) == count


@pytest.mark.parametrize(
    ("docstring", "parts"),
    [
        ("x itself.", ("x itself.", "", "")),
        ("x. Source: He et al. 2015.", ("x.", "", "He et al. 2015")),
        ("0.5 x,\n    e.g. 1.\n\n    More.\n", ("0.5 x, e.g. 1.", "More.", "")),
        ("A.\n\n    B.\n    `c` d. Source: E.\n    ", ("A.", "B. `c` d.", "E")),
        ("", ("", "", "")),
    ],
)
def test_a_docstring_is_taken_apart(
    docstring: str, parts: tuple[str, str, str]
) -> None:
    assert parts_of(docstring) == parts


def test_every_word_is_listed_once() -> None:
    listed = [(item.kind, item.name) for item in items()]
    assert len(listed) == len(set(listed))
    assert {(entry.kind, entry.name) for entry in ENTRIES} <= set(listed)
    assert set(KINDS) | {"function"} == HEADINGS.keys()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e.kind}-{e.name}")
def test_every_argument_is_listed(entry: Entry) -> None:
    names = [a.name for a in entry.arguments]
    shown = of(entry).arguments
    assert [line.name for line in shown] == names
    assert all(line.takes for line in shown)


@pytest.mark.parametrize(
    ("word", "argument", "takes", "default"),
    [
        ("linear", "units", "an integer, at least 1", None),
        ("linear", "bias", "an initializer or `none`", "zeros"),
        ("he_normal", "mode", "`fan_in` or `fan_out`", "fan_in"),
        ("sgd", "momentum", "a number, at least 0 and below 1", "0"),
        ("exponential_decay", "gamma", "a number or `none`, above 0", "none"),
        ("csv", "features", "a list of strings or `none`", "none"),
        ("csv", "stratify", "`true`, `false` or `auto`", "auto"),
    ],
)
def test_arguments_say_what_they_take(
    word: str, argument: str, takes: str, default: str | None
) -> None:
    [item] = chosen([word])
    [line] = [line for line in item.arguments if line.name == argument]
    assert (line.takes, line.default) == (takes, default)


def test_every_function_has_its_formula() -> None:
    arities = {text.partition("(")[0]: text.count(",") + 1 for text in FORMULAS}
    assert arities == {name: count for name, (_, count) in FUNCTIONS.items()}
    assert all(text.endswith(".") for text in FORMULAS.values())


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        ([], set(HEADINGS)),
        (["losses"], {"loss"}),
        (["loss"], {"loss"}),
        (["sgd"], {"optimizer"}),
        (["constant"], {"initializer", "schedule"}),
        (["metrics", "relu"], {"metric", "activation", "function"}),
    ],
)
def test_words_are_chosen_by_name_and_kind(names: list[str], kinds: set[str]) -> None:
    assert {item.kind for item in chosen(names)} == kinds


@pytest.mark.parametrize(
    ("name", "said"),
    [("sgdd", "did you mean `sgd`?"), ("looses", "did you mean `losses`?")],
)
def test_a_misspelt_name_is_told_what_was_meant(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", name]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and said in printed.err


@pytest.mark.parametrize("width", [56, 72, 100])
def test_the_text_fits_the_terminal(width: int) -> None:
    lines = listing(items(), "full", width).splitlines()
    assert [line for line in lines if len(line) > width] == []
    assert max(map(len, lines)) > width - 12


@pytest.mark.parametrize("names", [[], ["data"], ["sgd", "mse"]])
def test_json_is_one_object_a_line(
    names: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", *names, "--output-format", "json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = [(i.kind, i.name, i.signature) for i in chosen(names)]
    assert [(f["kind"], f["name"], f["signature"]) for f in found] == expected


def test_concise_is_one_line_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "activations", "--output-format", "concise"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(VOCABULARY["activation"])
    assert "relu: max(x, 0), with derivative 0 at 0." in lines


def test_the_page_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["list", "--output-format", "markdown"]) == 0
    assert capsys.readouterr().out == reference()


def test_formulas_are_no_markup() -> None:
    """Outside of code, what Markdown reads as emphasis, a tag or a link is escaped."""
    item = Item("loss", "w", "w", "a * b < c of `d * e` and x_.", "t[0].", (), "n_.")
    shown = listing([item], "markdown")
    assert r"a \* b \< c of `d * e` and x\_. t\[0\]." in shown


def test_without_a_terminal_there_is_no_colour() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "specc", "list"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert done.returncode == 0 and "\x1b" not in done.stdout
    assert done.stdout == listing(items(), "full", 80)


def test_the_help_names_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--help"]) == 0
    words = set(re.findall(r"\w+", capsys.readouterr().out))
    assert set(HEADINGS.values()) <= words
