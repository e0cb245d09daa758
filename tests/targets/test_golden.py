"""The modules under generated/ are what the compiler makes of examples/ now."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from specc.cli.destinations import recorded_command
from specc.compiler import Request, compile_source
from specc.emit.seal import is_ours
from specc.syntax.source import read
from tests.cases.modules import TARGETS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.spec"))
GENERATED = ROOT / "generated"
ON_EVERY_TARGET = pytest.mark.parametrize("target", TARGETS)


@functools.cache
def emitted(spec: Path, target: str) -> dict[str, str]:
    """Compile an example: the name of each file of its module -> the text."""
    source = read(str(spec))
    command = recorded_command(spec.name, {}, target)
    result = compile_source(
        source, Request(target=target, command=command, stem=spec.stem)
    )
    assert result.text is not None, result.diagnostics
    texts = {".py": result.text, **result.beside}
    return {f"{spec.stem}{ending}": text for ending, text in texts.items()}


def test_there_are_examples():
    assert EXAMPLES


@ON_EVERY_TARGET
@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.stem)
def test_generated_is_up_to_date(spec, target, goldens):
    for name, text in emitted(spec, target).items():
        goldens.compare(GENERATED / target / name, text)


@ON_EVERY_TARGET
def test_generated_holds_nothing_else(target, goldens):
    texts = {k: v for spec in EXAMPLES for k, v in emitted(spec, target).items()}
    goldens.compare_folder(GENERATED / target, "*", texts)


@ON_EVERY_TARGET
@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.stem)
def test_emitted_text_is_plain(spec, target):
    for name, text in emitted(spec, target).items():
        width = 88 if name.endswith(".py") else 100
        assert text.isascii() and is_ours(text)
        assert [line for line in text.splitlines() if len(line) > width] == []
        if name.endswith(".py"):
            ast.parse(text)


def test_a_stale_golden_fails_with_a_diff_and_the_command(tmp_path, goldens):
    goldens.update = False
    (tmp_path / "net.py").write_text("old\n")
    with pytest.raises(pytest.fail.Exception) as failure:
        goldens.compare(tmp_path / "net.py", "new\n")
    assert "-old" in str(failure.value) and "+new" in str(failure.value)
    assert "pytest tests/targets/test_golden.py --update-golden" in str(failure.value)


def test_a_golden_that_nothing_makes_fails_and_is_pruned(tmp_path, goldens):
    (tmp_path / "gone.py").write_text("")
    goldens.update = False
    with pytest.raises(pytest.fail.Exception, match="gone.py"):
        goldens.compare_folder(tmp_path, "*.py", {})
    goldens.update = True
    goldens.compare_folder(tmp_path, "*.py", {"net.py": "x = 1\n"})
    assert [path.name for path in tmp_path.iterdir()] == ["net.py"]
