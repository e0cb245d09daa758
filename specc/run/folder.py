"""The folder of a run: its path, and how files are written to it.

Takes the path that the command line asks for, returns a folder made for the run. Invariant: a file
in it is the old one or the new one, never a part, and only folders of runs are changed.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from specc.emit.seal import HEADER, replace_whole

HISTORY, WEIGHTS = "history.csv", "model.safetensors"
RECORD, CHECKPOINT, LOCK = "run.json", "checkpoint.safetensors", "run.lock"
CURVES, REGION = "curves.png", "region.png"


class InUse(Exception):
    """Another process trains in the folder."""


DTYPES = ("float32", "float64")
NOTHING = type(None)
KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("spec", "source", "command", "device", "dtype"), (str,)),
    **dict.fromkeys(("stem", "data_folder"), (str, NOTHING)),
    **dict.fromkeys(("seed", "epochs"), (int, NOTHING)),
    "overrides": (dict,),
    "finished": (bool,),
}
"""The types of what the record of a run says."""


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
    """True if a run was begun in a folder, and perhaps killed before its first file was whole."""
    return (folder / LOCK).is_file() or (folder / RECORD).is_file()


def _is_run(folder: Path) -> bool:
    """True if a folder has a history, a spec and a module of specc."""
    complete = (folder / HISTORY).is_file() and any(folder.glob("*.spec"))
    return complete and bool(_models(folder))


def _models(folder: Path) -> set[str]:
    """Return the models whose modules, written by specc, are in the folder."""
    first = HEADER[0].encode()
    modules = (path for path in folder.glob("*.py") if path.is_file())
    return {path.stem for path in modules if path.read_bytes().startswith(first)}


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run folder: another process that wants it gets InUse, until this one is gone.

    The lock belongs to the process, so that one that was killed holds nothing. Where files have no
    locks, nothing is held.
    """
    path = folder / LOCK
    with contextlib.ExitStack() as stack:
        try:
            import fcntl
        except ImportError:  # not POSIX
            yield
            return
        while True:
            file = stack.enter_context(path.open("a+"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise InUse(f"{folder} is in use by {file.read().strip()}") from None
            except OSError:  # a file system without locks
                break
            if path.exists() and os.path.sameopenfile(
                file.fileno(), _opened(path, stack)
            ):
                break  # and not one that its holder has removed in the meantime
        file.truncate(0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        file.write(f"process {os.getpid()} on {platform.node()} since {since}")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _opened(path: Path, stack: contextlib.ExitStack) -> int:
    return stack.enter_context(path.open()).fileno()


def record(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what `resume` needs to know of a run."""
    text = json.dumps({"version": 1, **facts}, indent=2)
    replace_whole(folder / RECORD, f"{text}\n".encode())


def recorded(folder: Path) -> dict[str, Any]:
    """Return what `record` wrote. Raises NotARun if the folder has no such file."""
    try:
        facts = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise NotARun(f"{folder} is not the folder of a run: no {RECORD}") from None
    if not isinstance(facts, dict) or facts.get("version") != 1:
        raise NotARun(f"{folder / RECORD} is not one that this version of specc reads")
    for name, kinds in KINDS.items():
        if type(facts.get(name)) not in kinds:
            raise NotARun(f"{folder / RECORD} is damaged ({name}): start a new run")
    overrides = facts["overrides"].values()
    if facts["dtype"] not in DTYPES or not all(isinstance(v, str) for v in overrides):
        raise NotARun(f"{folder / RECORD} is damaged: start a new run")
    return facts


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
