"""The updates of an epoch in a NumPy module."""

from __future__ import annotations

from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.library.training.schedules import REDUCTIONS
from specc.model.model import rows_in
from specc.model.rate import per_step, reads_length
from specc.targets.numpy.calls import Caller, Lines, coded
from specc.targets.python.batch import rows_of_batch
from specc.targets.python.schedule import model_length


@dataclass(frozen=True)
class Epoch:
    """The method `_train`."""

    batches: Lines
    """The rows of every batch."""
    rate: Lines
    loop: Code
    """What the loop goes through."""
    learn: Code
    losses: Code


def epoch(caller: Caller) -> Epoch:
    """Return the statements of an epoch."""
    steps, name = per_step(caller.model), caller.derived.loss.name
    apart = caller.apart
    x, y, each = "batch", "batch", "batch"
    losses = f"[{name}(last[batch], y[batch]) for batch in batches]"
    if apart:
        x, y = "x_rows", "y_rows"
        each = "(x_rows, y_rows)" if steps else "x_rows, y_rows"
        losses = f"[{name}(last[rows], y[rows]) for _, rows in batches]"
    through = f"{each} in batches[:updates]"
    if steps:
        through = f"{each}, lr in zip(batches[:updates], rates, strict=False)"
    return Epoch(
        batches=coded(_batches(caller)),
        rate=coded([] if steps else [f"lr = {_rate(caller)}"]),
        loop=Code(through),
        learn=Code(f"last[{y}] = self._learn(x[{x}], y[{y}], lr)"),
        losses=Code(losses),
    )


def _rate(caller: Caller) -> str:
    given = {value.name for value in caller.derived.learning_rate.inputs}
    now = ", self._reductions" if REDUCTIONS in given else ""
    length = model_length(reads_length(caller.derived.learning_rate))
    return f"learning_rate(epoch{length}{now})"


def _batches(caller: Caller) -> list[str]:
    """List the rows of every batch."""
    of_x, of_last = rows_of_batch(caller.model), caller.words.rows_of_last.text
    if caller.apart:
        x, y = (f"slice(i * {n}, (i + 1) * {n})" for n in ("x_size", "y_size"))
        return [
            f"x_size, y_size = {of_x}, {of_last}  # in rows",
            "batches = [",
            f"    ({x}, {y})",
            "    for i in range(-(-len(y) // y_size))",
            "]",
        ]
    several = rows_in(caller.model.row_shape) > 1
    size = "size" if several else "BATCH_SIZE"
    return [
        *([f"size = {of_x}"] * several),
        f"starts = range(0, len(x), {size})",
        f"batches = [slice(start, start + {size}) for start in starts]",
    ]
