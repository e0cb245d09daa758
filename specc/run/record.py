"""What a run folder says of how its run was begun: `run.json`.

Takes the facts of a request, returns them. Invariant: what is read back has the types that were
written, and is of this version of the format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from specc.emit.seal import replace_whole
from specc.run.folder import RECORD, NotARun

_VERSION = 1
_DTYPES = ("float32", "float64")
_NOTHING = type(None)
_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("spec", "source", "command", "device", "dtype"), (str,)),
    **dict.fromkeys(("stem", "data_folder"), (str, _NOTHING)),
    **dict.fromkeys(("seed", "epochs"), (int, _NOTHING)),
    "overrides": (dict,),
    "finished": (bool,),
}
"""The types of what a record says."""


def write(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what going on with a run needs to know."""
    text = json.dumps({"version": _VERSION, **facts}, indent=2)
    replace_whole(folder / RECORD, f"{text}\n".encode())


def read(folder: Path) -> dict[str, Any]:
    """Return what `write` wrote. Raises NotARun if the folder has no such file."""
    path = folder / RECORD
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise NotARun(f"{folder} is not the folder of a run: no {RECORD}") from None
    if not isinstance(facts, dict) or facts.get("version") != _VERSION:
        raise NotARun(f"{path} is not one that this version of specc reads")
    for name, kinds in _KINDS.items():
        if name not in facts or type(facts[name]) not in kinds:
            raise NotARun(f"{path} is damaged ({name}): start a new run")
    overrides = facts["overrides"].values()
    if facts["dtype"] not in _DTYPES or not all(isinstance(v, str) for v in overrides):
        raise NotARun(f"{path} is damaged: start a new run")
    return facts
