"""The data folders of specc, `grammar` and `templates`, and a cache of what is built from them.

Takes the name of a folder, returns a `Traversable`. The folders are inside the package in a wheel
and beside it in a checkout or an editable install; only this module knows which.

Building the grammar and the templates takes most of the start-up time, so the result is cached
where Python caches the bytecode of this package. Invariant: nothing depends on the cache. If Python
writes none, or a file is damaged or out of date, the result is built again.
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
    """Return the data folder `name`; raise `FileNotFoundError` if it is missing."""
    inside = files("specc") / name
    if inside.is_dir():
        return inside
    checkout = Path(__file__).resolve().parents[2]
    beside = checkout / name
    if beside.is_dir() and (checkout / "pyproject.toml").is_file():
        return beside
    raise FileNotFoundError(f"specc's own folder `{name}` is missing: install it again")


def kept(name: str, source: str) -> bytes | None:
    """Return what was cached for `source`, None if nothing valid is."""
    try:
        data = _place(name).read_bytes()
    except OSError:
        return None
    digest, content = data[:32], data[32:]
    return content if digest == _digest(source, content) else None


def keep(name: str, source: str, content: bytes) -> None:
    """Cache what was built from `source`, unless Python writes no bytecode."""
    if sys.dont_write_bytecode:
        return
    place = _place(name)
    part = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(_digest(source, content) + content)
        part.replace(place)
    except OSError:  # read-only or full: the next start builds it again
        with suppress(OSError):
            part.unlink()


def _digest(source: str, content: bytes) -> bytes:
    return hashlib.sha256(source.encode() + b"\0" + content).digest()


def _place(name: str) -> Path:
    """Return the path of a cached file, which is specific to the version of Python."""
    return Path(cache_from_source(__file__)).with_name(
        f"{name}.{sys.implementation.cache_tag}"
    )
