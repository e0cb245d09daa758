"""The data sources that read a file: each word is one class, its fields are the arguments.

A spec is checked without NumPy, by the first rows of the file; `source.py` has the common
interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specc.library.data import class_labels, csv_reader, npz_reader
from specc.library.data.source import (
    OF_DOMAIN,
    Needs,
    Source,
    Stratify,
    divided,
    refuse,
    size_faults,
    stratify_faults,
)
from specc.library.data.split import Split, check_shares
from specc.library.vocabulary import ArgumentError, CountOrZero, Share, entry
from specc.syntax.excerpt import foreign

_PROBED_ROWS = 1_000
"""The number of rows that are read while a spec is checked."""


@entry("data")
@dataclass(frozen=True)
class Csv(Source):
    """Columns of a CSV file with a header. By default every column but the target is an input.

    Source: RFC 4180.
    """

    file: str
    target: str
    features: tuple[str, ...] | None = None
    validation: Share = 0.2
    test: Share = 0.0
    stratify: Stratify = "auto"
    seed: CountOrZero = 0

    def __post_init__(self) -> None:
        check_shares(self.validation, self.test)

    def span(self, folder: Path | None) -> tuple[float, float] | None:
        path = csv_reader.find(folder, self.file)
        table = csv_reader.read(
            path, self.target, self.features, real_target=True, limit=_PROBED_ROWS
        )
        try:
            numbers = [float(cell) for cell in table.target]
        except ValueError:
            return None
        return (min(numbers), max(numbers)) if numbers and not table.faults else None

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        return self._checked(self._read(needs, _PROBED_ROWS), needs)

    def _samples(self, needs: Needs) -> Split:
        import numpy as np

        table = self._read(needs, None)
        refuse(self._checked(table, needs))
        x = np.frombuffer(table.x, dtype=np.float64).reshape(-1, *needs.input_shape)
        names = None
        y: Any
        if needs.target_dtype == "real":
            y = np.array([float(cell) for cell in table.target])
        else:
            names = class_labels.names_of(table.target)
            y = np.array(class_labels.indices(table.target, names), dtype=np.int64)
        y = y.reshape(-1, *needs.target_shape)
        parts = divided(self, x, y, needs)
        return Split(*parts, classes=names, features=table.features)

    def _read(self, needs: Needs, limit: int | None) -> csv_reader.Table:
        path = csv_reader.find(needs.folder, self.file)
        real = needs.target_dtype == "real"
        table = csv_reader.read(
            path, self.target, self.features, real_target=real, limit=limit
        )
        words = [each for each in table.faults if each.hint == csv_reader.OF_CLASSES]
        if words:  # reading has stopped at the third of them
            again = csv_reader.read(
                path, self.target, self.features, real_target=False, limit=limit
            )
            for fault in words:
                fault.hint = class_labels.spec_of(again.target)
        return table

    def _checked(self, table: csv_reader.Table, needs: Needs) -> list[ArgumentError]:
        faults = [*stratify_faults(self.stratify, needs), *table.faults]
        count = len(table.features)
        if table.features and needs.input_shape != (count,):
            found = f"{count} feature{'s' * (count != 1)}"
            argument = "file" if self.features is None else "features"
            message = f"{foreign(self.file)!r} has {found},"
            message += f" but the input is {list(needs.input_shape)}"
            hint = f"declare the input as `real[{count}]`"
            faults.append(ArgumentError(argument, message, hint))
        if needs.target_shape not in ((), (1,)):
            message = f"one column cannot fill a target of {list(needs.target_shape)}"
            hint = "declare the target as `real[1]` and end with `linear(1)`"
            if needs.target_dtype == "int":
                hint = "declare the target as `int[]`"
            faults.append(ArgumentError("target", message, hint))
        if needs.target_dtype == "int" and not table.faults:
            faults += class_labels.faults(
                table.target, table.lines, self.target, needs.classes
            )
        real = needs.target_dtype == "real"
        if needs.domain is not None and real and not table.faults:
            faults += _outside(table, self.target, needs.domain)
        if table.complete and not table.faults:
            faults += size_faults(len(table.lines), self.validation, self.test)
        return faults


@entry("data")
@dataclass(frozen=True)
class Npz(Source):
    """Two arrays of a NumPy archive, with samples along the first axis. Source: numpy.savez."""

    file: str
    x: str = "x"
    y: str = "y"
    validation: Share = 0.2
    test: Share = 0.0
    stratify: Stratify = "auto"
    seed: CountOrZero = 0

    def __post_init__(self) -> None:
        check_shares(self.validation, self.test)

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        path = csv_reader.find(needs.folder, self.file)
        found = npz_reader.headers(path, {"x": self.x, "y": self.y})
        faults = stratify_faults(self.stratify, needs)
        faults += npz_reader.shape_faults(
            found, needs.input_shape, needs.target_shape, needs.target_dtype
        )
        if not faults:
            faults += size_faults(found["x"].shape[0], self.validation, self.test)
        return faults

    def _samples(self, needs: Needs) -> Split:
        import numpy as np

        refuse(self._faults(needs))
        path = csv_reader.find(needs.folder, self.file)
        x, y = npz_reader.arrays(path, self.x, self.y, needs.target_dtype)
        refuse(npz_reader.value_faults(x, y, needs.classes, needs.domain))
        y = y.astype(np.int64 if needs.target_dtype == "int" else np.float64)
        return Split(*divided(self, x, y, needs))


def _outside(
    table: csv_reader.Table, column: str, domain: tuple[int, int]
) -> list[ArgumentError]:
    """Return the error about the first target that the loss is not defined for."""
    least, most = domain
    for cell, line in zip(table.target, table.lines, strict=True):
        if not least <= float(cell) <= most:
            place = f"line {line}, column {foreign(column)!r}: {foreign(cell)!r}"
            message = f"{place} is not from {least} to {most}, as the loss needs"
            return [ArgumentError("target", message, OF_DOMAIN)]
    return []
