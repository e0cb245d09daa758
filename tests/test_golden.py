"""The modules under generated/ are what the compiler makes of examples/ now."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from specc.compiler import compile_source
from specc.output import is_ours
from specc.place import recorded_command
from specc.source import read
from tests.modules import TARGETS

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.spec"))
GENERATED = ROOT / "generated"
ON_EVERY_TARGET = pytest.mark.parametrize("target", TARGETS)


def emitted(spec: Path, target: str) -> str:
    source = read(str(spec))
    result = compile_source(
        source, {}, target, "code", recorded_command(spec.name, {}, target)
    )
    assert result.text is not None, result.diagnostics
    return result.text


def test_there_are_examples():
    assert EXAMPLES


@ON_EVERY_TARGET
@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.stem)
def test_generated_is_up_to_date(spec, target, goldens):
    goldens.compare(GENERATED / target / f"{spec.stem}.py", emitted(spec, target))


@ON_EVERY_TARGET
def test_generated_holds_nothing_else(target, goldens):
    texts = {f"{spec.stem}.py": emitted(spec, target) for spec in EXAMPLES}
    goldens.compare_folder(GENERATED / target, "*", texts)


@ON_EVERY_TARGET
@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.stem)
def test_emitted_text_is_plain(spec, target):
    text = emitted(spec, target)
    assert text.isascii() and is_ours(text)
    assert [line for line in text.splitlines() if len(line) > 88] == []
    ast.parse(text)


def test_a_stale_golden_fails_with_a_diff_and_the_command(tmp_path, goldens):
    goldens.update = False
    (tmp_path / "net.py").write_text("old\n")
    with pytest.raises(pytest.fail.Exception) as failure:
        goldens.compare(tmp_path / "net.py", "new\n")
    assert "-old" in str(failure.value) and "+new" in str(failure.value)
    assert "pytest tests/test_golden.py --update-golden" in str(failure.value)


def test_a_golden_that_nothing_makes_fails_and_is_pruned(tmp_path, goldens):
    (tmp_path / "gone.py").write_text("")
    goldens.update = False
    with pytest.raises(pytest.fail.Exception, match="gone.py"):
        goldens.compare_folder(tmp_path, "*.py", {})
    goldens.update = True
    goldens.compare_folder(tmp_path, "*.py", {"net.py": "x = 1\n"})
    assert [path.name for path in tmp_path.iterdir()] == ["net.py"]
