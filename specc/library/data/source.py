"""The interface of data sources, and how their arguments divide the samples.

`problems` returns errors of the user while a spec is checked, without NumPy; `load` returns all
samples. Invariant: samples from `load` have the shapes of the spec and are finite.
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
"""Whether each class keeps its share in every part; `auto` means if samples have a class."""


Domain = tuple[int, int] | None
OF_DOMAIN = "map labels such as -1 and 1 to 0 and 1"
"""What to do about targets that a loss is not defined for."""


@dataclass(frozen=True)
class Needs:
    """The shapes and types that a network needs, and the folder of the spec."""

    folder: Path | None
    """None for a spec from standard input: paths are then relative to the working folder."""
    input_shape: Shape
    target_shape: Shape
    target_dtype: Kind
    classes: int | None
    """The number of classes of the network; None for a real target, or if unknown."""
    domain: Domain = None
    """The least and the largest target of the loss; None if it takes any number."""

    @property
    def one_class(self) -> bool:
        """True if the target is one class index a sample."""
        return self.target_dtype == "int" and self.target_shape == ()


class Source:
    """A data source."""

    def problems(
        self,
        folder: Path | None,
        input_shape: Shape,
        target_shape: Shape,
        target_dtype: Kind,
        classes: int | None = None,
        domain: Domain = None,
    ) -> list[ArgumentError]:
        """Return the errors of the source; shapes are those of one sample."""
        needs = Needs(folder, input_shape, target_shape, target_dtype, classes, domain)
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
        domain: Domain = None,
    ) -> Split:
        """Return the samples; raise DataError if they cannot be used."""
        needs = Needs(folder, input_shape, target_shape, target_dtype, classes, domain)
        try:
            return self._samples(needs)
        except ArgumentError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise DataError(error.message + hint) from None

    def margin(self, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return how far inside class 1 points (n, 2) are; None if that is unknown."""
        return None

    def span(self, folder: Path | None) -> tuple[float, float] | None:
        """Return the smallest and the largest real target; None if that is unknown."""
        return None

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        raise NotImplementedError

    def _samples(self, needs: Needs) -> Split:
        raise NotImplementedError


class Shared(Protocol):
    """A source whose samples are divided by shares."""

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
        """The seed of the stream that divides the samples."""


def divided(source: Shared, x: Any, y: Any, needs: Needs) -> tuple[Any, Any, Any]:
    """Return training, validation and test samples, divided by the arguments of the source."""
    counts = sizes(len(y), source.validation, source.test)
    stratify = needs.one_class if source.stratify == "auto" else source.stratify
    return divide(x, y, *counts, source.seed, stratify)


def stratify_faults(stratify: Stratify, needs: Needs) -> list[ArgumentError]:
    """Return an error if `stratify=true` has no class labels."""
    if stratify is not True or needs.one_class:
        return []
    found = f"{needs.target_dtype}{list(needs.target_shape)}"
    message = f"stratify needs class labels, `int[]`, but the target is {found}"
    return [ArgumentError("stratify", message, "remove it")]


def refuse(faults: list[ArgumentError]) -> None:
    """Raise the first of the errors."""
    for fault in faults:
        raise fault


def size_faults(samples: int, validation: float, test: float) -> list[ArgumentError]:
    """Return an error if the shares leave a part without samples."""
    try:
        sizes(samples, validation, test)
    except ArgumentError as error:
        return [error]
    return []


def class_faults(word: str, classes: int, needs: Needs) -> list[ArgumentError]:
    """Return an error if the network has another number of classes than the source."""
    if needs.classes in (None, classes):
        return []
    message = (
        f"{word} has {classes} classes, but the network has outputs for {needs.classes}"
    )
    return [ArgumentError("", message, f"end with `linear({classes})`")]
