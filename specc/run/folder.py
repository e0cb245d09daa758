"""The folder of a run: its path, and how files are written to it.

Takes the path that the command line asks for, returns a folder made for the run. Invariant: a file
in it is the old one or the new one, never a part, and only folders of runs are changed.
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
RECORD, CHECKPOINT, LOCK = "run.json", "checkpoint.safetensors", "run.lock"
CURVES, REGION = "curves.png", "region.png"


class NotARun(Exception):
    """The folder contains something other than a run of the model."""


def make(name: str, out: str | None) -> Path:
    """Make the folder `out` for a run of the model `name`.

    By default it is the first free one of `runs/name`, `runs/name-2`, and so on. Raises NotARun if
    `out` is not a folder, or has files that are not those of a run of this model, and OSError.
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
    if any(folder.iterdir()) and not (_is_run(folder) or _is_begun(folder)):
        raise NotARun(f"{folder} has files but is not the folder of a run")
    others = sorted(_models(folder) - {name})
    if others:
        found = f"{folder} has a run of another model, `{others[0]}`"
        raise NotARun(f"{found}: choose another --out for `{name}`")
    return folder


def _is_begun(folder: Path) -> bool:
    """True if there is nothing but what a run leaves that was killed as it began."""
    own = {f"{model}.py" for model in _models(folder)}
    own |= {HISTORY, WEIGHTS, RECORD, CHECKPOINT, LOCK, CURVES, REGION}
    names = {path.name for path in folder.iterdir()}
    others = names - own
    return LOCK in names and all(n.endswith((".spec", ".tmp")) for n in others)


def _is_run(folder: Path) -> bool:
    """True if a folder has a history, a spec and a module of specc."""
    complete = (folder / HISTORY).is_file() and any(folder.glob("*.spec"))
    return complete and bool(_models(folder))


def _models(folder: Path) -> set[str]:
    """Return the models whose modules, written by specc, are in the folder."""
    first = HEADER[0].encode()
    modules = (path for path in folder.glob("*.py") if path.is_file())
    return {path.stem for path in modules if path.read_bytes().startswith(first)}


def begin(folder: Path) -> None:
    """Remove the results of an earlier run, and mark the folder as that of a run.

    An interrupted run can be started again in it, and its files never mix with those of another
    run.
    """
    for name in (WEIGHTS, CURVES, REGION, RECORD, CHECKPOINT):
        (folder / name).unlink(missing_ok=True)
    replace_whole(folder / HISTORY, b"")


def history_csv(history: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the records of the epochs as CSV, one line each."""
    text = io.StringIO()
    names = list(history[0]) if history else []
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    return text.getvalue().encode()
