"""Every small fault that a person might make in an emitted C source.

Takes the text of a source, gives Faults, as `faults` does for Python: an operator, a number, a
comparison or a statement is made a wrong one. Only lines that the compiler reads on this machine
are changed: the source has others for other vectors. What all sources share, the kernels, is left
out: it is made for shapes that one network does not have, and tested at those.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path

from specc.explain.code_lines import functions
from tests.verify.mutation.faults import Fault

COMMENT = re.compile(r"/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
TOKEN = re.compile(
    r"[A-Za-z_]\w*|\d[\w.]*(?:[eE][+-]\d+\w*)?|->|[<>=!+\-*/]=|&&|\|\||<<|>>|\S"
)
TYPES = frozenset(
    "real vec bits mask whole const double float int int64_t uint64_t char".split()
)
SIGNS = {"+": "-", "-": "+"}
FACTORS = {"*": "/", "/": "*"}
COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
SUMS = {"+=": "=", "-=": "+=", "*=": "/=", "/=": "*="}
STATEMENT = re.compile(
    r"^\s+(?!return\b|for\b|if\b|else\b|while\b)[\w\->.\[\] +*()]+(?:[-+*/]?=(?!=)|\().*;$"
)
DECLARED = re.compile(
    r"^\s+(?:static\s+)?(?:const\s+)?(?:struct\s+)?\w+\s+\*?\w+(?:\[|\s*=|,|;)"
)
OUTSIDE = re.compile(r"\w*(?:_check|_size|_bytes)\b")


def shared(text: str, other: str) -> set[str]:
    """Name the functions that two sources have word for word."""

    def bodies(source: str) -> dict[str, str]:
        lines = source.splitlines()
        found = functions(source).items()
        return {n: "\n".join(lines[p.lines[0] - 1 : p.lines[1]]) for n, p in found}

    others = bodies(other)
    return {name for name, body in bodies(text).items() if others.get(name) == body}


def c_faults(text: str, outside: Container[str], flags: tuple[str, ...]) -> list[Fault]:
    """Give every fault of a source but in some functions, in the order of its lines."""
    active = _active(text, flags)
    blank = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    made: dict[str, Fault] = {}
    function, at = "", 0
    for number, line in enumerate(blank.split("\n"), start=1):
        named = re.match(r"[A-Za-z].*?\b(\w+)\(", line)
        if named and not line.rstrip().endswith(";"):
            function = named[1]
        inside = line.startswith(" ") and function and function not in outside
        if inside and number in active and not OUTSIDE.fullmatch(function):
            for kind, start, end, new in _changes(line):
                whole = text[: at + start] + new + text[at + end :]
                old = text[at : at + len(line)].strip()
                changed = whole.split("\n")[number - 1].strip()
                made.setdefault(whole, Fault(kind, function, old, changed, whole))
        at += len(line) + 1
    return list(made.values())


def _active(text: str, flags: tuple[str, ...]) -> set[int]:
    """Tell which lines the compiler reads: the others are of vectors that are not there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.c"
        path.write_text(re.sub(r'#include "\w+\.h"', "", text))
        command = ["cc", "-march=native", *flags, "-E", str(path)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found: set[int] = set()
    line, own = 0, False
    for read in ran.stdout.split("\n"):
        marker = re.match(r'# (\d+) "([^"]*)"', read)
        if marker:
            line, own = int(marker[1]), marker[2] == str(path)
            continue
        if own and read.strip():
            found.add(line)
        line += 1
    return found


def _changes(line: str) -> Iterator[tuple[str, int, int, str]]:
    if STATEMENT.match(line) and not DECLARED.match(line):
        start = len(line) - len(line.lstrip())
        yield "statement", start, len(line), ";"
    tokens = [(m[0], m.start(), m.end()) for m in TOKEN.finditer(line)]
    for i, (token, start, end) in enumerate(tokens):
        before = tokens[i - 1][0] if i else ""
        after = tokens[i + 1][0] if i + 1 < len(tokens) else ""
        operand = re.fullmatch(r"[\w.]+|\)|\]", before) and before not in TYPES | {
            "return"
        }
        if token in SIGNS and operand and after not in SIGNS:
            yield "sign", start, end, SIGNS[token]
        elif token in FACTORS and operand and re.match(r"[\w(]", after):
            yield "factor", start, end, FACTORS[token]
        elif token in COMPARISONS and operand:
            yield "comparison", start, end, COMPARISONS[token]
        elif token in SUMS:
            yield "accumulation", start, end, SUMS[token]
        elif re.match(r"\d", token) and before not in ("case",):
            yield "number", start, end, f"({token} + 1)"
