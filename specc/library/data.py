"""The data sources: each word is one class, its fields the arguments.

Each answers twice: `problems` tells a user's mistakes while a spec is checked, without
NumPy and from the beginning of a file; `load` gives all samples. Invariant: whatever
`load` gives fits the shapes of the spec and is finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from specc.library import class_labels, csv_source, npz_source
from specc.library.entry import ArgumentError, Count, CountOrZero, Share, entry
from specc.library.split import DataError, Split, check_shares, divide, sizes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shape = tuple[int, ...]
Kind = Literal["real", "int"]

_PROBED_ROWS = 1_000
"""How many rows of a file are looked at while a spec is checked."""


Stratify = bool | Literal["auto"]
"""Whether each class keeps its share in every part; `auto`: where samples have a class."""


@dataclass(frozen=True)
class Needs:
    """What a network needs of its samples, and where the spec lies."""

    folder: Path | None
    """None for a spec from standard input: then the working folder counts."""
    input_shape: Shape
    target_shape: Shape
    target_dtype: Kind
    classes: int | None
    """How many classes the network tells apart; None for a real target, or unknown."""

    @property
    def one_class(self) -> bool:
        """Whether the target is one class index a sample."""
        return self.target_dtype == "int" and self.target_shape == ()


class Source:
    """What every data source answers."""

    def problems(
        self,
        folder: Path | None,
        input_shape: Shape,
        target_shape: Shape,
        target_dtype: Kind,
        classes: int | None = None,
    ) -> list[ArgumentError]:
        """Tell what is wrong with the source; shapes are those of one sample."""
        needs = Needs(folder, input_shape, target_shape, target_dtype, classes)
        try:
            return self._faults(needs)
        except ArgumentError as error:
            return [error]

    def load(
        self,
        folder: Path | None,
        input_shape: Shape,
        target_shape: Shape,
        target_dtype: Kind,
        classes: int | None = None,
    ) -> Split:
        """Give the samples; DataError says what is wrong with them."""
        needs = Needs(folder, input_shape, target_shape, target_dtype, classes)
        try:
            return self._samples(needs)
        except ArgumentError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise DataError(error.message + hint) from None

    def margin(self, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Tell how far inside class 1 points (n, 2) are; None where nobody knows."""
        return None

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        raise NotImplementedError

    def _samples(self, needs: Needs) -> Split:
        raise NotImplementedError


@entry("data")
@dataclass(frozen=True)
class Disk(Source):
    """x ~ U[0,1]^2; label 1 iff closer to (0.5, 0.5) than 1/sqrt(2 pi), else 0.

    Source: Fleuret, EE-559 Deep Learning at EPFL, mini-project 2.
    """

    train: Count = 1000
    validation: CountOrZero = 1000
    test: CountOrZero = 0
    seed: CountOrZero = 0

    def margin(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the radius less the distance to the centre."""
        import numpy as np

        distance = np.hypot(points[:, 0] - 0.5, points[:, 1] - 0.5)
        inside: NDArray[np.float64] = 1 / np.sqrt(2 * np.pi) - distance
        return inside

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        faults = []
        if needs.input_shape != (2,):
            message = f"disk gives points, the input is real{list(needs.input_shape)}"
            hint = "declare the input as `real[2]`"
            faults.append(ArgumentError("", message, hint))
        if (needs.target_shape, needs.target_dtype) != ((1,), "real"):
            found = f"{needs.target_dtype}{list(needs.target_shape)}"
            message = f"disk gives one label, 0 or 1, the target is {found}"
            hint = "declare the target as `real[1]`"
            faults.append(ArgumentError("", message, hint))
        return faults

    def _samples(self, needs: Needs) -> Split:
        import numpy as np

        from specc.streams import uniform

        _refuse(self._faults(needs))
        ends = tuple(accumulate((self.train, self.validation, self.test)))
        x = uniform(self.seed, "data/disk", 2 * ends[-1]).reshape(-1, 2)
        y = (self.margin(x) > 0).astype(np.float64)[:, None]
        validation, test = (
            (x[start:end], y[start:end]) if end > start else None
            for start, end in pairwise(ends)
        )
        return Split((x[: self.train], y[: self.train]), validation, test)


@entry("data")
@dataclass(frozen=True)
class Csv(Source):
    """Columns of a CSV file with a header; by default all but the target are input.

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

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        return self._checked(self._read(needs, _PROBED_ROWS), needs)

    def _samples(self, needs: Needs) -> Split:
        import numpy as np

        table = self._read(needs, None)
        _refuse(self._checked(table, needs))
        x = np.frombuffer(table.x, dtype=np.float64).reshape(-1, *needs.input_shape)
        names = None
        y: NDArray[Any]
        if needs.target_dtype == "real":
            y = np.array([float(cell) for cell in table.target])
        else:
            names = class_labels.names_of(table.target)
            y = np.array(class_labels.indices(table.target, names), dtype=np.int64)
        y = y.reshape(-1, *needs.target_shape)
        parts = _divided(self, x, y, needs)
        return Split(*parts, classes=names, features=table.features)

    def _read(self, needs: Needs, limit: int | None) -> csv_source.Table:
        path = csv_source.find(needs.folder, self.file)
        real = needs.target_dtype == "real"
        return csv_source.read(
            path, self.target, self.features, real_target=real, limit=limit
        )

    def _checked(self, table: csv_source.Table, needs: Needs) -> list[ArgumentError]:
        faults = [*_stratify_faults(self.stratify, needs), *table.faults]
        count = len(table.features)
        if table.features and needs.input_shape != (count,):
            found = f"{count} feature{'s' * (count != 1)}"
            argument = "file" if self.features is None else "features"
            message = (
                f"{self.file!r} has {found}, the input is {list(needs.input_shape)}"
            )
            hint = f"declare the input as `real[{count}]`"
            faults.append(ArgumentError(argument, message, hint))
        if needs.target_shape not in ((), (1,)):
            message = f"one column cannot fill a target of {list(needs.target_shape)}"
            faults.append(ArgumentError("target", message))
        if needs.target_dtype == "int" and not table.faults:
            faults += class_labels.faults(
                table.target, table.lines, self.target, needs.classes
            )
        if table.complete and not table.faults:
            faults += _size_faults(len(table.lines), self.validation, self.test)
        return faults


@entry("data")
@dataclass(frozen=True)
class Npz(Source):
    """Two arrays of a NumPy archive, samples first. Source: numpy.savez."""

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
        path = csv_source.find(needs.folder, self.file)
        found = npz_source.headers(path, {"x": self.x, "y": self.y})
        faults = _stratify_faults(self.stratify, needs)
        faults += npz_source.shape_faults(
            found, needs.input_shape, needs.target_shape, needs.target_dtype
        )
        if not faults:
            faults += _size_faults(found["x"].shape[0], self.validation, self.test)
        return faults

    def _samples(self, needs: Needs) -> Split:
        import numpy as np

        _refuse(self._faults(needs))
        path = csv_source.find(needs.folder, self.file)
        x, y = npz_source.arrays(path, self.x, self.y, needs.target_dtype)
        _refuse(npz_source.value_faults(x, y, needs.classes))
        y = y.astype(np.int64 if needs.target_dtype == "int" else np.float64)
        return Split(*_divided(self, x, y, needs))


def _divided(source: Csv | Npz, x: Any, y: Any, needs: Needs) -> tuple[Any, Any, Any]:
    counts = sizes(len(y), source.validation, source.test)
    stratify = needs.one_class if source.stratify == "auto" else source.stratify
    return divide(x, y, *counts, source.seed, stratify)


def _stratify_faults(stratify: Stratify, needs: Needs) -> list[ArgumentError]:
    if stratify is not True or needs.one_class:
        return []
    found = f"{needs.target_dtype}{list(needs.target_shape)}"
    message = f"only class labels, `int[]`, can be stratified; the target is {found}"
    return [ArgumentError("stratify", message, "leave it out")]


def _refuse(faults: list[ArgumentError]) -> None:
    for fault in faults:
        raise fault


def _size_faults(samples: int, validation: float, test: float) -> list[ArgumentError]:
    try:
        sizes(samples, validation, test)
    except ArgumentError as error:
        return [error]
    return []
