"""One process at a time trains in a run folder.

Takes a folder, holds it for as long as a block of code runs. Invariant: the lock belongs to the
process, so that one that was killed holds nothing.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from specc.run.folder import LOCK


class InUse(Exception):
    """Another process trains in the folder."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run folder, where files have locks. Raises InUse, which names the other process."""
    path = folder / LOCK
    with contextlib.ExitStack() as stack:
        try:
            import fcntl
        except ImportError:  # not POSIX
            yield
            return
        file = stack.enter_context(path.open("a+"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            while not _lies_at(file, path):  # its holder has removed it meanwhile
                file = stack.enter_context(path.open("a+"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InUse(f"{folder} is in use by {file.read().strip()}") from None
        except OSError:  # a file system without locks
            pass
        file.truncate(0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        file.write(f"process {os.getpid()} on {platform.node()} since {since}")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lies_at(file: IO[str], path: Path) -> bool:
    """True if an open file is the one that is at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
