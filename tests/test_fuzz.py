"""Texts that nobody meant: never an exception, never a long wait, never a module that is not one.

`FUZZ=20000 pytest tests/test_fuzz.py` tries more of them, from other seeds.
"""

from __future__ import annotations

import ast
import os
import random
import re
import time
from pathlib import Path

import pytest

from specc.compiler import compile_source
from specc.diagnostics import render
from specc.source import Source, Unreadable, read

ROOT = Path(__file__).parent.parent
FILES = [*ROOT.glob("examples/*.spec"), *ROOT.glob("tests/diagnostics/*.spec")]
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(FILES)]
TEXTS = [text for text in TEXTS if len(text) < 3000]
TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|\w+|\s+|.', re.DOTALL)
SLOW = 2.0
"""Seconds that no text may take."""

HOSTILE = [
    "\0", "\u202e", "\u200b", "\ufeff", "\u2028", "\r", "\t", "\f", "\x1b[2J", "ﬁ", "数",
    "{{ 1 }}", "{% raw %}", '"""', "'''", "# -*- coding: utf-7 -*-", "+AGEAIA-", "\\", "${x}",
    "__import__('os')", '"\\"', "(" * 80, "{" * 80, "-" * 80, "1e999", "9" * 400, "10^12",
    "2^62", "real[1e9]", "int[]", "linear(10^12)", "repeat(10^9) {", "x = y = z", "param in in",
    "-D", "none", "true", "pi", "a" * 300, "#" * 300, " " * 3000,
]  # fmt: skip

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


def mutated(chance: random.Random) -> str:
    """Change one of the texts: cut, swap, repeat or splice its tokens or characters."""
    text = chance.choice(TEXTS)
    for _ in range(chance.choice((1, 1, 2, 4))):
        parts = TOKEN.findall(text) if chance.random() < 0.7 else list(text)
        if not parts:
            return text
        at, end = sorted(chance.randrange(len(parts) + 1) for _ in range(2))
        end = min(end, at + chance.choice((1, 1, 3, 30)))
        other = TOKEN.findall(chance.choice(TEXTS)) or [""]
        start = chance.randrange(len(other))
        match chance.randrange(8):
            case 0:
                parts = parts[:at]
            case 1:
                parts[at:end] = []
            case 2:
                parts[at:at] = [chance.choice(HOSTILE)]
            case 3:
                parts[at:end] = [chance.choice(HOSTILE)]
            case 4:
                parts[at:end] = parts[at:end] * chance.choice((2, 20))
            case 5:
                parts[at:end] = other[start : start + chance.choice((1, 3, 30))]
            case 6:
                parts[at:end] = [chance.choice(parts)]
            case 7:
                parts = parts[:at] + other[start:]
        text = "".join(parts)
    return text[:20_000]


def examine(text: str) -> str:
    """Compile a text in the examples' folder; give what was wrong with that, or nothing."""
    source = Source(str(ROOT / "examples" / "net.spec"), text)
    start = time.process_time()
    made = compile_source(source, {})
    for output_format in ("full", "json", "github", "concise"):
        shown = render(made.diagnostics, output_format)
        if re.search(r"[\0-\x08\x0b-\x1f\x7f\u200b\u202e\u2028]", shown):
            return f"{output_format} shows a control character"
    if time.process_time() - start > SLOW:
        return f"took {time.process_time() - start:.1f} s"
    errors = [d for d in made.diagnostics if d.severity == "error"]
    if bool(errors) == (made.text is not None):
        return "a module in spite of errors, or none without"
    for found in made.diagnostics:
        if not 0 <= found.span.start <= found.span.end <= len(found.span.source.text):
            return f"{found.code} points outside the text"
    if made.text is not None:
        ast.parse(made.text)
        if not made.text.isascii():
            return "the module is not plain ASCII"
    return ""


def trial(seed: int) -> None:
    text = mutated(random.Random(seed))
    try:
        problem = examine(text)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {text!r}") from error
    assert not problem, f"seed {seed}: {problem}: {text!r}"


@pytest.mark.parametrize("text", WHOLE + HOSTILE, ids=range(len(WHOLE + HOSTILE)))
def test_texts_that_are_no_specs_are_told_so(text):
    assert not examine(text)
    assert not examine(f"model a\n{text}\nloss mse\n")


def test_mutated_specs():
    count = int(os.environ.get("FUZZ", "300"))
    first = 0 if count == 300 else 1000
    for seed in range(first, first + count):
        trial(seed)


def test_bytes_that_are_no_text_are_unreadable(tmp_path):
    chance = random.Random(0)
    path = tmp_path / "net.spec"
    for text in TEXTS[:100]:
        data = bytearray(text.encode())
        for _ in range(3):
            data.insert(chance.randrange(len(data) + 1), chance.randrange(256))
        path.write_bytes(data)
        try:
            source = read(str(path))
        except Unreadable as error:
            assert "UTF-8" in str(error) or "NUL" in str(error)
        else:
            assert not examine(source.text)
