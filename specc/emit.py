"""Programs -> the text of a module: the view, the templates, black, and a last look at the result.

Control flow is in the templates, formulas come from the Programs. The templates are formatted as
they stand, which a test checks on every golden.
"""

from __future__ import annotations

import ast
import functools
from typing import TYPE_CHECKING, Any

from specc.derive import Derived
from specc.formatting import formatted
from specc.model import Model
from specc.targets.text import Target
from specc.view import Code

if TYPE_CHECKING:
    from jinja2 import Environment

STDLIB = frozenset(
    """__future__ argparse atexit collections contextlib ctypes fcntl functools hashlib itertools
    json math os shlex shutil subprocess sys tempfile threading time typing""".split()
)


def emit(model: Model, derived: Derived, target: Target, command: str) -> str:
    """Give the whole module, header included."""
    from specc.module_view import module_view
    from specc.output import sealed

    view = module_view(model, derived, target, command)
    return sealed(_module(view, target))


def emit_c(
    model: Model, derived: Derived, target: Target, command: str, stem: str
) -> dict[str, str]:
    """Give a source and a header of C, and the module that binds them: ending -> text."""
    from specc.c_formatting import formatted_c
    from specc.c_view import c_view
    from specc.module_view import facts_view, training_view
    from specc.output import sealed, sealed_c

    facts = facts_view(model, target, command) | training_view(model)
    view = facts | c_view(model, derived, facts, stem)
    files = {".py": sealed(_module(view, target))}
    for ending in (".c", ".h"):
        text = formatted_c(_tidy(rendered(f"c/net{ending}.j2", view)))
        if not text.isascii():
            raise UnsafeModule(f"{stem}{ending} is not plain ASCII")
        files[ending] = sealed_c(text)
    return files


def _module(view: dict[str, Any], target: Target) -> str:
    text = formatted(_tidy(rendered(f"{target.name}/module.py.j2", view)))
    check(text, target.imports)
    return text


def rendered(name: str, view: dict[str, Any]) -> str:
    """Fill in a template, named by its path in `templates/`, as those that it includes are."""
    return _environment().get_template(name).render(view)


@functools.cache
def _environment() -> Environment:
    """Read each template once."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined, Undefined

    from specc.resources import folder

    def finalize(piece: object) -> str:
        if isinstance(piece, Undefined):
            return str(piece)  # raises, naming what is missing
        if not isinstance(piece, Code):
            raise TypeError(f"a template prints {piece!r}, which is not Code")
        return piece.text

    templates = folder("templates")
    return Environment(
        loader=FunctionLoader(lambda file: (templates / file).read_text("utf-8")),
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def _tidy(text: str) -> str:
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
    for node in ast.walk(ast.parse(text)):
        imported: list[str] = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = ["" if node.level else node.module or ""]
        elif isinstance(node, ast.Name) and node.id in ("eval", "exec", "__import__"):
            raise UnsafeModule(f"the module calls {node.id}")
        for name in imported:
            if name.partition(".")[0] not in STDLIB | packages:
                raise UnsafeModule(f"the module imports `{name}`")
