"""The data sources that draw points of the plane, in two classes.

Each word is one class, its fields are the arguments. Invariant: sample i is a pure function of the
seed and i, by the stream `data/<word>`; training has the first samples, then validation, then test.
The target is the label, 0 or 1, or the index of the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from specc.library.data.source import Needs, Source, class_faults, refuse
from specc.library.data.split import Split
from specc.library.vocabulary import ArgumentError, Count, CountOrZero, Interval, entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Synthetic(Source):
    """Points and labels that are a function of uniform random numbers."""

    word: ClassVar[str]
    drawn: ClassVar[int]
    """The number of uniform random numbers for a sample."""
    classes: ClassVar[tuple[str, str] | None] = None

    train: Count = 1000
    validation: CountOrZero = 1000
    test: CountOrZero = 0
    seed: CountOrZero = 0

    def _points(self, u: Reals) -> tuple[Reals, NDArray[np.bool_]]:
        """Return points (n, 2) and whether each is in class 1, from u (n, drawn) in [0, 1)."""
        raise NotImplementedError

    def span(self, folder: Path | None) -> tuple[float, float]:
        return 0.0, 1.0

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        faults = []
        if needs.input_shape != (2,):
            message = f"{self.word} has inputs real[2], but the spec declares"
            message += f" real{list(needs.input_shape)}"
            hint = "declare the input as `real[2]`"
            faults.append(ArgumentError("", message, hint))
        if needs.one_class:
            faults += class_faults(self.word, 2, needs)
        elif (needs.target_shape, needs.target_dtype) != ((1,), "real"):
            found = f"{needs.target_dtype}{list(needs.target_shape)}"
            message = f"the target of {self.word} is a label, 0 or 1, but the spec"
            message += f" declares {found}"
            hint = "declare the target as `real[1]`, or as `int[]` for its class"
            faults.append(ArgumentError("", message, hint))
        return faults

    def _samples(self, needs: Needs) -> Split:
        import numpy as np

        from specc.library.streams import uniform

        refuse(self._faults(needs))
        ends = tuple(accumulate((self.train, self.validation, self.test)))
        u = uniform(self.seed, f"data/{self.word}", self.drawn * ends[-1])
        x, second = self._points(u.reshape(-1, self.drawn))
        y = second.astype(np.int64 if needs.one_class else np.float64)
        y = y.reshape(-1, *needs.target_shape)
        validation, test = (
            (x[start:end], y[start:end]) if end > start else None
            for start, end in pairwise(ends)
        )
        train = x[: self.train], y[: self.train]
        return Split(train, validation, test, classes=self.classes)


@entry("data")
@dataclass(frozen=True)
class Disk(Synthetic):
    """x ~ U[0,1]^2; label 1 if the distance to (0.5, 0.5) is below 1/sqrt(2 pi), else 0.

    Source: the experiment in docs/proof.md.
    """

    word = "disk"
    drawn = 2

    def margin(self, points: Reals) -> Reals:
        """Return the radius minus the distance to the centre."""
        import numpy as np

        distance = np.hypot(points[:, 0] - 0.5, points[:, 1] - 0.5)
        inside: Reals = 1 / np.sqrt(2 * np.pi) - distance
        return inside

    def _points(self, u: Reals) -> tuple[Reals, NDArray[np.bool_]]:
        return u, self.margin(u) > 0


@entry("data")
@dataclass(frozen=True)
class Xor(Synthetic):
    """x ~ U[0,1]^2; label 1 if (x1 - 0.5) (x2 - 0.5) < 0, else 0.

    Source: Minsky and Papert 1969.
    """

    word = "xor"
    drawn = 2
    classes = ("alike", "different")

    def margin(self, points: Reals) -> Reals:
        """Return -(x1 - 0.5) (x2 - 0.5)."""
        product: Reals = (points[:, 0] - 0.5) * (points[:, 1] - 0.5)
        return -product

    def _points(self, u: Reals) -> tuple[Reals, NDArray[np.bool_]]:
        return u, self.margin(u) > 0


@entry("data")
@dataclass(frozen=True)
class Spiral(Synthetic):
    """Two spiral arms around (0.5, 0.5), each the point reflection of the other.

    With t ~ U[0,1), r = (1 + 12 t) / 26 and a = 2 pi turns (1 - t), a point is (0.5, 0.5) + s r
    (sin a, cos a); s is 1 for label 1 and -1 for label 0, with equal probability. Three turns give
    the classic spirals, in the unit square.

    Source: Lang and Witbrock 1988.
    """

    word = "spiral"
    drawn = 2
    classes = ("first arm", "second arm")

    turns: Annotated[float, Interval(low=0, high=100, low_open=True)] = 1.0

    def _points(self, u: Reals) -> tuple[Reals, NDArray[np.bool_]]:
        import numpy as np

        second, t = u[:, 0] >= 0.5, u[:, 1]
        angle = 2 * np.pi * self.turns * (1 - t)
        reach = np.where(second, 1, -1) * (1 + 12 * t) / 26
        x = 0.5 + reach[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
        return x, second


@entry("data")
@dataclass(frozen=True)
class Moons(Synthetic):
    """Two interlocking half circles with noise, as from scikit-learn's `make_moons`.

    With a ~ U[0,pi), a point is (cos a, sin a) for label 0 and (1 - cos a, 0.5 - sin a) for label
    1, with equal probability; both coordinates have noise from N(0, noise^2).

    Source: sklearn.datasets.make_moons.
    """

    word = "moons"
    drawn = 4
    classes = ("upper", "lower")

    noise: Annotated[float, Interval(low=0, high=100)] = 0.1

    def _points(self, u: Reals) -> tuple[Reals, NDArray[np.bool_]]:
        import numpy as np

        second, angle = u[:, 0] >= 0.5, np.pi * u[:, 1]
        upper = np.column_stack([np.cos(angle), np.sin(angle)])
        x = np.where(second[:, None], [1, 0.5] - upper, upper)
        # Box and Muller, both numbers of a pair; u < 1, so the logarithm is finite.
        radius, turn = np.sqrt(-2 * np.log(1 - u[:, 2])), 2 * np.pi * u[:, 3]
        normal = radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
        return x + self.noise * normal, second
