"""Which module writes the files of which target: the one that its folder calls `module`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specc.derive.derive import Derived
    from specc.ir.target import Target
    from specc.model.model import Model


def written(
    model: Model, derived: Derived, target: Target, command: str, stem: str
) -> dict[str, str]:
    """Return the files of a module, of optimized programs: ending -> text.

    Files that name each other are called `stem`.
    """
    writer = import_module(f"specc.targets.{target.name}.module")
    files: dict[str, str] = writer.written(model, derived, target, command, stem)
    return files
