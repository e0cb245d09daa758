"""Lines of C that fit: what is longer is broken after a comma, or a comment between words.

Takes text that is formatted but for its long lines, which names of the user's make, gives text of
`WIDTH` columns where words allow it. No tool that formats C is asked: none is there everywhere.
"""

from __future__ import annotations

import itertools
import re
import textwrap

WIDTH = 96
"""How long a line may be."""


def formatted_c(text: str) -> str:
    """Break every line that is too long: of code, and of comments."""
    lines: list[str] = []
    given = text.splitlines()
    at = 0
    while at < len(given):
        line = given[at]
        if not line.lstrip().startswith("/*"):
            lines += [line] if len(line) <= WIDTH else _code(line)
            at += 1
            continue
        end = at
        while "*/" not in given[end]:
            end += 1
        block = given[at : end + 1]
        lines += _comment(block) if any(len(part) > WIDTH for part in block) else block
        at = end + 1
    return "\n".join(lines) + "\n"


def wrapped(code: str, indent: int = 0) -> list[str]:
    """Break a call or a signature, below what follows the bracket that is still open."""
    start = " " * indent
    room = WIDTH - indent
    if len(code) <= room:
        return [start + code]
    below = code.index("(") + 1
    head, tail = code[:below], code[below:]
    pieces = [piece for piece in re.split(r"(?<=,) ", tail) if piece]
    if max(map(len, pieces)) > room - below:
        whole = re.sub(r"load\([^()]*\)", lambda m: m[0].replace(" ", "~"), tail)
        pieces = re.split(r"(?<=,) | (?=(?:==|[-+*]|&&?|[?:]) )", whole)
        pieces = [piece.replace("~", " ") for piece in pieces]
    if max(map(len, pieces)) > room - below and below > 4:
        return [start + head, *wrapped_words(pieces, start + "    ")]
    lines = wrapped_words(pieces, start + " " * below)
    return [start + head + lines[0].lstrip(), *lines[1:]]


def wrapped_words(words: list[str], start: str) -> list[str]:
    """Fill lines that begin with `start`."""
    lines = [start + words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(start + word)
    return lines


def _code(line: str) -> list[str]:
    statement = line.lstrip()
    if " = " in statement and " ? " in statement:  # a choice between numbers
        indent = line[: len(line) - len(statement)]
        first, *others = re.split(r" (?=(?:[?:]|<=) )", statement)
        return [indent + first, *wrapped_words(others, indent + "    ")]
    if statement.startswith("#"):
        return [line]
    body, mark, comment = statement.partition(" /* ")
    indent = line[: len(line) - len(statement)]
    if mark:
        return [
            f"{indent}/* {comment}",
            *formatted_c(indent + body.rstrip()).splitlines(),
        ]
    return wrapped(statement, len(indent)) if "(" in statement else [line]


def _comment(block: list[str]) -> list[str]:
    """Fill the paragraphs of a comment that have a line which is too long."""
    indent = block[0][: len(block[0]) - len(block[0].lstrip())]
    room = WIDTH - len(indent) - 6
    inside = [line.strip().removesuffix("*/").rstrip() for line in block]
    inside = [line.removeprefix("/*").removeprefix("*") for line in inside]
    texts = [line.removeprefix(" ") for line in inside]
    lines: list[str] = []
    for blank, group in itertools.groupby(texts, key=lambda text: not text):
        paragraph = list(group)
        if not blank and any(len(text) > room for text in paragraph):
            words = " ".join(text.strip() for text in paragraph)
            paragraph = textwrap.wrap(words, room, break_long_words=False)
        lines += paragraph
    first, *others = (line.rstrip() for line in lines)
    starred = [f"{indent}/* {first}", *(f"{indent} * {line}" for line in others)]
    starred = [line.rstrip() for line in starred]
    return [
        *starred[:-1],
        f"{starred[-1].removesuffix(' *')} */".replace("  */", " */"),
    ]
