"""Decides where emitted modules go and which command they name as their origin.

Takes what the command line says, gives paths and text; touches no file. No two specs
share a path, and no module takes the path of a spec.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path

from specc.check.arguments.reserved_names import hides_module


def destinations(models: Mapping[str, str], given: str | None) -> dict[str, Path]:
    """Return each spec its module's path; `models` maps a spec to the name of its model.

    `given` is a Python file or a folder, and None means beside the spec. Raises
    `ValueError` where that leaves no place, or one place for two files.
    """
    places: dict[str, Path] = {}
    taken = {
        os.path.realpath(spec): f"the spec {spec}" for spec in models if spec != "-"
    }
    for spec, model in models.items():
        path = _destination(spec, model, given)
        owner = taken.setdefault(os.path.realpath(path), f"the module of {spec}")
        if owner != f"the module of {spec}":
            raise ValueError(f"{path} would be both {owner} and the module of {spec}")
        places[spec] = path
    return places


def stem_of(spec: str, given: str | None) -> str | None:
    """Return what a module's files are called, or None where only the model can tell."""
    if given is not None and not is_folder(given):
        return Path(given).stem
    stem = "" if spec == "-" else Path(spec).stem
    importable = stem.isidentifier() and stem.isascii() and not iskeyword(stem)
    return stem if importable and not hides_module(stem) else None


def _destination(spec: str, model: str, given: str | None) -> Path:
    """Name the module like the spec, or like the model where that makes no good module."""
    name = f"{stem_of(spec, None) or model}.py"
    if given is None:
        return Path(spec).with_name(name)
    if is_folder(given):
        return Path(given) / name
    if not given.endswith(".py"):
        raise ValueError(
            f"`{given}` is not a Python file; for a folder write `{given}/`"
        )
    return Path(given)


def is_folder(given: str) -> bool:
    """True if a path is a folder, or is meant to become one."""
    return given.endswith(("/", os.sep)) or Path(given).is_dir()


def recorded_command(spec: str, overrides: Mapping[str, str], target: str) -> str:
    """Return the command that a module names as its origin.

    It is the same wherever the spec lies and the module goes: the file's name without
    its folder, overrides in order of name. Any character but letters, digits and
    `._=+,-` becomes `_`, so that the text is safe in a comment and in a docstring.
    """
    words = ["specc", "compile", Path(spec).name]
    words += [] if target == "torch" else ["--target", target]
    for name, value in sorted(overrides.items()):
        words += ["-D", f"{name}={value}"]
    return " ".join("".join(map(_harmless, word)) for word in words)


def _harmless(char: str) -> str:
    return char if char.isascii() and (char.isalnum() or char in "._=+,-") else "_"
