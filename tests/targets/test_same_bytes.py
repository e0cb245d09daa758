"""The same spec, version and options give the same bytes, whoever compiles and wherever."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from specc.cli.destinations import recorded_command
from specc.compiler import Request, compile_source
from specc.syntax.source import read
from tests.cases.modules import EXAMPLE_FILES, ROOT

PLAIN = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
OTHERS: dict[str, dict[str, str]] = {
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed 4294967295": {"PYTHONHASHSEED": "4294967295"},
    "ascii": {
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    },
    "turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "another person": {"HOME": "/nonexistent", "USER": "someone", "TZ": "Asia/Tokyo"},
    "narrow terminal": {"COLUMNS": "20", "LINES": "5", "TERM": "dumb"},
    "optimized": {"PYTHONOPTIMIZE": "1"},
}


def emitted(folder: Path, environment: dict[str, str], umask: int) -> dict[str, bytes]:
    """Compile copies of all examples in `folder`, in a process of its own."""
    folder.mkdir(parents=True)
    for file in (ROOT / "examples").iterdir():
        if file.suffix in {".spec", ".csv", ".npz"}:
            shutil.copy(file, folder)
    names = [path.name for path in EXAMPLE_FILES.values()]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LC_", "LANG", "PYTHON"))
    }
    command = [sys.executable, "-m", "specc", "compile", *names]
    for more in ([], ["--target", "c", "-o", "c/"]):
        done = subprocess.run(
            [*command, *more],
            cwd=folder,
            env=kept | {"PYTHONPATH": str(ROOT)} | PLAIN | environment,
            umask=umask,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    made = [path for path in folder.rglob("*") if path.suffix in {".py", ".c", ".h"}]
    return {str(path.relative_to(folder)): path.read_bytes() for path in made}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Give what a plain environment makes."""
    return emitted(tmp_path_factory.mktemp("plain") / "specs", {}, 0o022)


def test_every_example_is_compiled(plain: dict[str, bytes]) -> None:
    beside = {f"c/{name}.{kind}" for name in EXAMPLE_FILES for kind in ("py", "c", "h")}
    assert set(plain) == {f"{name}.py" for name in EXAMPLE_FILES} | beside


@pytest.mark.parametrize("name", OTHERS)
def test_surroundings_change_nothing(
    plain: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "a folder, größer" / name
    assert emitted(folder, OTHERS[name], 0o077) == plain


def test_nothing_of_the_machine_is_inside(
    plain: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    words = {str(ROOT), str(tmp_path_factory.getbasetemp()), os.path.expanduser("~")}
    for text in plain.values():
        assert not [word for word in words if word.encode() in text]
        assert not re.search(rb"\b20\d\d-\d\d-\d\d\b", text)


def test_a_compilation_does_not_touch_the_next(plain: dict[str, bytes]) -> None:
    """All examples in one process, in another order, give what one each gives."""
    for name in sorted(EXAMPLE_FILES, reverse=True) * 2:
        file = str(EXAMPLE_FILES[name])
        command = recorded_command(file, {}, "torch")
        made = compile_source(read(file), Request(command=command)).text
        assert made is not None and made.encode() == plain[f"{name}.py"]
