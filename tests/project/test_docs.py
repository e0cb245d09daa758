"""What README.md and docs/ show is what specc does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from specc.cli.main import main
from specc.compiler import STAGES, analyse
from specc.library import VOCABULARY
from specc.library.vocabulary import spelled
from specc.syntax.diagnostics import render
from specc.syntax.source import Source
from specc.verify.checks import CHECKS
from tests.cases.goldens import Goldens
from tests.cases.modules import checked, compiled, example, source

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LANGUAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
SIGNATURE = r"^(?:\| )?`(?:metric )?([a-z_]+)\(([^`]*)\)`"
"""At the beginning of a line or of a row stands what is defined there."""
MODULE = (ROOT / "docs" / "module.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STAGE = r"^\*\*`--emit (\w+)`.*?^```\w*\n(.*?)^```$"
"""A stage of the pipeline, and the excerpt of its output below."""


PAGES = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/*.md"))]
PAGES += ["README.md", "examples/README.md", "examples/c/README.md"]


def blocks(text: str, kind: str = "") -> list[str]:
    """Give the fenced blocks of a kind."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M)
    return [inside for of, inside in fenced if of == kind]


def disk(target: str = "torch") -> str:
    return (ROOT / "generated" / target / "disk.py").read_text(encoding="utf-8")


def function(module: str, name: str) -> str:
    """The text of a function of a module."""
    found = re.search(rf"^def {name}\(.*?(?=\n\n\n)", module, re.S | re.M)
    assert found is not None
    return found[0]


def test_the_readme_shows_the_example() -> None:
    assert example("disk") in blocks(README)


def test_the_readme_shows_what_the_example_compiles_to(goldens: Goldens) -> None:
    """With `--update-golden` the functions that it shows are written anew."""
    shown = blocks(README, "python")[0]
    names = re.findall(r"^def (\w+)", shown, re.M)
    assert names == ["forward", "backward"]
    made = "\n\n\n".join(function(disk(), name) for name in names)
    goldens.compare(ROOT / "README.md", README.replace(shown, made + "\n"))


def test_the_module_page_shows_lines_of_the_example() -> None:
    excerpts = [block for block in blocks(MODULE, "python") if "# " in block[:6]]
    assert len(excerpts) == 2
    assert all(
        excerpt in disk(target)
        for excerpt, target in zip(excerpts, ("torch", "numpy"), strict=True)
    )


def test_sizes_are_those_of_the_header() -> None:
    header = (ROOT / "generated" / "c" / "disk.h").read_text(encoding="utf-8")
    sizes = [
        int(n) for n in re.findall(r"DISK_(?:MODEL|RUN)_BYTES (\d+)$", header, re.M)
    ]
    assert len(sizes) == 4
    page = (ROOT / "docs" / "c.md").read_text(encoding="utf-8")
    assert all(f"{size:,} bytes" in page for size in sizes)
    model = min(sizes)
    assert f"{model:,} bytes" in README


def test_the_block_of_the_language_page_compiles() -> None:
    (shown,) = (b for b in blocks(LANGUAGE) if b.startswith("block"))
    rest = "input x: real[4]\ntarget y: real[1]\nloss mse\noptimizer sgd(lr=0.1)\n"
    names = [node.name for node in checked(f"model net\n{shown}{rest}").nodes]
    assert names == ["linear1", "relu1", "code.linear1", "code.relu1", "linear2"]


def test_the_program_of_the_readme_runs(tmp_path: Path) -> None:
    program = next(block for block in blocks(README, "python") if "disk.Model" in block)
    (tmp_path / "disk.py").write_text(compiled(example("disk"), {"width": "8"}))
    (tmp_path / "use.py").write_text(program)
    ran = subprocess.run(
        [sys.executable, "use.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "'accuracy'" in ran.stdout and (tmp_path / "disk.safetensors").exists()


@pytest.mark.parametrize("page", [README, LANGUAGE], ids=["README", "language"])
def test_the_definitions_of_a_page_become_what_it_shows(page: str) -> None:
    defined = next(block for block in blocks(page) if block.startswith("def "))
    shown = next(block for block in blocks(page, "python") if "swish1" in block)
    text = compiled(
        "model net\ninput point: real[2]\ntarget y: real[1]\noptimizer sgd(lr=0.1)\n"
        + defined,
        target="numpy",
    )
    made = " ".join(text.replace("# ", "").split())
    for part in shown.split("...\n"):
        assert " ".join(part.replace("# ", "").split()) in made


def test_the_error_of_the_readme_is_what_specc_says() -> None:
    shown = next(block for block in blocks(README) if block.startswith("error["))
    text = example("disk").replace("weight=he_normal", "weigth=he_normal")
    _, found = analyse(Source("disk.spec", text), {})
    assert render(found, "full", False).strip() == shown.strip()


@pytest.mark.parametrize(
    "block", [b for b in blocks(LANGUAGE) if b.startswith("model")]
)
def test_the_specs_of_the_language_page_are_right(block: str) -> None:
    checked(block)


def test_the_language_page_names_every_word() -> None:
    words = {
        word
        for kind, entries in VOCABULARY.items()
        if kind != "setting"
        for word in entries
    }
    words |= {"train", "early_stopping", "repeat", "block", "param"}
    code = " ".join(re.findall(r"`[^`]*`|\*\*[^*]*\*\*", LANGUAGE))
    assert [w for w in sorted(words) if not re.search(rf"\b{w}\b", code)] == []


def test_the_language_page_gives_signatures_as_they_are() -> None:
    """Each word that the page writes with arguments has these, with these defaults."""
    entries = [e for words in VOCABULARY.values() for e in words.values()]
    wrong = []
    for word, given in re.findall(SIGNATURE, LANGUAGE, re.M):
        shown = [
            re.split(r"\s*=\s*", part.strip(), maxsplit=1) for part in _parts(given)
        ]
        shown = [part for part in shown if re.fullmatch("[a-z_]+[0-9]?", part[0])]
        known = [
            {a.name: None if a.required else spelled(a.default) for a in e.arguments}
            for e in entries
            if e.name == word
        ]
        if known and not any(_agrees(shown, arguments) for arguments in known):
            wrong.append((word, shown, known))
    assert wrong == []


def _agrees(shown: list[list[str]], arguments: dict[str, str | None]) -> bool:
    """Whether an entry has these arguments; strings and lists are examples, not defaults."""
    return all(
        name in arguments
        and (not value or value[0][0] in '["' or arguments[name] in (None, value[0]))
        for name, *value in shown
    )


def _parts(arguments: str) -> list[str]:
    """Split arguments at the commas that stand outside of brackets and strings."""
    return re.findall(r'(?:"[^"]*"|\[[^\]]*\]|[^,])+', arguments)


@pytest.mark.parametrize(
    ("stage", "shown"), re.findall(STAGE, ARCHITECTURE, re.S | re.M)
)
def test_the_architecture_page_shows_what_a_stage_prints(
    stage: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each part of an excerpt, between lines of three dots, is in the output as it is."""
    path = tmp_path / "tiny.spec"
    path.write_text(next(b for b in blocks(ARCHITECTURE) if b.startswith("model")))
    assert main(["compile", str(path), "--target", "numpy", "--emit", stage]) == 0
    printed = capsys.readouterr().out
    parts = [part for part in shown.split("...\n") if part]
    assert [part for part in parts if part not in printed] == []


def test_the_architecture_page_shows_every_stage() -> None:
    shown = re.findall(STAGE, ARCHITECTURE, re.S | re.M)
    assert tuple(stage for stage, _ in shown) == STAGES


def test_the_architecture_page_names_every_folder() -> None:
    folders = {path.parent.name for path in (ROOT / "specc").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)/` \|", ARCHITECTURE, re.M)) == folders


def rows(text: str, first: str) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of the table whose head begins so: (network, batch) -> head -> cell."""
    table = text[text.index(first) :].partition("\n\n")[0].splitlines()
    head, _, *lines = [[c.strip() for c in row.strip("|").split("|")] for row in table]
    return {(row[0], row[1]): dict(zip(head, row, strict=True)) for row in lines}


def test_the_readme_repeats_measurements_as_they_are() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    steps = rows(page, "| network | batch | specc, µs")
    epochs = rows(page, "| network | batch | specc c")
    shown = rows(README, "| network | batch |")
    assert shown
    for place, cells in shown.items():
        for name, cell in list(cells.items())[2:]:
            module, peer = name.split(" / ")
            known = steps if module == "torch module" else epochs
            assert known[place][peer] == cell, (place, name)


@pytest.mark.parametrize("page", PAGES)
def test_pages_link_to_what_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_source_names_the_example() -> None:
    assert source(example("disk")).name.endswith("disk.spec")


def test_the_proof_page_has_a_row_for_every_check() -> None:
    page = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| ([\w, -]+) \| .*\|.*\|$", page.split("**Independence")[0], re.M
    )
    named = {name for row in rows for name in row.split(", ")} - {"check"}
    assert named == {check.name for check in CHECKS}
