"""Reading the arrays of a NumPy archive; their names, shapes and types without NumPy.

Takes a path; gives what the headers say. Invariant: nothing is unpickled, and what a
header promises is what the archive holds, so that NumPy can read it afterwards without
surprise.
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

from specc.library.csv_source import did_you_mean
from specc.library.entry import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HEADER_LIMIT = 10_000
"""Bytes of a header at most, as in NumPy: longer ones are not safe to parse."""


@dataclass(frozen=True)
class Header:
    """What an archive says of one array; `kind` is NumPy's letter for its elements."""

    kind: str
    itemsize: int
    shape: tuple[int, ...]

    @property
    def holds_numbers(self) -> bool:
        """Whether its elements are real numbers, whole numbers or booleans."""
        return self.kind in "fiub"

    @property
    def holds_whole_numbers(self) -> bool:
        """Whether its elements may be class indices."""
        return self.kind in "iu"

    def __str__(self) -> str:
        words = {"f": "real", "i": "int", "u": "int", "b": "bool", "O": "object"}
        inside = ", ".join(str(size) for size in self.shape)
        return f"{words.get(self.kind, 'of another type')}[{inside}]"


def headers(path: Path, names: dict[str, str]) -> dict[str, Header]:
    """Read the headers of the arrays that the arguments in `names` name.

    Raises ArgumentError, about that argument or `file`, where one is not there or not
    sound.
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
        message = f"{path.name!r} is not a sound npz archive: {error}"
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
    match = (
        re.fullmatch(r"[<>|=]?([a-zA-Z])(\d*)", descr) if type(descr) is str else None
    )
    if not sizes_ok or (match is None and not isinstance(descr, list)):
        raise broken
    kind = match[1] if match else "V"
    header = Header(kind, int(match[2] or 0) if match else 0, shape)
    if header.holds_numbers:
        wanted = len(start) + len(length_bytes) + length
        wanted += header.itemsize * math.prod(shape)
        if archive.getinfo(member).file_size != wanted:
            raise ArgumentError(argument, f"the array {name!r} is cut short")
    return header


def shape_faults(
    found: dict[str, Header],
    input_shape: tuple[int, ...],
    target_shape: tuple[int, ...],
    target_dtype: str,
) -> list[ArgumentError]:
    """Tell where the arrays `x` and `y` do not fit the input and target of the spec."""
    faults = []
    for argument, shape in (("x", input_shape), ("y", target_shape)):
        header = found[argument]
        real = argument == "x" or target_dtype == "real"
        said = f"{'input' if argument == 'x' else 'target'} {'real' if real else 'int'}"
        if not header.holds_numbers:
            message = f"the array is {header}, which has no plain numbers"
            faults.append(ArgumentError(argument, message, "objects are never read"))
        elif not real and not header.holds_whole_numbers:
            message = f"the array is {header}; the target needs class indices"
            faults.append(ArgumentError(argument, message, "save it as int64"))
        elif header.shape[1:] != shape or not header.shape:
            wanted = ", ".join(["n", *(str(size) for size in shape)])
            message = f"the array has shape {_shaped(header.shape)}, the {said}"
            message += f"{list(shape)} needs ({wanted}{',' * (not shape)})"
            faults.append(ArgumentError(argument, message))
    if not faults and found["x"].shape[0] != found["y"].shape[0]:
        x, y = found["x"].shape[0], found["y"].shape[0]
        faults.append(ArgumentError("y", f"x has {x:,} samples and y has {y:,}"))
    if not faults and found["x"].shape[0] == 0:
        faults.append(ArgumentError("x", "the array has no sample"))
    return faults


def _shaped(shape: tuple[int, ...]) -> str:
    return f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"


def arrays(
    path: Path, x: str, y: str, target_dtype: str
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Read both arrays, x in float64, y in float64 or int64; or raise ArgumentError."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            whole = np.int64 if target_dtype == "int" else np.float64
            with np.errstate(over="ignore"):
                return archive[x].astype(np.float64), archive[y].astype(whole)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ArgumentError("file", f"cannot read {path.name!r}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        message = f"{path.name!r} is not a sound npz archive: {error}"
        raise ArgumentError("file", message) from None


def value_faults(
    x: NDArray[np.float64], y: NDArray[Any], classes: int | None
) -> list[ArgumentError]:
    """Tell the first element of each array that is not finite, or no class."""
    import numpy as np

    faults = []
    for argument, array in (("x", x), ("y", y)):
        finite = np.isfinite(array)
        if not finite.all():
            place = tuple(int(i) for i in np.argwhere(~finite)[0])
            message = f"the array holds {array[place]} at {list(place)}"
            hint = "leave such samples out or fill them in"
            faults.append(ArgumentError(argument, message, hint))
    if y.dtype == np.int64:
        outside = (y < 0) if classes is None else (y < 0) | (y >= classes)
        if outside.any():
            place = tuple(int(i) for i in np.argwhere(outside)[0])
            message = f"class {y[place]} at {list(place)} is out of range"
            last = f" to {classes - 1}" if classes is not None else " and up"
            faults.append(ArgumentError("y", message, f"classes are 0{last}"))
    return faults
