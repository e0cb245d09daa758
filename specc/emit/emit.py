"""The topics of a module -> its text: the templates, black, and a last look at the result.

Control flow is in the templates, formulas come from the Programs. The templates are formatted as
they stand, which a test checks on every golden.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from specc.emit.formatting import formatted
from specc.emit.templates import rendered

STDLIB = frozenset(
    """__future__ argparse atexit collections contextlib ctypes fcntl functools hashlib itertools
    json math os shlex shutil subprocess sys tempfile threading time typing warnings
    weakref""".split()
)

FORBIDDEN = re.compile(r"\b(eval|exec|__import__)\b")
"""What no module calls."""


def emitted(
    template: str, topics: Mapping[str, object], packages: frozenset[str]
) -> str:
    """Return a whole module of Python, header included, which may import these packages."""
    from specc.emit.seal import sealed

    text = formatted(tidy(rendered(template, topics)))
    check(text, packages)
    return sealed(text)


def tidy(text: str) -> str:
    """Leave two blank lines at most, and one line end at the end."""
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text.strip("\n") + "\n"


class UnsafeModule(Exception):
    """The emitted text is not what the templates say: always a bug in specc."""


def check(text: str, packages: frozenset[str]) -> None:
    """Parse the module; refuse characters, imports and calls that no template writes."""
    if not text.isascii():
        raise UnsafeModule("the module is not plain ASCII")
    tree = ast.parse(text)
    for statement in _statements(tree):
        imported: list[str] = []
        if isinstance(statement, ast.Import):
            imported = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            imported = ["" if statement.level else statement.module or ""]
        for name in imported:
            if name.partition(".")[0] not in STDLIB | packages:
                raise UnsafeModule(f"the module imports `{name}`")
    if FORBIDDEN.search(text):  # in a string, or else a name
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and FORBIDDEN.fullmatch(node.id):
                raise UnsafeModule(f"the module calls {node.id}")


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield every statement, without visiting expressions, which are many more."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for field in ("body", "orelse", "handlers", "finalbody", "cases"):
            below = getattr(node, field, [])
            waiting += below if isinstance(below, list) else []
