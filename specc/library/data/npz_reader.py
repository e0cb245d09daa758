"""Reads the arrays of a NumPy archive; their names, shapes and types without NumPy.

Takes a path, returns the headers or the arrays. Invariant: nothing is unpickled, and the archive
contains what a header declares, so that NumPy can read it without errors.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specc.library.data.csv_reader import did_you_mean
from specc.library.vocabulary import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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

_DESCR = r"[<>|=]?([biufcOSUV]|[mM](?=8))(\d{0,9})((?<=[mM]8)\[\w+\])?"
"""The element type in a header: `<f8`, `|O`, `<M8[ns]`."""


@dataclass(frozen=True)
class Header:
    """The header of one array; `kind` is the letter of its element type in NumPy."""

    kind: str
    itemsize: int
    shape: tuple[int, ...]
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
    try:
        with zipfile.ZipFile(path) as archive:
            held = [name.removesuffix(".npy") for name in archive.namelist()]
            found = {}
            for argument, name in names.items():
                if name not in held:
                    hint = did_you_mean(name, held) or f"it has {held[:8]}"
                    raise ArgumentError(
                        argument, f"{path.name!r} has no array {name!r}", hint
                    )
                found[argument] = _header(archive, name, argument)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        hint = "write it with `numpy.savez`"
        message = f"{path.name!r} is not a valid npz archive: {error}"
        raise ArgumentError("file", message, hint) from None
    except (OSError, RuntimeError) as error:
        raise ArgumentError("file", f"cannot read {path.name!r}: {error}") from None


def _header(archive: zipfile.ZipFile, name: str, argument: str) -> Header:
    member = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
    broken = ArgumentError(argument, f"the array {name!r} is not in NumPy's format")
    with archive.open(member) as stream:
        start = stream.read(8)
        wide = start[6:7] > b"\1"
        length_bytes = stream.read(4 if wide else 2)
        if start[:6] != b"\x93NUMPY" or len(length_bytes) != (4 if wide else 2):
            raise broken
        (length,) = struct.unpack("<I" if wide else "<H", length_bytes)
        if length > _HEADER_LIMIT:
            raise broken
        text = stream.read(length).decode("latin-1")
    try:
        said = ast.literal_eval(text.strip())
        descr, shape = said["descr"], said["shape"]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError):
        raise broken from None
    sizes_ok = isinstance(shape, tuple) and all(
        isinstance(size, int) and size >= 0 for size in shape
    )
    match = re.fullmatch(_DESCR, descr) if type(descr) is str else None
    structured = isinstance(descr, list)
    if not sizes_ok or (match is None and not structured):
        raise broken
    kind, itemsize, unit = match.groups("") if match else ("V", "", "")
    header = Header(kind, int(itemsize or 0), shape, unit, structured)
    if header.holds_numbers:
        wanted = len(start) + len(length_bytes) + length
        wanted += header.itemsize * math.prod(shape)
        if archive.getinfo(member).file_size != wanted:
            raise ArgumentError(argument, f"the array {name!r} is truncated")
    return header


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

    try:
        with np.load(path, allow_pickle=False) as archive, np.errstate(over="ignore"):
            inputs, targets = archive[x].astype(np.float64), archive[y]
            if target_dtype == "real":
                targets = targets.astype(np.float64)
            return inputs, targets
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ArgumentError("file", f"cannot read {path.name!r}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        message = f"{path.name!r} is not a valid npz archive: {error}"
        raise ArgumentError("file", message) from None


def value_faults(
    x: NDArray[np.float64], y: NDArray[Any], classes: int | None
) -> list[ArgumentError]:
    """Return errors about the first element of each array that is not finite, or not a class."""
    import numpy as np

    faults = []
    for argument, array in (("x", x), ("y", y)):
        finite = np.isfinite(array)
        if not finite.all():
            place = tuple(int(i) for i in np.argwhere(~finite)[0])
            message = f"the array contains {array[place]} at {list(place)}"
            hint = "remove such samples or fill them in"
            faults.append(ArgumentError(argument, message, hint))
    if y.dtype.kind in "iu":
        most = np.iinfo(np.int64).max if classes is None else classes - 1
        outside = (y < 0) | (y > most)
        if outside.any():
            place = tuple(int(i) for i in np.argwhere(outside)[0])
            message = f"class {y[place]} at {list(place)} is out of range"
            last = f" to {classes - 1}" if classes is not None else " and up"
            faults.append(ArgumentError("y", message, f"classes are 0{last}"))
    return faults
