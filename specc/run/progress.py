"""The output of `specc train`: progress on standard error, metrics on standard output.

Takes the records of epochs and the final metrics, returns or prints lines. Invariant: without a
terminal nothing is animated or coloured.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from specc.syntax.excerpt import harmless

SHARES = ("accuracy", "precision", "recall", "f1")
"""The metrics that are fractions, printed in per cent."""


class Screen(Console):
    """A console on which paths and names of files appear as text, whatever is in them."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print text, with everything that a terminal acts on escaped, and tables."""
        shown = (harmless(o) if isinstance(o, str) else o for o in objects)
        super().print(*shown, **options)


def console(stream: IO[str]) -> Console:
    """Return rich's console for a stream, without colour if `NO_COLOR` is set."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Screen(
        file=stream, no_color=plain, highlight=False, markup=False, soft_wrap=True
    )


def formatted(name: str, value: float | None) -> str:
    """Return a metric as text: a fraction in per cent, anything else with four digits."""
    if value is None:
        return "-"
    return f"{value:.2%}" if name in SHARES else f"{value:.4g}"


def epoch_line(logs: Mapping[str, Any]) -> str:
    """Return the record of an epoch as text: each metric for training, then for validation."""
    parts = []
    for name in metric_names(logs):
        values = [
            formatted(name, logs[key])
            for key in (f"train_{name}", f"val_{name}")
            if logs.get(key) is not None
        ]
        parts.append(f"{name} {' / '.join(values)}")
    return f"{', '.join(parts)}, lr {logs['lr']:.3g}"


def metric_names(logs: Mapping[str, Any]) -> list[str]:
    """Return the names of the metrics of an epoch, the loss first."""
    return [key.removeprefix("train_") for key in logs if key.startswith("train_")]


class EpochProgress:
    """Shows the progress of a fit; called after each epoch.

    On a terminal it is one animated line, elsewhere about ten lines in all, and nothing if `quiet`.
    `epochs` is the largest number of epochs.
    """

    def __init__(self, epochs: int, quiet: bool, stream: IO[str] | None = None) -> None:
        self._epochs = epochs
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar: Progress | None = None
        out = console(self._stream)
        if out.is_terminal and not out.is_dumb_terminal and not quiet:
            self._bar = Progress(
                TextColumn("epoch {task.completed}/{task.total}", markup=False),
                BarColumn(bar_width=24),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.description}", markup=False),
                console=out,
            )
            self._task = self._bar.add_task("", total=epochs)

    def __enter__(self) -> EpochProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Show the record of an epoch, counted from 0."""
        done = epoch + 1
        if self._bar:
            self._bar.update(self._task, completed=done, description=epoch_line(logs))
        elif not self._quiet and (
            done * 10 // self._epochs > epoch * 10 // self._epochs or epoch == 0
        ):
            text = f"epoch {done}/{self._epochs}: {epoch_line(logs)}"
            print(text, file=self._stream, flush=True)


def final_table(metrics: Mapping[str, Mapping[str, float]]) -> Table:
    """Return a table of the metrics, with a column for each part of the samples."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("")
    for part in metrics:
        table.add_column(part, justify="right")
    names = list(next(iter(metrics.values()), ()))
    for name in names:
        table.add_row(
            name, *(formatted(name, part.get(name)) for part in metrics.values())
        )
    return table


def duration(seconds: float) -> str:
    """Return a duration as text, in milliseconds where tenths of a second would be 0."""
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"


def endings(history: Any, epochs: int) -> str:
    """Return how training ended: the number of epochs, the reason, the epoch that was kept."""
    run = len(history)
    ends = {
        "epochs": "all epochs",
        "early_stopping": "stopped early",
        "callback": "stopped by the callback",
        "non_finite": "stopped because the loss is not finite",
        "interrupted": "interrupted",
    }
    why = ends.get(history.stopped_by, history.stopped_by)
    text = f"{run} of {epochs} epochs in {duration(history.seconds)} ({why})"
    if run and history.best_epoch is not None and history.best_epoch >= 0:
        text += f"; kept epoch {history.best_epoch}, counted from 0"
    if not run and history.stopped_by == "interrupted":
        text += "; the parameters are those after part of the first epoch"
    return text
