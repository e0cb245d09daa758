"""What every data source answers, and how its arguments divide the samples.

A source answers twice: `problems` tells a user's mistakes while a spec is checked, without
NumPy; `load` gives all samples. Invariant: whatever `load` gives fits the shapes of the
spec and is finite.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from specc.library.data.split import DataError, Split, divide, sizes
from specc.library.vocabulary import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shape = tuple[int, ...]
Kind = Literal["real", "int"]

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
        """True if the target is one class index a sample."""
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
        """Return the samples; DataError says what is wrong with them."""
        needs = Needs(folder, input_shape, target_shape, target_dtype, classes)
        try:
            return self._samples(needs)
        except ArgumentError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise DataError(error.message + hint) from None

    def margin(self, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Tell how far inside class 1 points (n, 2) are; None if nobody knows."""
        return None

    def span(self, folder: Path | None) -> tuple[float, float] | None:
        """Return the smallest and the largest real target; None if no look tells it."""
        return None

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        raise NotImplementedError

    def _samples(self, needs: Needs) -> Split:
        raise NotImplementedError


class Shared(Protocol):
    """A source whose samples are divided into shares."""

    @property
    def validation(self) -> float:
        """The share of the validation samples."""

    @property
    def test(self) -> float:
        """The share of the test samples."""

    @property
    def stratify(self) -> Stratify:
        """Whether each class keeps its share."""

    @property
    def seed(self) -> int:
        """The seed of the stream that divides."""


def divided(source: Shared, x: Any, y: Any, needs: Needs) -> tuple[Any, Any, Any]:
    """Divide samples as the source's arguments say: training, validation, test."""
    counts = sizes(len(y), source.validation, source.test)
    stratify = needs.one_class if source.stratify == "auto" else source.stratify
    return divide(x, y, *counts, source.seed, stratify)


def stratify_faults(stratify: Stratify, needs: Needs) -> list[ArgumentError]:
    """Tell where `stratify=true` has no class labels to go by."""
    if stratify is not True or needs.one_class:
        return []
    found = f"{needs.target_dtype}{list(needs.target_shape)}"
    message = f"stratify needs class labels, `int[]`, but the target is {found}"
    return [ArgumentError("stratify", message, "remove it")]


def refuse(faults: list[ArgumentError]) -> None:
    """Raise the first of the faults."""
    for fault in faults:
        raise fault


def size_faults(samples: int, validation: float, test: float) -> list[ArgumentError]:
    """Tell where the shares leave no sample for a part."""
    try:
        sizes(samples, validation, test)
    except ArgumentError as error:
        return [error]
    return []


def class_faults(word: str, classes: int, needs: Needs) -> list[ArgumentError]:
    """Tell where a network tells apart more or fewer than a source's classes."""
    if needs.classes in (None, classes):
        return []
    message = (
        f"{word} has {classes} classes, but the network has outputs for {needs.classes}"
    )
    return [ArgumentError("", message, f"end with `linear({classes})`")]
