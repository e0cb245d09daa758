"""Texts that nobody meant: never an exception, never a long wait, never a module that is not one.

`python -m tests.fuzz.fuzzing 100000 0` tries more of them.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from specc.check.layer_names import LIMIT
from specc.syntax.source import Source, Unreadable, read
from tests.cases.modules import TARGETS
from tests.fuzz import fuzzing
from tests.fuzz.fuzzing import (
    HOSTILE,
    ROOT,
    Tried,
    chunk,
    drawn,
    examine,
    imported,
    trial,
)

PARTS, EACH = 10, 500
"""How many processes of the tests try how many texts."""

WHOLE = [
    "",
    "\n",
    "#",
    "model",
    "model a",
    "model a\r\rinput x: real[2]\r",
    "\ufeff# specc\nmodel a",
    '"' * 500,
    "(" * 5000,
    "a" * 5000,
    "{[(" * 2000,
    "f(1," * 2000,
    "loss " * 500,
    "\u200b" * 5000,
    "§" * 500,
    "model a\n" + "".join(f"block b{i} {{ b{i - 1} b{i - 1} }}\n" for i in range(300)),
    "model a\nlayers {" + "repeat(9) {" * 60 + "relu" + "}" * 61,
    "model a\nparam a = " + "9^" * 60 + "9",
    "model a\n" + "".join(f"param p{i} = {i}\n" for i in range(500)),
    "model a\ninput x: real[" + "9," * 60 + "9]",
]


@pytest.mark.parametrize("text", WHOLE + HOSTILE, ids=range(len(WHOLE + HOSTILE)))
def test_texts_that_are_no_specs_are_told_so(text: str, tmp_path: Path) -> None:
    tried = Tried(tmp_path)
    for whole in (text, f"model a\n{text}\nloss mse\n"):
        if "\0" in whole:  # which a file cannot have
            (tmp_path / "a.spec").write_text(whole)
            with pytest.raises(Unreadable, match="NUL"):
                read(str(tmp_path / "a.spec"))
        assert not examine(whole, 0, tried)


DEEP = {
    "linear(2) layer_norm residual { linear(2) tanh }": (LIMIT - 1) // 6,
    "batch_norm": (LIMIT - 1) // 2,
    "dropout(0.2) layer_norm": (LIMIT - 1) // 3,
    "gelu(approximate=tanh)": LIMIT - 1,
    "waves": (LIMIT - 1) // 3,
    "batch_norm waves linear(2)": (LIMIT - 1) // 6,
}
"""What is slow to compile, as many times as a network may have it."""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("layers", DEEP)
def test_the_deepest_network_takes_no_longer(layers: str, target: str) -> None:
    """As many layers as there may be, and as much in definitions."""
    waves = " + ".join(f"sin({n} * x)" for n in range(2, 9))
    definition = f"def activation waves(x) = {waves}\n" if "waves" in layers else ""
    text = (
        f"model deep\ninput x: real[2]\ntarget y: real[1]\n{definition}layers {{\n"
        f"  repeat({DEEP[layers]}) {{ {layers} }}\n  linear(1)\n}}\n"
        "loss mse\noptimizer adam(lr=0.1)\n"
    )
    made, _, took = fuzzing.compiled(Source("deep.spec", text), target)
    assert made.text is not None and not made.diagnostics
    assert took / max(fuzzing.slowness(), 1.0) < fuzzing.SLOW


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_texts(part: int) -> None:
    """In a process that never imports torch, so that its size is the compiler's."""
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.fuzzing",
        str(EACH),
        str(part * EACH),
        "--chunk",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    *failed, last = ran.stdout.splitlines()
    assert not failed
    assert last.split()[:2] == ["TRIED", str(EACH)], ran.stderr


def test_texts_are_of_every_kind() -> None:
    """The same for a seed; among them bytes, modules, what the grammar makes, and no text twice."""
    made = [drawn(seed) for seed in range(400)]
    assert made == [drawn(seed) for seed in range(400)]
    assert len(set(map(str, made))) > 380
    assert sum(isinstance(text, bytes) for text in made) > 20
    chance = random.Random(0)
    for rule in ("statement", "layers", "definition", "expr"):
        assert fuzzing.derived(rule, chance)


def test_a_crash_is_told_with_its_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(*arguments: object, **others: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(fuzzing, "LARGE", 10**9)  # this process has torch
    monkeypatch.setattr(fuzzing, "compile_source", crashes)
    tried = trial(7, 2, tmp_path)
    assert [seed for seed, _ in tried.failures] == [7, 8]
    assert "planted" in tried.failures[0][1]


def test_a_large_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzing, "LARGE", 1000)
    tried = trial(0, 5, tmp_path)
    assert tried.count == 1 and "MB" in tried.failures[0][1]


def test_a_slow_text_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "SLOW", -1.0)
    assert "took" in examine("model a", 0, Tried(tmp_path))


def test_a_module_that_does_not_import_is_told(tmp_path: Path) -> None:
    tried = Tried(tmp_path)
    tried.modules["0123"] = 42
    (tmp_path / "m_0123.py").write_text("import nothing_of_this_name\n")
    [(seed, problem)] = imported(tried)
    assert seed == 42 and "ModuleNotFoundError" in problem


def test_modules_of_valid_texts_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "LARGE", 10**9)
    monkeypatch.setattr(fuzzing, "drawn", lambda seed: fuzzing.sound()[seed])
    tried = chunk(0, 4)
    assert len(tried.modules) == 4 and not tried.failures
