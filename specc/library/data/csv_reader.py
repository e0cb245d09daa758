"""Reads a CSV file: a header, then one sample in each line.

Takes a path and the columns wanted; returns their cells and every error, with its place. Invariant:
a table without errors is rectangular, and all its features are finite numbers. Uses only the
standard library, because a spec is checked without NumPy.
"""

from __future__ import annotations

import csv
import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from specc.library.vocabulary import ArgumentError

if TYPE_CHECKING:
    from _csv import Reader

FAULTS = 3
"""The number of faulty cells after which reading stops."""

OF_CLASSES = "declare the target as `int[]` if it names classes"
"""The hint about a word where the target is a number."""

MISSING = frozenset({"-", "?", "n/a", "na", "nan", "none", "null"})
"""Markers of missing values, in any case; they are never a class."""


@dataclass
class Table:
    """The wanted cells of a file, or of its first lines."""

    name: str
    features: tuple[str, ...] = ()
    x: array[float] = field(default_factory=lambda: array("d"))
    """The features, row by row."""
    target: list[str] = field(default_factory=list)
    """The cells of the target, stripped; in a table without errors none is empty or in MISSING."""
    lines: array[int] = field(default_factory=lambda: array("q"))
    """The line in which each row ends, from 1."""
    complete: bool = False
    """Whether the whole file was read."""
    faults: list[ArgumentError] = field(default_factory=list)


def find(folder: Path | None, file: str) -> Path:
    """Return the path of a file; it is relative to the folder of the spec.

    Raises ArgumentError about the argument `file` if there is no regular file.
    """
    path = (folder or Path()) / file
    try:
        if path.is_file():
            return path
        exists, is_folder = path.exists(), path.is_dir()
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    except (OSError, ValueError) as error:
        raise ArgumentError("file", f"cannot open {file!r}: {_reason(error)}") from None
    if exists:
        found = "a folder" if is_folder else "not a regular file"
        raise ArgumentError("file", f"{file!r} is {found}")
    raise ArgumentError(
        "file",
        f"no file {file!r}",
        did_you_mean(path.name, near) or "paths are relative to the spec's folder",
    )


def did_you_mean(name: str, known: list[str]) -> str:
    """Return `did you mean ...?` with the nearest known name, or ""."""
    import difflib  # only for the error

    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def read(
    path: Path,
    target: str,
    features: tuple[str, ...] | None,
    *,
    real_target: bool,
    limit: int | None = None,
) -> Table:
    """Read the header and up to `limit` rows; errors are in the table, not raised."""
    table = Table(path.name)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            _fill(
                table,
                csv.reader(lines, strict=True),
                target,
                features,
                real_target,
                limit,
            )
    except UnicodeDecodeError as error:
        hint = "save it as UTF-8"
        table.faults.append(_fault(f"{path.name!r} is not UTF-8: {error.reason}", hint))
    except csv.Error as error:
        table.faults.append(_fault(f"{path.name!r} is not CSV: {error}"))
    except (OSError, ValueError) as error:
        table.faults.append(_fault(f"cannot read {path.name!r}: {_reason(error)}"))
    return table


def _fill(
    table: Table,
    rows: Reader,
    target: str,
    features: tuple[str, ...] | None,
    real_target: bool,
    limit: int | None,
) -> None:
    header = [name.strip() for name in next((row for row in rows if row), [])]
    table.faults += header_faults(header, target, features)
    if table.faults:
        return
    argument = "file" if features is None else "features"
    if features is None:
        features = tuple(name for name in header if name != target)
    table.features = features
    columns = [(name, header.index(name)) for name in features]
    at_target = header.index(target)
    for row in rows:
        if not row:
            continue
        if limit is not None and len(table.lines) == limit:
            return
        line = rows.line_num
        if len(row) != len(header):
            message = f"line {line} of {table.name!r} has {len(row)} cells,"
            message += f" but the header has {len(header)}"
            table.faults.append(_fault(message))
        else:
            for name, column in columns:
                table.x.append(_number(table, row[column], name, line, argument))
            label = row[at_target].strip()
            if real_target:
                _number(table, label, target, line, "target")
            elif not label:
                table.faults.append(_empty(table, target, line, "target"))
            elif label.lower() in MISSING:
                table.faults.append(_missing(table, label, target, line))
            table.target.append(label)
            table.lines.append(line)
        if len(table.faults) >= FAULTS:
            return
    table.complete = True
    if not table.lines and not table.faults:
        table.faults.append(_fault("no row below the header"))


def header_faults(
    header: list[str], target: str, features: tuple[str, ...] | None
) -> list[ArgumentError]:
    """Return the errors of a header, given the columns wanted."""
    if not header:
        return [
            _fault(
                "the file is empty", "write the names of the columns on its first line"
            )
        ]
    faults = [
        _fault(f"the header has the column {name!r} {count} times")
        for name, count in Counter(header).items()
        if count > 1 and name
    ]
    if features is None and "" in header:
        place = header.index("") + 1
        faults.append(
            _fault(f"column {place} has no name", "name it, or list the `features`")
        )
    wanted = [("target", target), *(("features", name) for name in features or ())]
    missing = [(argument, name) for argument, name in wanted if name not in header]
    if missing and any(_is_number(name) for name in header):
        return [
            _fault(
                f"the first line has the number {_first_number(header)!r}",
                "add a header with the names of the columns",
            )
        ]
    for argument, name in missing:
        other = next((sign for sign in ";\t|" if sign in header[0]), None)
        if len(header) == 1 and other:
            hint = f"separate cells by commas, not by {other!r}"
        else:
            hint = did_you_mean(name, header) or f"it has {_listed(header)}"
        faults.append(ArgumentError(argument, f"no column {name!r}", hint, name))
    for name, count in Counter(features or ()).items():
        if count > 1:
            message = f"{name!r} is listed {count} times"
            faults.append(ArgumentError("features", message, "", name))
    if target in (features or ()):
        message = f"the target {target!r} is among the features"
        faults.append(ArgumentError("features", message, "", target))
    if features == () or (features is None and not set(header) - {target}):
        message = "no column is left for the input"
        faults.append(ArgumentError("features" if features == () else "file", message))
    return faults


def _number(table: Table, cell: str, column: str, line: int, argument: str) -> float:
    """Return the number of a cell; add an error if it is not a finite number."""
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    text = cell.strip()
    if not text:
        table.faults.append(_empty(table, column, line, argument))
        return value
    wrong, hint = "not a number", ""
    if _is_number(text) and "_" not in text:
        wrong, hint = "not a finite number", "remove such rows or fill them in"
    elif argument == "target":
        hint = OF_CLASSES
    elif argument == "file":
        hint = "list the numeric columns in `features`"
    where = f"line {line} of {table.name!r}, column {column!r}"
    message = f"{where}: {text[:40]!r} is {wrong}"
    table.faults.append(ArgumentError(argument, message, hint, column))
    return value


def _empty(table: Table, column: str, line: int, argument: str) -> ArgumentError:
    hint = "remove such rows or fill them in"
    message = f"line {line} of {table.name!r}, column {column!r} is empty"
    return ArgumentError(argument, message, hint, column)


def _missing(table: Table, label: str, column: str, line: int) -> ArgumentError:
    hint = "remove such rows; if it is a class, rename it"
    where = f"line {line} of {table.name!r}, column {column!r}"
    message = f"{where}: {label!r} marks a missing value"
    return ArgumentError("target", message, hint, column)


def _fault(message: str, hint: str = "") -> ArgumentError:
    return ArgumentError("file", message, hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _first_number(header: list[str]) -> str:
    return next(name for name in header if _is_number(name))


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return shown + (", …" if len(names) > 8 else "")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
