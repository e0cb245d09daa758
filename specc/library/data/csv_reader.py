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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from specc.library.vocabulary import ArgumentError
from specc.syntax.excerpt import foreign

if TYPE_CHECKING:
    from _csv import Reader

FAULTS = 3
"""The number of different faults after which reading stops."""

_REPORTED = 20
"""The number of missing columns that are reported."""
_COMPARED = 1_000
"""The number of names that a misspelt one is compared with."""
_LONGEST_LINE = 1 << 26
"""The number of characters of a line that are read."""
_PROBED_CELLS = 2_000_000
"""The number of cells after which reading stops, if only the first rows are wanted."""

OF_CLASSES = "declare the target as `int[]` if it names classes"
"""The hint about a word where the target is a number."""

MISSING = frozenset({"-", "?", "n/a", "na", "nan", "none", "null"})
"""Markers of missing values, in any case; they are never a class."""


@dataclass
class Alike:
    """The first of the faulty cells of a column that have the same fault, and their number."""

    first: ArgumentError
    count: int = 0


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
    alike: dict[tuple[str, str], Alike] = field(default_factory=dict)
    """The faulty cells, by their column and what is wrong."""


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
        raise ArgumentError(
            "file", f"cannot open {_named(file)}: {_reason(error)}"
        ) from None
    if exists:
        found = "a folder" if is_folder else "not a regular file"
        raise ArgumentError("file", f"{_named(file)} is {found}")
    raise ArgumentError(
        "file",
        f"no file {_named(file)}",
        did_you_mean(path.name, near) or "paths are relative to the spec's folder",
    )


def did_you_mean(name: str, known: list[str]) -> str:
    """Return `did you mean ...?` with the nearest known name, or ""."""
    import difflib  # only for the error

    short = [other for other in known if len(other) <= 2 * len(name) + 1]
    near = difflib.get_close_matches(name[:100], short[:_COMPARED], n=1)
    return f"did you mean {_named(near[0])}?" if near else ""


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
                csv.reader(_bounded(lines), strict=True),
                target,
                features,
                real_target,
                limit,
            )
    except MemoryError:
        table.faults.append(_fault(f"{_named(path.name)} does not fit into memory"))
    except UnicodeDecodeError as error:
        hint = "save it as UTF-8"
        table.faults.append(
            _fault(f"{_named(path.name)} is not UTF-8: {error.reason}", hint)
        )
    except csv.Error as error:
        table.faults.append(_fault(f"{_named(path.name)} is not CSV: {error}"))
    except (OSError, ValueError) as error:
        table.faults.append(
            _fault(f"cannot read {_named(path.name)}: {_reason(error)}")
        )
    _counted(table)
    return table


def _bounded(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file; raise csv.Error at one that is too long to be a row."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error(f"a line has more than {_LONGEST_LINE:,} characters")
        yield line


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
    places = {name: place for place, name in enumerate(header)}
    columns = [(name, places[name]) for name in features]
    at_target = places[target]
    if limit is not None:
        limit = max(1, min(limit, _PROBED_CELLS // len(header)))
    for row in rows:
        if not row:
            continue
        if limit is not None and len(table.lines) == limit:
            return
        line = rows.line_num
        if len(row) != len(header):
            message = f"line {line} of {_named(table.name)} has {len(row)} cells,"
            message += f" but the header has {len(header)}"
            table.faults.append(_fault(message))
        else:
            for name, column in columns:
                table.x.append(_number(table, row[column], name, line, argument))
            label = row[at_target].strip()
            if real_target:
                _number(table, label, target, line, "target")
            elif not label:
                _add(table, _empty(table, target, line, "target"), "empty")
            elif label.lower() in MISSING:
                _add(table, _missing(table, label, target, line), "missing")
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
        _fault(f"the header has the column {_named(name)} {count} times")
        for name, count in Counter(header).items()
        if count > 1 and name
    ]
    if features is None and "" in header:
        place = header.index("") + 1
        faults.append(
            _fault(f"column {place} has no name", "name it, or list the `features`")
        )
    wanted = [("target", target), *(("features", name) for name in features or ())]
    named = set(header)
    missing = [(argument, name) for argument, name in wanted if name not in named]
    if missing and any(_is_number(name) for name in header):
        return [
            _fault(
                f"the first line has the number {_named(_first_number(header))}",
                "add a header with the names of the columns",
            )
        ]
    for argument, name in missing[:_REPORTED]:
        other = next((sign for sign in ";\t|" if sign in header[0]), None)
        if len(header) == 1 and other:
            hint = f"separate cells by commas, not by {other!r}"
        else:
            hint = did_you_mean(name, header) or f"it has {_listed(header)}"
        faults.append(ArgumentError(argument, f"no column {_named(name)}", hint, name))
    for name, count in Counter(features or ()).items():
        if count > 1:
            message = f"{_named(name)} is listed {count} times"
            faults.append(ArgumentError("features", message, "", name))
    if target in (features or ()):
        message = f"the target {_named(target)} is among the features"
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
        _add(table, _empty(table, column, line, argument), "empty")
        return value
    wrong, hint = "not a number", ""
    if _is_number(text) and "_" not in text:
        wrong, hint = "not a finite number", "remove such rows or fill them in"
    elif argument == "target":
        hint = OF_CLASSES
    elif argument == "file":
        hint = "list the numeric columns in `features`"
    where = f"line {line} of {_named(table.name)}, column {_named(column)}"
    message = f"{where}: {_named(text)} is {wrong}"
    _add(table, ArgumentError(argument, message, hint, column), wrong)
    return value


def _add(table: Table, fault: ArgumentError, wrong: str) -> None:
    """Add a fault of a cell, unless the column has the same one in an earlier row."""
    alike = table.alike.setdefault((fault.item, wrong), Alike(fault))
    if not alike.count:
        table.faults.append(fault)
    alike.count += 1


def _counted(table: Table) -> None:
    """Write behind each fault of a cell in how many more rows the column has it."""
    whole = "" if table.complete else f" of the first {len(table.lines):,}"
    for alike in table.alike.values():
        more = alike.count - 1
        if more:
            plural = "s" * (more > 1 or not table.complete)
            alike.first.message += f", and so in {more:,} more{whole} row{plural}"


def _empty(table: Table, column: str, line: int, argument: str) -> ArgumentError:
    hint = "remove such rows or fill them in"
    message = f"line {line} of {_named(table.name)}, column {_named(column)} is empty"
    return ArgumentError(argument, message, hint, column)


def _missing(table: Table, label: str, column: str, line: int) -> ArgumentError:
    hint = "remove such rows; if it is a class, rename it"
    where = f"line {line} of {_named(table.name)}, column {_named(column)}"
    message = f"{where}: {_named(label)} marks a missing value"
    return ArgumentError("target", message, hint, column)


def _named(name: str) -> str:
    """Return a name or a cell of a file in quotation marks, printable and not too long."""
    return repr(foreign(name))


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
    shown = ", ".join(_named(name) for name in names[:8])
    return shown + (", …" if len(names) > 8 else "")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
