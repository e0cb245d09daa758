"""Black, asked about what is too long: the one module that knows it.

Takes text that is formatted but for its long lines and its powers; returns text of `WIDTH` columns.
Black takes a millisecond for a line and more than its share for a long module, so it gets one
statement at a time; a test on every golden shows that the whole module would come out the same.
Importing black takes longer than all that it is asked, so its answers are cached between runs.
"""

from __future__ import annotations

import functools
import marshal
import os
import re
from importlib.util import find_spec

from specc.syntax.resources import keep, kept

WIDTH = 88
"""How long a line may be."""
DIGIT = re.compile("[0-9]")
NO_STATEMENT = ""
"""The cached answer where black refuses a text."""
MOST_ANSWERS = 1000
"""How many of black's answers are cached for later runs."""
MOST_IN_MEMORY = 4096
"""How many a process remembers: a long one must not grow with what it compiles."""


def formatted(text: str) -> str:
    """Break every statement that stands on one line and does not fit."""
    latest = next(reversed(_answers()), None)
    lines: list[str] = []
    for line in text.splitlines():
        lines += _statement(line) if len(line) > WIDTH or "**" in line else [line]
    if any(
        len(line) > WIDTH for line in lines
    ):  # within an expression: slower, and rare
        lines = [line for block in _blocks(lines) for line in _whole(block)]
    if next(reversed(_answers()), None) != latest:
        _keep_answers()
    return "\n".join(lines) + "\n"


def literal(text: str) -> str:
    """Write a string as plain ASCII, in the quotation marks that need fewer backslashes."""
    quote = '"' if text.count('"') <= text.count("'") else "'"
    escaped = text.encode("unicode_escape").decode().replace(quote, f"\\{quote}")
    return f"{quote}{escaped}{quote}"


def _blocks(lines: list[str]) -> list[list[str]]:
    """Part a module before each function, class or statement that has lines below it."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.startswith(("@", "class ", "def ")) and blocks[-1][-1:] == [""]:
            blocks.append([])
        blocks[-1].append(line)
    return blocks


def _whole(block: list[str]) -> list[str]:
    """Let black have a whole function or class, where a line of it does not fit."""
    if all(len(line) <= WIDTH for line in block):
        return block
    below = len(block) - len("\n".join(block).rstrip().split("\n"))
    made = _black("\n".join(block) + "\n", WIDTH).rstrip().split("\n")
    return made + [""] * below


def _statement(line: str) -> list[str]:
    statement = line.lstrip()
    if statement.startswith(("#", '"', "'")):
        return [line]
    indent = line[: len(line) - len(statement)]
    body = "\n    pass" if statement.startswith("def ") else ""
    try:
        made = _black(statement + body, WIDTH - len(indent))
    except ValueError:  # part of a longer statement
        return [line]
    return [indent + piece for piece in made.removesuffix(f"{body}\n").splitlines()]


def forget() -> None:
    """Forget all answers, to measure how long a first compilation takes."""
    _answers().clear()


def _black(text: str, width: int) -> str:
    """Let black format a text, whose digits it neither reads nor moves.

    Layers that are alike have statements that differ by a number, so that it is asked once.
    """
    digits = iter(DIGIT.findall(text))
    made = _asked(DIGIT.sub("1", text), width)
    return DIGIT.sub(lambda _: next(digits), made)


def _asked(text: str, width: int) -> str:
    """Return black's answer; raise ValueError where the text is no statement."""
    answers, question = _answers(), f"{width} {text}"
    if question not in answers:
        try:
            answers[question] = _formatted(text, width)
        except ValueError:
            answers[question] = NO_STATEMENT
        if len(answers) > MOST_IN_MEMORY:
            del answers[next(iter(answers))]
    if answers[question] == NO_STATEMENT:
        raise ValueError("part of a longer statement")
    return answers[question]


@functools.cache
def _answers() -> dict[str, str]:
    """Return black's answers by question, those of earlier runs included."""
    content = kept("black", _version())
    return dict(marshal.loads(content)) if content is not None else {}


def _keep_answers() -> None:
    latest = list(_answers().items())[-MOST_ANSWERS:]
    keep("black", _version(), marshal.dumps(dict(latest)))


@functools.cache
def _version() -> str:
    """Return a text that differs between installed versions of black, without importing it."""
    found = find_spec("black")
    if found is None or found.origin is None or not os.path.exists(found.origin):
        return "unknown"
    file = os.stat(found.origin)
    return f"{found.origin} {file.st_size} {file.st_mtime_ns}"


def _formatted(text: str, width: int) -> str:
    import black
    from black.mode import TargetVersion

    versions = {TargetVersion.PY311}  # a statement alone does not tell
    mode = black.Mode(target_versions=versions, line_length=width)
    return black.format_str(text, mode=mode)
