"""What is kept between runs, lark's tables and compiled templates, changes nothing but the time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from specc.compiler import Request, compile_source
from specc.emit import formatting
from specc.emit.templates import _environment
from specc.syntax import parser, resources
from specc.syntax.source import Source
from tests.cases.modules import example


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep bytecode in a folder of its own, of which the process remembers nothing."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path


def compiled() -> str | None:
    """Compile the disk as a process does that has just started."""
    kept = (parser._grammar, parser._lexer, parser._spellings, _environment)
    for made in (*kept, formatting._answers):
        made.cache_clear()
    source = Source("disk.spec", example("disk"))
    return compile_source(source, Request(target="numpy")).text


def files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*") if path.is_file())


def test_what_is_kept_is_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiled()
    written = files(place)
    assert len(written) > 10
    for name in ("lark.Lark.__init__", "jinja2.Environment._parse", "black.format_str"):
        monkeypatch.setattr(name, None)  # neither is called again
    assert compiled() == first
    assert files(place) == written


def test_errors_are_told_the_same(place: Path) -> None:
    source = Source("net.spec", "model net\ninput x real[2]\nlayers { linear( }\n")
    told = []
    for _ in range(2):
        compiled()
        told.append(compile_source(source).diagnostics)
    assert told[0] and [str(d) for d in told[0]] == [str(d) for d in told[1]]


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, None])
def test_a_damaged_file_is_made_again(place: Path, damage: bytes | None) -> None:
    first = compiled()
    damaged = {}
    for path in files(place):
        damaged[path] = path.read_bytes()[:-9] if damage is None else damage
        path.write_bytes(damaged[path])
    assert compiled() == first
    assert files(place) == sorted(damaged)
    assert all(path.read_bytes() != data for path, data in damaged.items())


def test_what_was_made_of_another_source_is_made_again(place: Path) -> None:
    resources.keep("grammar", "a", b"tables")
    assert resources.kept("grammar", "a") == b"tables"
    assert resources.kept("grammar", "b") is None
    assert compiled()


def test_nothing_is_kept_where_python_keeps_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert compiled() and not files(place)


def test_a_folder_that_cannot_be_made_is_no_error(place: Path) -> None:
    place.rmdir()
    place.write_text("a file where the folder would be")
    assert compiled() and place.is_file()


def test_two_that_start_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    env = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path / "kept")}
    (tmp_path / "disk.spec").write_text(example("disk"))
    command = [sys.executable, "-m", "specc", "compile", "disk.spec", "--stdout"]
    running = [
        subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | env, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    texts = {process.communicate()[0] for process in running}
    assert len(texts) == 1 and all(process.returncode == 0 for process in running)
    tag = f".{sys.implementation.cache_tag}"
    assert {path.suffix for path in files(tmp_path / "kept")} == {".pyc", tag}
