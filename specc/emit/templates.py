"""Topics -> text: the one module that knows jinja.

Takes the name of a template and the topics, gives the text. Invariant: what a template prints is
Code, and nothing it names is missing.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from specc.emit.pieces import Code

if TYPE_CHECKING:
    from jinja2 import Environment


def rendered(name: str, topics: Mapping[str, object]) -> str:
    """Fill in a template, named by its path in `templates/`, as those that it includes are."""
    return _environment().get_template(name).render(topics)


@functools.cache
def _environment() -> Environment:
    """Read each template once, and compile it once for all runs."""
    from jinja2 import (
        BytecodeCache,
        Environment,
        FunctionLoader,
        StrictUndefined,
        Undefined,
    )
    from jinja2 import __version__ as version
    from jinja2.bccache import Bucket

    from specc.syntax.resources import folder, keep, kept

    options: dict[str, Any] = {
        "trim_blocks": True,
        "lstrip_blocks": True,
        "keep_trailing_newline": True,
        "autoescape": False,
    }
    compiled_by = f"{version} {options}"

    class Kept(BytecodeCache):
        """Compiled templates; a bucket refuses those of another text."""

        def load_bytecode(self, bucket: Bucket) -> None:
            found = kept(f"template-{bucket.key}", compiled_by)
            if found is not None:
                bucket.bytecode_from_string(found)

        def dump_bytecode(self, bucket: Bucket) -> None:
            keep(f"template-{bucket.key}", compiled_by, bucket.bytecode_to_string())

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
        **options,
        bytecode_cache=Kept(),
    )
