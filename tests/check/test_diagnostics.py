"""Every finding, as a user reads it: each file of `diagnostics/` with its exact rendering."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from specc.cli.main import main
from specc.compiler import analyse
from specc.syntax.diagnostics import (
    CODES,
    arranged,
    error,
    render,
    warning,
)
from specc.syntax.excerpt import WIDTH, excerpt
from specc.syntax.source import Source, Span, Unreadable, read
from specc.syntax.spelling import did_you_mean

FOLDER = Path(__file__).parent / "diagnostics"
SPECS = sorted(FOLDER.glob("*.spec"))


def findings(path):
    """Analyse a case with the overrides of its first line, as if in its own folder."""
    source = read(str(path))
    first = source.text.split("\n", 1)[0]
    given = first.removeprefix("# -D ") if first.startswith("# -D ") else ""
    name, _, value = given.partition("=")
    return analyse(source, {name: value} if given else {})


@pytest.fixture
def in_folder(monkeypatch):
    monkeypatch.chdir(FOLDER)


def test_what_cannot_be_read_is_told_as_expected(monkeypatch, goldens, capsys):
    """No text to point at: one line that says why, and the exit code of I/O."""
    folder = FOLDER / "unreadable"
    monkeypatch.chdir(folder)
    texts = {}
    for path in sorted(folder.glob("*.spec")):
        assert main(["check", path.name]) == 2
        texts[f"{path.stem}.expected"] = capsys.readouterr().err
    goldens.compare_folder(folder, "*.expected", texts)


def test_every_case_renders_as_expected(in_folder, goldens):
    texts = {}
    for path in SPECS:
        _, found = findings(path.name)
        texts[f"{path.stem}.expected"] = render(found)
    goldens.compare_folder(FOLDER, "*.expected", texts)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_case_has_a_model_exactly_without_errors(path, in_folder):
    model, found = findings(path.name)
    assert found
    assert (model is None) == any(d.severity == "error" for d in found)
    assert path.stem.startswith("warning_") == (model is not None)


def test_every_code_has_a_case_and_every_case_a_known_code(in_folder):
    raised = {d.code for path in SPECS for d in findings(path.name)[1]}
    assert raised == set(CODES) - {"E038"}  # of one target: targets/test_coverage.py


def test_every_code_in_the_sources_is_in_the_table():
    sources = Path(__file__).resolve().parents[2] / "specc"
    used = {
        code
        for path in sources.rglob("*.py")
        if path.name != "diagnostics.py"
        for code in re.findall(r'"([EW]\d{3})"', path.read_text())
    }
    assert used == set(CODES)


def test_the_form_is_that_of_the_language_reference(in_folder):
    _, found = findings("unknown_argument.spec")
    assert render(found) == (
        "error[E012]: linear has no argument `weigth`\n"
        "  --> unknown_argument.spec:10:19\n"
        "   |\n"
        "10 |     linear(width, weigth=he_normal)\n"
        "   |                   ^^^^^^ did you mean `weight`?\n"
        "   = linear(units, weight=xavier_uniform, bias=zeros)\n"
    )


FINDING = error(
    "E012",
    "no `b`",
    Span(Source("a.spec", "x\nloss b,\n"), 7, 8),
    "did you mean `c`?",
    "f(c)",
)


def test_concise_is_one_line():
    assert render([FINDING], "concise") == "a.spec:2:6: error[E012]: no `b`\n"


def test_json_is_one_object_a_line():
    assert json.loads(render([FINDING], "json")) == {
        "code": "E012",
        "severity": "error",
        "message": "no `b`",
        "file": "a.spec",
        "line": 2,
        "column": 6,
        "end_line": 2,
        "end_column": 7,
        "hint": "did you mean `c`?\nf(c)",
    }


def test_github_is_a_workflow_command_with_escapes():
    span = Span(Source("a,b:c.spec", "loss 100%\n"), 5, 9)
    text = render([error("E010", "100% new\nline", span)], "github")
    assert text == (
        "::error file=a%2Cb%3Ac.spec,line=1,col=6,endLine=1,endColumn=10,title=E010"
        "::100%25 new%0Aline\n"
    )


def test_colour_adds_nothing_but_escapes():
    painted = render([FINDING], color=True)
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render([FINDING])


@pytest.mark.parametrize("output_format", ["full", "concise", "json", "github"])
def test_no_output_has_a_character_that_moves_the_cursor(output_format):
    text = "loss \x1b[2Jmse \u202eevil\x07\n"
    found = error("E010", text, Span(Source("a\x1b.spec", text), 5, 9), text, text)
    shown = render([found], output_format)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", shown)


@pytest.mark.parametrize(
    ("line", "at", "column"),
    [("ab c", 3, 3), ("\tc", 1, 4), ("数c", 1, 2), ("e\u0301c", 2, 1), ("\x07c", 1, 8)],
)
def test_carets_stand_below_the_column_that_a_terminal_shows(line, at, column):
    assert excerpt(Span(Source("a", line), at, at + 1)).start == column


@pytest.mark.parametrize("at", [0, 5, 300, 990])
def test_a_long_line_is_clipped_around_the_carets(at):
    text = "".join(chr(97 + i % 26) for i in range(1000))
    shown = excerpt(Span(Source("a", text), at, at + 3))
    assert len(shown.text) <= WIDTH + 2
    assert shown.text[shown.start : shown.start + 3] == text[at : at + 3]


def test_findings_are_sorted_unique_and_at_most_twenty():
    source = Source("a", "x" * 100)
    found = [error("E010", "no", Span(source, i % 50, 51)) for i in range(100)][::-1]
    found.append(warning("W001", "hm", Span(source, 60, 61)))
    kept = arranged(found, source)
    assert [d.span.start for d in kept] == [*range(20), 60]


def test_suggestions_are_near_or_absent():
    assert did_you_mean("weigth", ["weight", "width"]) == "did you mean `weight`?"
    assert did_you_mean("ReLU", ["relu", "elu"]) == "did you mean `relu`?"
    assert did_you_mean("zzz", ["weight"]) == ""


def test_a_spec_that_cannot_be_read_says_why(tmp_path):
    (tmp_path / "latin.spec").write_bytes(b"model a\n# caf\xe9\n")
    (tmp_path / "wide.spec").write_bytes("model a".encode("utf-16"))
    (tmp_path / "nul.spec").write_bytes(b"model a\n\0")
    for name, reason in {
        "missing.spec": "no such file",
        "latin.spec": "is not UTF-8: byte 0xe9 on line 2",
        "wide.spec": "it looks like UTF-16",
        "nul.spec": "a NUL byte on line 2",
        ".": "it is a folder",
    }.items():
        with pytest.raises(Unreadable, match=reason):
            read(str(tmp_path / name))


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path):
    path = tmp_path / "a.spec"
    path.write_bytes(b"\xef\xbb\xbfmodel a\r\nloss mse\r")
    assert read(str(path)).text == "model a\nloss mse\n"


def test_a_forgotten_ending_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "net.spec").write_text("model net\n")
    with pytest.raises(Unreadable, match=r"no such file; did you mean .*net\.spec\?"):
        read(str(tmp_path / "net"))
    with pytest.raises(Unreadable, match="no such file$"):
        read(str(tmp_path / "nets"))
