"""Samples, and how they are divided into training, validation and test samples.

Takes all samples of a source with the shares of the spec, returns a Split. Invariant: the three
parts are disjoint, together they are all samples, and training has at least one. Each part keeps
the order of the source. NumPy is imported only when samples are loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specc.library.vocabulary import ArgumentError
from specc.syntax.excerpt import foreign

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = tuple[NDArray[np.float64], NDArray[Any]]
    """x (n, *input shape) in float64; y (n, *target shape) in float64 or int64."""


class DataError(Exception):
    """Data that cannot be used; the message names file, place and value."""


@dataclass(frozen=True)
class Split:
    """The samples of a source; a part that the spec does not ask for is None."""

    train: Samples
    validation: Samples | None
    test: Samples | None
    classes: tuple[str, ...] | None = None
    """The name of each class, by its index; None if the source has no names."""
    features: tuple[str, ...] | None = None
    """The name of each input number; None if the source has no names."""

    @property
    def parts(self) -> dict[str, Samples]:
        """The parts that have samples, by name, training first."""
        named = (
            ("train", self.train),
            ("validation", self.validation),
            ("test", self.test),
        )
        return {name: samples for name, samples in named if samples is not None}

    def describe(self) -> str:
        """Return a line with the size of each part, and the classes by index."""
        sizes = ", ".join(f"{len(y):,} {name}" for name, (_, y) in self.parts.items())
        if self.classes is None:
            return sizes
        shown = [foreign(name) for name in self.classes[:10]]
        named = [f"{index} = {name}" for index, name in enumerate(shown)]
        named += ["…"] * (len(self.classes) > 10)
        return f"{sizes}; classes: {', '.join(named)}"


def check_shares(validation: float, test: float) -> None:
    """Raise ArgumentError if the shares are invalid for any number of samples."""
    for name, share in (("validation", validation), ("test", test)):
        if isinstance(share, float) and share >= 1 and (share == 1 or share % 1):
            raise ArgumentError(
                name,
                f"`{name}` is {share}, neither a fraction below 1 nor an integer",
                f"write a fraction such as `{name}=0.2` or a count such as `{name}=1`",
            )
    if validation < 1 and test < 1 and validation + test >= 1:
        raise ArgumentError(
            "validation", "`validation` and `test` leave no training samples"
        )


def sizes(samples: int, validation: float, test: float) -> tuple[int, int]:
    """Return the counts of validation and test samples; fractions are rounded half up.

    Raises ArgumentError if a fraction is less than one sample, or no training sample is left.
    """
    counts = []
    for name, share in (("validation", validation), ("test", test)):
        count = int(share * samples + 0.5) if share < 1 else int(share)
        if share > 0 and count == 0:
            raise ArgumentError(
                name,
                f"`{name}={share:g}` of {samples:,} samples is less than one sample",
            )
        counts.append(count)
    if sum(counts) >= samples:
        asked = [
            (c, n) for c, n in zip(counts, ("validation", "test"), strict=True) if c
        ]
        wanted = " and ".join(f"{count:,} for {name}" for count, name in asked)
        plural = "sample" if samples == 1 else "samples"
        raise ArgumentError(
            max(asked)[1],
            f"the data has {samples:,} {plural}: {wanted} leave none for training",
        )
    return counts[0], counts[1]


def divide(
    x: NDArray[np.float64],
    y: NDArray[Any],
    validation: int,
    test: int,
    seed: int,
    stratify: bool,
) -> tuple[Samples, Samples | None, Samples | None]:
    """Draw `test`, then `validation` samples by the stream `split`; the rest is for training.

    `stratify` keeps the share of each class of y (n,) in each part, to the nearest sample, but
    leaves at least one sample of each class for training. Equal remainders are ordered by the
    stream `split/ties`.
    """
    import numpy as np

    from specc.library.streams import permutation

    left = permutation(seed, "split", len(y))
    drawn = []
    for count in (test, validation):
        taken = np.zeros(len(left), dtype=bool)
        if stratify:
            labels = y[left]
            for label, quota in _quotas(labels, count, seed):
                taken[np.flatnonzero(labels == label)[:quota]] = True
        else:
            taken[:count] = True
        drawn.append(np.sort(left[taken]))
        left = left[~taken]
    for_test, for_validation = ((x[d], y[d]) if len(d) else None for d in drawn)
    kept = np.sort(left)
    return (x[kept], y[kept]), for_validation, for_test


def _quotas(labels: NDArray[Any], count: int, seed: int) -> list[tuple[int, int]]:
    """Divide `count` among the classes by their sizes, by largest remainder.

    The last sample of a class is left over where the other classes have enough.
    """
    import numpy as np

    from specc.library.streams import permutation

    names, sizes_ = np.unique(labels, return_counts=True)
    quotas, remainders = np.divmod(sizes_ * count, len(labels))
    spare = count - int(quotas.sum())
    by_chance = permutation(seed, "split/ties", len(names))
    order = by_chance[np.argsort(-remainders[by_chance], kind="stable")]
    quotas[order[:spare]] += 1
    over = int(np.maximum(quotas - (sizes_ - 1), 0).sum())
    quotas = np.minimum(quotas, sizes_ - 1)  # one of each class is for training
    for place in order:
        more = min(over, int(sizes_[place] - 1 - quotas[place]))
        quotas[place] += more
        over -= more
    if over:
        raise ArgumentError(
            "stratify",
            f"{len(names)} classes cannot all keep a training sample",
            "ask for smaller parts, or pass `stratify=false`",
        )
    return [(int(name), int(quota)) for name, quota in zip(names, quotas, strict=True)]
