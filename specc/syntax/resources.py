"""Finds the folders of data files that travel with specc: `grammar` and `templates`.

Takes a folder's name, gives a `Traversable`. They lie inside the package in a wheel and
beside it in a checkout or an editable install; nothing else in specc knows which.

What is made of them takes most of a start, so it is kept between runs where Python keeps the
bytecode of this package: what can be written there can be run already. Invariant: nothing depends
on it. Where Python keeps none, or a file is damaged or of another source, it is made again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import cache_from_source
from pathlib import Path


def folder(name: str) -> Traversable:
    """Return the data folder `name`; raises `FileNotFoundError` where there is none."""
    inside = files("specc") / name
    if inside.is_dir():
        return inside
    checkout = Path(__file__).resolve().parents[2]
    beside = checkout / name
    if beside.is_dir() and (checkout / "pyproject.toml").is_file():
        return beside
    raise FileNotFoundError(f"specc's own folder `{name}` is missing: install it again")


def kept(name: str, source: str) -> bytes | None:
    """Return what was made of `source`, if `keep` has written it and it is whole."""
    try:
        data = _place(name).read_bytes()
    except OSError:
        return None
    digest, content = data[:32], data[32:]
    return content if digest == _digest(source, content) else None


def keep(name: str, source: str, content: bytes) -> None:
    """Write what was made of `source`, unless Python may not do so for bytecode."""
    if sys.dont_write_bytecode:
        return
    place = _place(name)
    part = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(_digest(source, content) + content)
        part.replace(place)
    except OSError:  # read-only, or full: the next start takes as long as this one
        with suppress(OSError):
            part.unlink()


def _digest(source: str, content: bytes) -> bytes:
    return hashlib.sha256(source.encode() + b"\0" + content).digest()


def _place(name: str) -> Path:
    """Return the path of what is kept, which another version of Python does not share."""
    return Path(cache_from_source(__file__)).with_name(
        f"{name}.{sys.implementation.cache_tag}"
    )
