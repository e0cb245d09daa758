"""The text of a spec and positions in it.

Takes a path, returns a Source. Invariant: a Source from `read` is valid Unicode without NUL, and
its lines end in a line feed.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
import sys
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Source:
    """The text of a spec; `name` is the path as the user wrote it, `<stdin>` for standard input."""

    name: str
    text: str

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """The offset of the first character of each line."""
        ends = (i + 1 for i, char in enumerate(self.text) if char == "\n")
        return (0, *ends)

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset, both from 1, columns in characters."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1


@dataclass(frozen=True)
class Span:
    """A range of a source: offsets in characters, the end excluded."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line of the first character, from 1."""
        return self.source.position(self.start)[0]

    @property
    def text(self) -> str:
        """The text of the range."""
        return self.source.text[self.start : self.end]


LARGEST = 1_000_000
"""The largest size of a spec in bytes: a thousand times that of a long one."""


class Unreadable(Exception):
    """A spec that cannot be read; the message names the file and says why."""


def read(path: str) -> Source:
    """Read a spec in UTF-8, from standard input if `path` is `-`; raise Unreadable if that fails.

    A byte order mark is dropped, and every line end becomes a line feed, so that the module does
    not depend on the editor that saved the spec.
    """
    name = "<stdin>" if path == "-" else path
    try:
        if path == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            _refuse_what_waits(path)
            with open(path, "rb") as file:
                data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot read {name}: {_reason(error)}") from None
    if len(data) > LARGEST:
        raise Unreadable(f"{name} is no spec: it is larger than {LARGEST:,} bytes")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = ""
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            hint = " (it looks like UTF-16; save it as UTF-8)"
        raise Unreadable(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} on line {line},"
            f" offset {error.start}{hint}"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Unreadable(f"{name} is not a text file: a NUL byte on line {line}")
    return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def _refuse_what_waits(path: str) -> None:
    """Raise OSError for a pipe, a socket or a device, which may never end or never begin.

    What a shell has opened for this process is read: `/dev/stdin`, and `<(command)`.
    """
    if path.startswith(("/dev/stdin", "/dev/fd/", "/proc/self/fd/")):
        return
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is not a regular file", path)


def _reason(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError(filename=str() as path):
            near = f"{path}.spec"
            hint = f"; did you mean {near}?" if os.path.isfile(near) else ""
            return f"no such file{hint}"
        case IsADirectoryError():
            return "it is a folder, not a file"
        case PermissionError():
            return "permission denied"
        case OSError(strerror=str() as reason):
            return reason
    return str(error)
