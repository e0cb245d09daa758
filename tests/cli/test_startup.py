"""`specc check` and `specc compile` are at hand at once: no heavy import, little time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cases.modules import EXAMPLE_FILES, EXAMPLES

HEAVY = {"torch", "numpy", "matplotlib", "sklearn", "safetensors", "scipy", "pandas"}

LOADED = """
import json, sys
from specc.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def loaded(arguments: list[str]) -> tuple[int, set[str]]:
    """Run a command, give its exit code and which packages it imported."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    code, names = json.loads(done.stdout.splitlines()[-1])
    return code, set(names)


@pytest.mark.parametrize("name", EXAMPLES)
def test_check_and_compile_import_nothing_heavy(name: str, tmp_path: Path) -> None:
    spec = str(EXAMPLE_FILES[name])
    code, names = loaded(["check", spec])
    assert code == 0 and "specc" in names and not names & HEAVY
    code, names = loaded(["compile", spec, "-o", str(tmp_path / "net.py")])
    assert code == 0 and "jinja2" in names and not names & HEAVY


def test_findings_import_nothing_heavy(tmp_path: Path) -> None:
    spec = tmp_path / "net.spec"
    spec.write_text("model net\ninput x: real[2]\nlayers { lineer(1) }\n")
    code, names = loaded(["check", str(spec)])
    assert code == 1 and not names & HEAVY


def test_list_imports_little() -> None:
    code, names = loaded(["list"])
    assert code == 0 and "specc" in names and not names & (HEAVY | {"jinja2", "black"})


def test_help_imports_little() -> None:
    code, names = loaded(["--help"])
    assert code == 0 and not names & (HEAVY | {"lark", "jinja2", "black"})


def seconds(command: list[str], limit: float, kept: Path) -> float:
    """Time whole processes; give the best of at most five, or the first within limit.

    Python keeps bytecode in `kept`, as it does unless told otherwise: the first makes it.
    """
    best = float("inf")
    env = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(kept)}
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            env={**os.environ, **env},
        )
        best = min(best, time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
        if best < limit:
            break
    return best


def a_moment(limit: float, times: float, kept: Path) -> float:
    """Give the seconds, or so many times what `black --version` takes, on a slow machine."""
    return max(limit, times * seconds(["black", "--version"], 0.0, kept))


@pytest.mark.alone
def test_compile_takes_a_moment(tmp_path: Path) -> None:
    module, kept = tmp_path / "disk.py", tmp_path / "kept"
    command = ["specc", "compile", str(EXAMPLE_FILES["disk"]), "-o", str(module)]
    limit = a_moment(0.6, 3.5, kept)
    assert seconds(command, limit, kept) < limit
    assert module.is_file()


@pytest.mark.alone
def test_check_takes_a_moment(tmp_path: Path) -> None:
    command = ["specc", "check", str(EXAMPLE_FILES["disk"])]
    limit = a_moment(0.4, 2, tmp_path)
    assert seconds(command, limit, tmp_path) < limit
