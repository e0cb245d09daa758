"""The samples of a training run, and whether the network can be trained on them.

Takes a checked model and its data; returns a Split. Invariant: what a loss is not defined for, what
no training sample shows and what a number type cannot hold is refused or told of before training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from specc.library.data.split import DataError, Split
from specc.model.domain import domain_of
from specc.model.model import Clause, Model
from specc.syntax.excerpt import foreign

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOOKED_AT = 100_000
"""In how many samples `lost_values` counts."""
MOST_LOST = 0.02
"""The part of different values that may become equal: of so many samples, some do by chance."""


class Refused(Exception):
    """A run that cannot go on: what is wrong, and whether the spec or its data are at fault."""

    def __init__(self, message: str, finding: bool = False) -> None:
        super().__init__(message)
        self.finding = finding


def load(model: Model, data: Clause, folder: Path | None) -> Split:
    """Return the spec's samples."""
    target = model.target
    classes = model.output_shape[-1] if target.dtype == "int" else None
    place = place_of(model, data)
    try:
        split: Split = data.use().load(
            folder,
            model.input.shape,
            target.shape,
            target.dtype,
            classes,
            domain_of(model),
        )
    except DataError as error:
        raise Refused(f"{place}{error}", finding=True) from None
    except MemoryError:
        raise Refused(f"{place}the samples do not fit into memory") from None
    return split


def check_samples(model: Model, data: Clause, split: Split, dtype: str) -> None:
    """Raise Refused if training cannot use the samples.

    Early stopping may monitor validation samples that do not exist, the samples may be fewer than a
    batch, or too large for `dtype`.
    """
    from specc.run.emitted import beyond_float32

    place = place_of(model, data)
    stopping = model.early_stopping
    if stopping and stopping.monitor.startswith("val_") and split.validation is None:
        text = f"early stopping monitors `{stopping.monitor}`, but the data has no"
        raise Refused(f"{place}{text} validation samples", finding=True)
    count, batch = len(split.train[1]), model.train.batch_size
    if model.train.drop_last and count < batch:
        text = f"`drop_last` drops all {count:,} training samples"
        hint = f"they are fewer than batch_size={batch}"
        raise Refused(f"{place}{text}: {hint}", finding=True)
    check_targets(model, data, split)
    check_classes(model, data, split)
    if dtype != "float32":
        return
    for samples in split.parts.values():
        for feature, numbers in zip((model.input, model.target), samples, strict=True):
            number = beyond_float32(numbers)
            if number is not None:
                text = f"`{feature.name}` has {number!r}, too large for float32"
                hint = "pass `--dtype float64`"
                raise Refused(f"{place}{text}: {hint}", finding=True)


def check_targets(model: Model, data: Clause, split: Split) -> None:
    """Raise Refused if the loss is not defined for a target."""
    domain = domain_of(model)
    for part, (_, y) in split.parts.items():
        if domain is None:
            continue
        least, most = domain
        outside = ~((y >= least) & (y <= most))
        if outside.any():
            loss = model.loss.use.entry.name
            text = (
                f"`{model.target.name}` has {float(y[outside][0]):g} in {part} samples"
            )
            hint = f"{loss} needs targets from {least} to {most}: map labels such as -1 and 1"
            raise Refused(
                f"{place_of(model, data)}{text}; {hint} to 0 and 1", finding=True
            )


def check_classes(model: Model, data: Clause, split: Split) -> None:
    """Raise Refused if a class of the validation or the test samples has no training sample."""
    if model.target.dtype != "int":
        return
    trained = set(split.train[1].ravel().tolist())
    for part, (_, y) in split.parts.items():
        lacking = sorted(set(y.ravel().tolist()) - trained)
        if not lacking:
            continue
        names = split.classes or ()
        first = repr(names[lacking[0]]) if lacking[0] < len(names) else lacking[0]
        text = f"class {first} has {part} samples, but no training sample"
        hint = "another `seed` or smaller parts leave some"
        raise Refused(f"{place_of(model, data)}{text}: {hint}", finding=True)


def place_of(model: Model, clause: Clause) -> str:
    """Return the place of a clause, to begin a message with."""
    return f"{model.source.name}:{clause.span.line}: " if clause.span else ""


def lost_values(model: Model, split: Split, dtype: str) -> Iterator[str]:
    """Yield a sentence for each column whose different values become equal in float32.

    Samples that the network standardizes come in float64, and lose what float32 cannot tell apart
    after the mean was subtracted.
    """
    import numpy as np

    if dtype != "float32" or len(model.input.shape) != 1:
        return
    x, y = split.train
    sides = [(model.input.name, np.asarray(x[:LOOKED_AT], np.float64), True)]
    if model.target.dtype == "real" and y.ndim == 2:
        sides.append((model.target.name, np.asarray(y[:LOOKED_AT], np.float64), False))
    for name, numbers, is_input in sides:
        standardized = is_input and model.standardize is not None
        hint = (
            ""
            if standardized or not is_input
            else "begin the layers with `standardize`, or "
        )
        for column in range(numbers.shape[1]):
            before, after = kept_values(numbers[:, column], standardized)
            if after < (1 - MOST_LOST) * before:
                which = f"{name}[{column}]"
                if is_input and split.features is not None:
                    which = f"column {foreign(split.features[column])!r}"
                yield (
                    f"{which}: {before:,} different values become {after:,} in float32;"
                    f" {hint}pass `--dtype float64`"
                )


def kept_values(column: NDArray[np.float64], standardized: bool) -> tuple[int, int]:
    """Return how many different values a column has, and how many float32 tells apart."""
    import numpy as np

    shifted = column - column.mean() if standardized else column
    scale = (shifted.std() or 1.0) if standardized else 1.0
    rounded = (shifted / scale).astype(np.float32)
    return len(np.unique(column)), len(np.unique(rounded))


def one_sided(model: Model, split: Split) -> Iterator[str]:
    """Yield a sentence for each metric whose threshold has all targets on one side."""
    if model.target.dtype != "real":
        return
    y = split.train[1]
    for metric in model.metrics:
        names = {argument.name for argument in metric.use.entry.arguments}
        if "threshold" not in names or model.target.shape not in ((), (1,)):
            continue
        limit = float(metric.use["threshold"])
        above = int((y > limit).sum())
        if above in (0, len(y)):
            side = "above" if above else "not above"
            name = metric.use.entry.name
            yield (
                f"{name} tells classes apart at {limit:g}, and all {len(y):,} training targets"
                f" of `{model.target.name}` are {side} it: pass `{name}(threshold=...)`, or map"
                " labels such as 1 and 2 to 0 and 1"
            )
