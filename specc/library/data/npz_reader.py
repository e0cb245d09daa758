"""Reads the arrays of a NumPy archive; their names, shapes and types without NumPy.

Takes a path, returns the headers or the arrays. Invariant: nothing is unpickled, and there is one
reader of a header, so that an array which passes a check is the one that training reads.
"""

from __future__ import annotations

import ast
import contextlib
import math
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from specc.library.data.csv_reader import did_you_mean
from specc.library.data.source import OF_DOMAIN, Domain
from specc.library.vocabulary import ArgumentError
from specc.syntax.excerpt import foreign

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PART = 1 << 24
"""The number of bytes that are read at once."""
_HEADER_LIMIT = 10_000
"""The largest size of a header in bytes, as in NumPy: longer ones are not safe to parse."""


_SIZED = {"c": "complex", "f": "float", "i": "int", "u": "uint"}
_NAMES = {
    "M": "datetime64",
    "O": "object",
    "S": "bytes",
    "U": "str",
    "V": "void",
    "b": "bool",
    "m": "timedelta64",
}
"""The names of element types by their letters in NumPy; sized ones are followed by their bits."""
_SIZES = {"f": (2, 4, 8, 16), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "b": (1,)}
"""The sizes in bytes of the types that are read."""

_DESCR = r"([<>|=]?)([biufcOSUV]|[mM](?=8))(\d{0,9})((?<=[mM]8)\[\w+\])?"
"""The element type in a header: `<f8`, `|O`, `<M8[ns]`."""
_LONGEST_AXIS = 2**62

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    NotImplementedError,
    IndexError,
    OverflowError,
    ValueError,
    struct.error,
)
"""What `zipfile` raises on an archive that is damaged, or made to be."""


@dataclass(frozen=True)
class Header:
    """The header of one array; `kind` is the letter of its element type in NumPy."""

    kind: str
    itemsize: int
    shape: tuple[int, ...]
    order: str = "<"
    """The order of the bytes of a number, as NumPy writes it."""
    fortran: bool = False
    """Whether the first index of an element varies fastest."""
    unit: str = ""
    """The unit of a date or a duration, in brackets: `[ns]`."""
    structured: bool = False
    """Whether the elements have fields."""

    @property
    def dtype(self) -> str:
        """NumPy's name of the element type."""
        if self.structured:
            return "structured"
        if self.kind in _SIZED:
            return f"{_SIZED[self.kind]}{8 * self.itemsize}"
        return _NAMES[self.kind] + self.unit

    @property
    def holds_numbers(self) -> bool:
        """True if the elements are real numbers, integers or booleans."""
        return self.kind in "fiub"

    @property
    def holds_whole_numbers(self) -> bool:
        """True if the elements can be class indices."""
        return self.kind in "iu"


def headers(path: Path, names: dict[str, str]) -> dict[str, Header]:
    """Return the headers of the arrays that the arguments in `names` name.

    Raises ArgumentError about that argument, or `file`, if an array is missing or invalid.
    """
    with _opened(path) as archive:
        found = {}
        for argument, name in names.items():
            member = _member(archive, path, name, argument)
            with archive.open(member) as stream:
                found[argument] = _header(stream, member.file_size, name, argument)
        return found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; raise ArgumentError if it, or what is read of it, is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _BROKEN as error:
        hint = "write it with `numpy.savez`"
        message = f"{_named(path.name)} is not a valid npz archive: {error}"
        raise ArgumentError("file", message, hint) from None
    except (OSError, RuntimeError) as error:
        message = f"cannot read {_named(path.name)}: {error}"
        raise ArgumentError("file", message) from None
    except MemoryError:
        message = f"{_named(path.name)} does not fit into memory"
        raise ArgumentError("file", message) from None


def _member(
    archive: zipfile.ZipFile, path: Path, name: str, argument: str
) -> zipfile.ZipInfo:
    """Return the entry of an array in an archive."""
    held = [member.removesuffix(".npy") for member in archive.namelist()]
    count = held.count(name)
    if count == 0:
        listed = ", ".join(map(_named, held[:8])) + ", …" * (len(held) > 8)
        hint = did_you_mean(name, held) or f"it has {listed or 'no arrays'}"
        message = f"{_named(path.name)} has no array {_named(name)}"
        raise ArgumentError(argument, message, hint)
    if count > 1:
        message = f"{_named(path.name)} has {count} arrays called {_named(name)}"
        raise ArgumentError(argument, message)
    return archive.infolist()[held.index(name)]


def _header(stream: IO[bytes], size: int, name: str, argument: str) -> Header:
    """Read the header of an array in a file of `size` bytes; the numbers follow in the stream."""
    broken = ArgumentError(
        argument, f"the array {_named(name)} is not in NumPy's format"
    )
    start = stream.read(8)
    wide = start[6:7] > b"\1"
    length_bytes = stream.read(4 if wide else 2)
    if start[:6] != b"\x93NUMPY" or len(length_bytes) != (4 if wide else 2):
        raise broken
    if start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise broken
    (length,) = struct.unpack("<I" if wide else "<H", length_bytes)
    if length > _HEADER_LIMIT:
        raise broken
    header = _parsed(stream.read(length))
    if header is None:
        raise broken
    if header.holds_numbers:
        if header.itemsize not in _SIZES[header.kind]:
            raise broken
        wanted = len(start) + len(length_bytes) + length
        wanted += header.itemsize * math.prod(header.shape)
        if size != wanted:
            raise ArgumentError(argument, f"the array {_named(name)} is truncated")
    return header


def _parsed(text: bytes) -> Header | None:
    """Return the header that a text describes, as NumPy reads it; None if NumPy would not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape that Python does not know
            said = ast.literal_eval(text.decode("latin-1").strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    if not isinstance(said, dict) or set(said) != {"descr", "fortran_order", "shape"}:
        return None
    descr, fortran, shape = said["descr"], said["fortran_order"], said["shape"]
    sizes_ok = isinstance(shape, tuple) and all(
        type(size) is int and 0 <= size < _LONGEST_AXIS for size in shape
    )
    if not sizes_ok or type(fortran) is not bool:
        return None
    if isinstance(descr, list):
        return Header("V", 0, shape, structured=True)
    match = re.fullmatch(_DESCR, descr) if type(descr) is str else None
    if match is None:
        return None
    order, kind, itemsize, unit = match.groups("")
    return Header(kind, int(itemsize or 0), shape, order, fortran, unit)


def _named(name: str) -> str:
    return repr(foreign(name))


def shape_faults(
    found: dict[str, Header],
    input_shape: tuple[int, ...],
    target_shape: tuple[int, ...],
    target_dtype: str,
) -> list[ArgumentError]:
    """Return the errors about arrays that do not fit the input and target of the spec."""
    faults = []
    for argument, shape in (("x", input_shape), ("y", target_shape)):
        header = found[argument]
        real = argument == "x" or target_dtype == "real"
        said = f"{'input' if argument == 'x' else 'target'} {'real' if real else 'int'}"
        said += str(list(shape))
        if not (header.holds_numbers if real else header.holds_whole_numbers):
            needed = "real numbers" if real else "class indices"
            message = (
                f"the array has dtype {header.dtype}, but the {said} needs {needed}"
            )
            hint = "objects are not read; " if header.kind == "O" else ""
            hint += f"save it as {'float64' if real else 'int64'}"
            faults.append(ArgumentError(argument, message, hint))
        elif header.shape[1:] != shape or not header.shape:
            wanted = ", ".join(["n", *(str(size) for size in shape)])
            message = f"the array has shape {_shaped(header.shape)}, but the {said}"
            message += f" needs ({wanted}{',' * (not shape)})"
            faults.append(ArgumentError(argument, message))
    if not faults and found["x"].shape[0] != found["y"].shape[0]:
        x, y = found["x"].shape[0], found["y"].shape[0]
        faults.append(ArgumentError("y", f"x has {x:,} samples and y has {y:,}"))
    if not faults and found["x"].shape[0] == 0:
        faults.append(ArgumentError("x", "the array has no samples"))
    return faults


def _shaped(shape: tuple[int, ...]) -> str:
    return f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"


def arrays(
    path: Path, x: str, y: str, target_dtype: str
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return both arrays, or raise ArgumentError.

    x is in float64, and so is y for a real target. Class indices keep their stored type, because a
    conversion to int64 could wrap them.
    """
    import numpy as np

    with _opened(path) as archive, np.errstate(over="ignore"):
        inputs = _numbers(archive, path, x, "x").astype(np.float64)
        targets = _numbers(archive, path, y, "y")
        if target_dtype == "real":
            targets = targets.astype(np.float64)
        return inputs, targets


def _numbers(
    archive: zipfile.ZipFile, path: Path, name: str, argument: str
) -> NDArray[Any]:
    """Read an array of numbers, by the header that was checked."""
    import numpy as np

    member = _member(archive, path, name, argument)
    with archive.open(member) as stream:
        header = _header(stream, member.file_size, name, argument)
        dtype = np.dtype(f"{header.order}{header.kind}{header.itemsize}")
        flat = np.empty(math.prod(header.shape), dtype)
        room = flat.view(np.uint8).data
        done = 0
        while done < len(room):
            part = stream.read(min(_PART, len(room) - done))
            if not part:
                raise ArgumentError(argument, f"the array {_named(name)} is truncated")
            room[done : done + len(part)] = part
            done += len(part)
        stream.read(1)  # at its end the sum of the file is checked
    if header.fortran:
        return flat.reshape(header.shape[::-1]).T
    return flat.reshape(header.shape)


def value_faults(
    x: NDArray[np.float64], y: NDArray[Any], classes: int | None, domain: Domain
) -> list[ArgumentError]:
    """Return errors about the first element of each array that is not finite, or not a class.

    Nor may a target be one that the loss is not defined for.
    """
    import numpy as np

    faults = []
    for argument, array in (("x", x), ("y", y)):
        finite = np.isfinite(array)
        if not finite.all():
            place = tuple(int(i) for i in np.argwhere(~finite)[0])
            message = f"the array contains {array[place]} at {list(place)}"
            hint = "remove such samples or fill them in"
            faults.append(ArgumentError(argument, message, hint))
    if domain is not None and not faults:
        outside = (y < domain[0]) | (y > domain[1])
        if outside.any():
            place = tuple(int(i) for i in np.argwhere(outside)[0])
            message = f"{float(y[place]):g} at {list(place)} is not from {domain[0]} to {domain[1]}"
            faults.append(
                ArgumentError("y", f"{message}, as the loss needs", OF_DOMAIN)
            )
    if y.dtype.kind in "iu":
        most = np.iinfo(np.int64).max if classes is None else classes - 1
        outside = (y < 0) | (y > most)
        if outside.any():
            place = tuple(int(i) for i in np.argwhere(outside)[0])
            message = f"class {y[place]} at {list(place)} is out of range"
            last = f" to {classes - 1}" if classes is not None else " and up"
            faults.append(ArgumentError("y", message, f"classes are 0{last}"))
    return faults
