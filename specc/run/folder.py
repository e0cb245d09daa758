"""The folder of a run: where it lies, and how files get into it.

Takes the place that the command line asks for, gives a folder made for the run.
Invariant: a file in it is the old one or the new one, whole, and no folder is touched
that is not a run's.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from specc.emit.seal import HEADER, replace_whole

HISTORY, WEIGHTS = "history.csv", "model.safetensors"
CURVES, REGION = "curves.png", "region.png"


class NotARun(Exception):
    """The folder asked for holds something else than a run of the model."""


def make(name: str, out: str | None) -> Path:
    """Make the folder `out` for a run of the model `name`, or by default the first free
    one of `runs/name`, `runs/name-2`, …

    Raises NotARun where `out` is no folder, or has files and is no run's or another
    model's, and OSError.
    """
    if out is None:
        for number in count(1):
            folder = Path("runs") / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=True)
                return folder
    folder = Path(out or "")
    if folder.exists() and not folder.is_dir():
        raise NotARun(f"{folder} is not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not _is_run(folder):
        raise NotARun(f"{folder} has files but is not the folder of a run")
    others = sorted(_models(folder) - {name})
    if others:
        found = f"{folder} has a run of another model, `{others[0]}`"
        raise NotARun(f"{found}: choose another --out for `{name}`")
    return folder


def _is_run(folder: Path) -> bool:
    """True if a history, a spec and a module of specc's lie in the folder."""
    complete = (folder / HISTORY).is_file() and any(folder.glob("*.spec"))
    return complete and bool(_models(folder))


def _models(folder: Path) -> set[str]:
    """Name the models whose modules, written by specc, lie in the folder."""
    first = HEADER[0].encode()
    modules = (path for path in folder.glob("*.py") if path.is_file())
    return {path.stem for path in modules if path.read_bytes().startswith(first)}


def begin(folder: Path) -> None:
    """Remove what an earlier run came to, and mark the folder as a run's.

    So a run cut short can be started again in it, and never lies beside the parameters,
    history or pictures of another.
    """
    for name in (WEIGHTS, CURVES, REGION):
        (folder / name).unlink(missing_ok=True)
    replace_whole(folder / HISTORY, b"")


def history_csv(history: Sequence[Mapping[str, Any]]) -> bytes:
    """Write the records of the epochs, one a line, under the names of the figures."""
    text = io.StringIO()
    names = list(history[0]) if history else []
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    return text.getvalue().encode()
