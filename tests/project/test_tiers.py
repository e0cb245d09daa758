"""The two tiers: what the quick one has of every test, and where `make` finds what runs alone."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import changed, tiers

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def product(**axes: tuple[Any, ...]) -> list[Any]:
    """Make the cases of a test that has been parametrized by each of these."""
    rows: list[dict[str, Any]] = [{}]
    for name, values in axes.items():
        rows = [{**row, name: value} for row in rows for value in values]
    marks = [SimpleNamespace(args=(name,)) for name in axes if name != "target"]
    return [
        SimpleNamespace(
            callspec=SimpleNamespace(params=row, id="-".join(map(str, row.values()))),
            iter_markers=lambda _: marks,
        )
        for row in rows
    ]


AXES = {"name": tuple("abcdefg"), "batch": (1, 2, 7, 32), "target": ("torch", "c")}


def test_every_value_of_every_dimension_has_its_turn() -> None:
    walked = tiers.quick(product(**AXES), "a.py::test_product")
    assert len(walked) == 7
    for name, values in AXES.items():
        assert {case.callspec.params[name] for case in walked} == set(values)


def test_a_small_product_and_one_dimension_run_whole() -> None:
    small = product(name=("a", "b", "c"), target=("torch", "numpy", "c"))
    assert tiers.quick(small, "a.py::test_small") == small
    one = product(name=tuple(range(200)))
    assert tiers.quick(one, "a.py::test_one") == one


def test_a_chosen_case_that_is_not_there_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(tiers.CHOSEN, "a.py::test_product", ("g-1-c",))
    [case] = tiers.quick(product(**AXES), "a.py::test_product")
    assert case.callspec.id == "g-1-c"
    monkeypatch.setitem(tiers.CHOSEN, "a.py::test_product", ("h-1-c",))
    with pytest.raises(pytest.UsageError, match="has no case"):
        tiers.quick(product(**AXES), "a.py::test_product")


@pytest.mark.parametrize("test", tiers.CHOSEN)
def test_every_test_of_the_table_exists_and_has_a_case(test: str) -> None:
    file, name = test.split("::")
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.M)
    assert tiers.CHOSEN[test]


def test_make_runs_every_test_that_runs_alone() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (named,) = re.findall(r"^ALONE := -m alone (.*)$", makefile, re.M)
    marked = {
        str(test.relative_to(ROOT))
        for test in TESTS
        if re.search(r"pytest\.mark\.alone\b", test.read_text(encoding="utf-8"))
    }
    assert marked - {"tests/project/test_tiers.py"} == set(named.split())


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("specc/ir/ops.py", "tests/ir"),
        ("specc/targets/c/printing/products.py", "tests/targets/c"),
        ("specc/check/arguments/bind.py", "tests/check"),
        ("templates/numpy/fit.py.j2", changed.GOLDENS),
        ("tests/cases/fits.py", "tests/emitted/training/test_resume.py"),
        ("tests/emitted/training/trajectories/a.npz", "tests/emitted/training"),
        ("tests/cli/test_list.py", "tests/cli/test_list.py"),
    ],
)
def test_quick_runs_the_tests_of_what_changed(path: str, test: str) -> None:
    assert test in changed.tests_of(path)


def test_every_folder_of_the_compiler_has_tests() -> None:
    folders = {path.parent for path in (ROOT / "specc").glob("*/*.py")}
    lacking = {
        f.name
        for f in folders
        if not changed.tests_of(f"specc/{f.name}/a.py") - {changed.GOLDENS}
    }
    assert lacking == set()
