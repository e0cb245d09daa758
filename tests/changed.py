"""Print the tests of what has changed since the last commit, for `make quick`.

A stage's tests lie in the folder of its name; `BESIDE` has what else a path is tested by. Goldens
are compared after any change of the compiler: they are the quickest test of all of it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDENS = "tests/targets/test_golden.py"

BESIDE = {
    "specc/model/": ("tests/check", "tests/derive"),
    "specc/library/network/": ("tests/emitted/mathematics",),
    "specc/library/training/": ("tests/emitted/training",),
    "specc/targets/python/": ("tests/targets/torch", "tests/targets/numpy"),
    "specc/targets/": ("tests/targets/test_coverage.py",),
    "specc/compiler.py": ("tests/passes", "tests/targets/test_coverage.py"),
    "templates/python/": ("tests/emitted/module", "tests/emitted/training"),
    "templates/": ("tests/emitted/module/test_text.py",),
    "grammar/": ("tests/syntax",),
    "examples/": ("tests/run", "tests/check/test_diagnostics.py"),
    "docs/": ("tests/project/test_docs.py", "tests/cli/test_list.py"),
    "README.md": ("tests/project/test_docs.py",),
    "pyproject.toml": ("tests/project",),
    "Makefile": ("tests/project",),
}
"""The beginning of a path -> tests that look at it beside those of its folder."""


def tests_of(path: str) -> set[str]:
    """Return the files and folders of tests that a changed file concerns."""
    parts = Path(path).parts
    found = {
        test
        for start, tests in BESIDE.items()
        if path.startswith(start)
        for test in tests
    }
    if parts[0] in ("specc", "grammar", "templates", "examples", "generated"):
        found.add(GOLDENS)
    if parts[0] in ("specc", "templates"):  # specc/targets/c/flow.py -> tests/targets/c
        stage = parts[1:-1] if parts[0] == "specc" else ("targets", *parts[1:-1])
        depths = range(1, len(stage) + 1)
        found |= {str(Path("tests", *stage[:n])) for n in depths} - {"tests/targets"}
    if parts[0] == "tests":
        found |= _tests_in(path)
    return {test for test in found if (ROOT / test).exists()}


def _tests_in(path: str) -> set[str]:
    """Return a changed test itself, the tests that import a changed table, or those beside data."""
    if Path(path).name.startswith("test_"):
        return {path}
    module = path.removesuffix(".py").replace("/", ".")
    if not path.endswith(".py"):
        folder = Path(path).parent
        while not list((ROOT / folder).glob("test_*.py")):
            folder = folder.parent
        return {str(folder)}
    tests = (ROOT / "tests").rglob("test_*.py")
    return {
        str(test.relative_to(ROOT))
        for test in tests
        if f"{module} import" in test.read_text()
    }


def changed() -> list[str]:
    """Return the files that differ from the last commit, new ones too."""
    commands = ("git diff --name-only HEAD", "git ls-files --others --exclude-standard")
    ran = (
        subprocess.run(c.split(), cwd=ROOT, capture_output=True, text=True, check=True)
        for c in commands
    )
    return [line for each in ran for line in each.stdout.splitlines()]


if __name__ == "__main__":
    print(*sorted({test for path in changed() for test in tests_of(path)}))
