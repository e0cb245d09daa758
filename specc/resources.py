"""Finds the folders of data files that travel with specc: `grammar` and `templates`.

Takes a folder's name, gives a `Traversable`. They lie inside the package in a wheel and
beside it in a checkout or an editable install; nothing else in specc knows which.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def folder(name: str) -> Traversable:
    """Give the data folder `name`; raises `FileNotFoundError` where there is none."""
    inside = files("specc") / name
    if inside.is_dir():
        return inside
    checkout = Path(__file__).resolve().parent.parent
    beside = checkout / name
    if beside.is_dir() and (checkout / "pyproject.toml").is_file():
        return beside
    raise FileNotFoundError(f"specc's own folder `{name}` is missing: install it again")
