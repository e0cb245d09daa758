"""The targets by their names, and what only some of them have.

A new target is one more name here, with its folder in `targets/` and in `templates/`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specc.derive.derived import Derived
    from specc.emit.language import Language
    from specc.model.model import Model
    from specc.targets.c.memory.sizes import Memory

TARGETS = ("torch", "numpy", "c")
"""The names of the targets; the first is the default."""


def target_called(name: str) -> Language:
    """Return the target of a name in `TARGETS`."""
    if name not in TARGETS:
        raise KeyError(name)
    module = import_module(f"specc.targets.{name}.operations")
    language: Language = getattr(module, name.upper())
    return language


def code_of(
    model: Model, derived: Derived, target: Language, command: str, stem: str
) -> dict[str, str]:
    """Return the files of a module, of optimized Programs: ending -> text.

    The module `specc.targets.<name>.module` writes them; files that refer to each other are called
    `stem`.
    """
    writer = import_module(f"specc.targets.{target.name}.module")
    files: dict[str, str] = writer.written(model, derived, target, command, stem)
    return files


def memory_of(model: Model, derived: Derived, target: Language) -> Memory | None:
    """Return what a model of the target takes, where all of it is known ahead: in C."""
    if target.name != "c":
        return None
    from specc.targets.c.memory.sizes import memory

    return memory(model, derived)
