"""The data sources that come with scikit-learn, by name.

Each word is one class, its fields are the arguments. Shapes and classes are written down here, so
that a spec is checked without scikit-learn. Invariant: they are those of scikit-learn's loader, and
samples have its order and values. Without scikit-learn, loading raises ModuleNotFoundError.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from specc.library.data.source import (
    Needs,
    Shape,
    Source,
    Stratify,
    class_faults,
    divided,
    refuse,
    size_faults,
    stratify_faults,
)
from specc.library.data.split import Split, check_shares
from specc.library.vocabulary import ArgumentError, CountOrZero, Share, entry


@dataclass(frozen=True)
class Bundled(Source):
    """A data set of scikit-learn."""

    word: ClassVar[str]
    samples: ClassVar[int]
    inputs: ClassVar[tuple[Shape, ...]]
    """The input shapes that a spec can declare."""
    classes: ClassVar[int | None]
    """The number of classes; None if the target is a number."""
    names: ClassVar[tuple[str, ...] | None] = None
    """The names of the classes, None if they are only indices."""
    targets: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    """The smallest and the largest real target."""
    binary: ClassVar[bool] = False
    """Whether the target can also be a label, 0 or 1."""

    validation: Share = 0.2
    test: Share = 0.0
    stratify: Stratify = "auto"
    seed: CountOrZero = 0

    def __post_init__(self) -> None:
        check_shares(self.validation, self.test)

    def span(self, folder: Path | None) -> tuple[float, float] | None:
        return self.targets

    def _faults(self, needs: Needs) -> list[ArgumentError]:
        faults = stratify_faults(self.stratify, needs)
        if needs.input_shape not in self.inputs:
            message = f"{self.word} has inputs real{list(self.inputs[0])},"
            message += f" but the spec declares real{list(needs.input_shape)}"
            shapes = [f"`real{list(shape)}`" for shape in self.inputs]
            hint = f"declare the input as {_either(shapes)}"
            faults.append(ArgumentError("", message, hint))
        kinds = ["int[]"] if self.classes else []
        kinds += ["real[1]"] if self.binary or not self.classes else []
        found = f"{needs.target_dtype}{list(needs.target_shape)}"
        if found not in kinds:
            kind = "a class" if self.classes else "a number"
            message = f"the target of {self.word} is {kind}, but the spec declares"
            message += f" {found}"
            hint = f"declare the target as {_either([f'`{kind}`' for kind in kinds])}"
            faults.append(ArgumentError("", message, hint))
        elif needs.one_class and self.classes:
            faults += class_faults(self.word, self.classes, needs)
        return faults + size_faults(self.samples, self.validation, self.test)

    def _samples(self, needs: Needs) -> Split:
        refuse(self._faults(needs))
        bunch = self._loaded()
        x = bunch.data.astype("float64").reshape(-1, *needs.input_shape)
        y = bunch.target.astype("int64" if needs.one_class else "float64")
        y = y.reshape(-1, *needs.target_shape)
        features = tuple(map(str, bunch.feature_names))
        parts = divided(self, x, y, needs)
        return Split(*parts, classes=self.names, features=features)

    def _loaded(self) -> Any:
        datasets = importlib.import_module("sklearn.datasets")
        return getattr(datasets, f"load_{self.word}")()


@entry("data")
@dataclass(frozen=True)
class Digits(Bundled):
    """Handwritten digits: 1,797 images of 8 x 8 pixels with values from 0 to 16, in 10 classes.

    Source: Alpaydin and Kaynak 1998, sklearn.datasets.load_digits.
    """

    word = "digits"
    samples = 1797
    inputs = ((64,), (8, 8), (1, 8, 8))
    classes = 10


@entry("data")
@dataclass(frozen=True)
class Iris(Bundled):
    """Iris flowers: 150 samples with 4 lengths in centimetres, in 3 species.

    Source: Fisher 1936, sklearn.datasets.load_iris.
    """

    word = "iris"
    samples = 150
    inputs = ((4,),)
    classes = 3
    names = ("setosa", "versicolor", "virginica")


@entry("data")
@dataclass(frozen=True)
class Wine(Bundled):
    """Wines: 178 samples with 13 measurements, from 3 growers.

    Source: Forina and others 1988, sklearn.datasets.load_wine.
    """

    word = "wine"
    samples = 178
    inputs = ((13,),)
    classes = 3
    names = ("class_0", "class_1", "class_2")


@entry("data")
@dataclass(frozen=True)
class BreastCancer(Bundled):
    """Breast tumours: 569 samples with 30 measurements of cells, malignant or benign.

    Source: Street, Wolberg, Mangasarian 1993, sklearn.datasets.load_breast_cancer.
    """

    word = "breast_cancer"
    samples = 569
    inputs = ((30,),)
    classes = 2
    names = ("malignant", "benign")
    binary = True


@entry("data")
@dataclass(frozen=True)
class Diabetes(Bundled):
    """Progression of diabetes: 442 samples with 10 scaled measurements, a real target.

    Source: Efron and others 2004, sklearn.datasets.load_diabetes.
    """

    word = "diabetes"
    samples = 442
    inputs = ((10,),)
    classes = None
    targets = (25.0, 346.0)


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
