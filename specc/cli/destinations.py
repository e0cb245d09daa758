"""The paths of emitted modules, and the command that they record as their origin.

Takes the command line, returns paths and text; reads and writes no file. Invariant: no two specs
have the same path, and no module overwrites a spec.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path

from specc.check.arguments.reserved_names import hides_module


def destinations(models: Mapping[str, str], given: str | None) -> dict[str, Path]:
    """Return the path of each module; `models` maps a spec to the name of its model.

    `given` is a Python file or a folder, None means beside the spec. Raises `ValueError` if a
    module would have no path, or two files the same.
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
    """Return the stem of the files of a module, None if it is the name of the model."""
    if given is not None and not is_folder(given):
        return Path(given).stem
    stem = "" if spec == "-" else Path(spec).stem
    importable = stem.isidentifier() and stem.isascii() and not iskeyword(stem)
    return stem if importable and not hides_module(stem) else None


def _destination(spec: str, model: str, given: str | None) -> Path:
    """Return the path of a module: the name of the spec, or that of the model."""
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
    """True if a path is a folder, or ends like one."""
    return given.endswith(("/", os.sep)) or Path(given).is_dir()


def recorded_command(spec: str, overrides: Mapping[str, str], target: str) -> str:
    """Return the command that a module records as its origin.

    It does not depend on where the spec is and where the module goes: the name of the file without
    its folder, overrides sorted by name. Any character except letters, digits and `._=+,-` becomes
    `_`, so that the text is safe in a comment and in a docstring.
    """
    words = ["specc", "compile", Path(spec).name]
    words += [] if target == "torch" else ["--target", target]
    for name, value in sorted(overrides.items()):
        words += ["-D", f"{name}={value}"]
    return " ".join("".join(map(_harmless, word)) for word in words)


def _harmless(char: str) -> str:
    return char if char.isascii() and (char.isalnum() or char in "._=+,-") else "_"
