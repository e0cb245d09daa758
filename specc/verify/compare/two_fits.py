"""A fit of a module compared with the fit of the reference.

The reference also runs from a start that is perturbed by one rounding, and the comparison ends
where the two runs of the reference differ. Takes all three, yields findings: the metrics of every
epoch, when training ended, the parameters kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specc.model.model import Model
from specc.verify.compare.finding import Finding, fact, near
from specc.verify.compare.tensors import Tensor
from specc.verify.reference.fit import Fit
from specc.verify.reference.metrics import cancelled
from specc.verify.reference.round_off import AMPLIFIED, CHAOS, DRIFT, apart
from specc.verify.reference.training import SHARES, Samples, monitored

HUGE = 1e100
"""Above this, the loss of samples is expected to overflow."""
LARGE = 1e6
"""Above this, targets leave rounding errors in any loss."""
LEAST = 0.1
"""The scale of errors of smaller metrics, which are only rounding errors."""


def _least(model: Model, figure: str, y: Tensor) -> float:
    """Return that scale for a metric; a loss that is a sum accumulates rounding errors."""
    reduction = model.loss.use["reduction"]
    if not figure.endswith("_loss") or reduction == "mean":
        return LEAST
    return LEAST * (y.numel() if reduction == "sum" else y[0].numel())


@dataclass(frozen=True)
class TwoFits:
    """The fits of a module and of the reference to the same samples."""

    model: Model
    training: Samples
    validation: Samples
    expected: Fit
    shaken: Fit
    """The fit of the reference from the perturbed start."""
    history: Any
    """The history of the module."""
    kept: Mapping[str, Tensor]
    """The parameters and buffers of the module afterwards."""

    def seconds(self, elapsed: float) -> Finding:
        """Compare the seconds of the history with those measured around the fit."""
        spent = [self.history.seconds, *(logs["seconds"] for logs in self.history)]
        within = all(0 <= seconds <= elapsed for seconds in spent)
        where = f"{max(spent, key=abs):.3g} s of {elapsed:.3g} s"
        return fact("fit", "seconds", within, where, self._said())

    def findings(self) -> Iterator[Finding]:
        """Compare metrics, then how training ended, then the parameters kept."""
        length, bounds = self._comparable()
        said = self._said()
        whole = length == len(self.expected.history)
        if not whole:
            said += f"; rounding is amplified, compared for {length}"
        for epoch, bound in enumerate(bounds[: len(self.history)]):
            note = self._ends(epoch)
            yield from self._epoch(epoch, bound, said)
            if note:
                note = f"{note}: what follows epoch {epoch} is left out"
                yield Finding("fit", "comparison", 0.0, bound, said=note)
                return
        if not whole or not self._decides():
            return
        expected, history = self.expected, self.history
        facts = {
            "epochs": (len(history), len(expected.history)),
            "best_epoch": (history.best_epoch, expected.best_epoch),
            "stopped_by": (history.stopped_by, expected.stopped_by),
            "stopped_epoch": (history.stopped_epoch, len(expected.history) - 1),
        }
        for name, (is_, wanted) in facts.items():
            yield fact("fit", name, is_ == wanted, f"{is_}, expected {wanted}", said)
        if expected.stopped_by == "non_finite":
            return
        bound = DRIFT + AMPLIFIED * apart(expected.state, self.shaken.state)
        for name, numbers in expected.state.items():
            yield near("fit", name, self.kept[name], numbers, bound, said)

    def _said(self) -> str:
        said = f"{len(self.expected.history)} epochs"
        if self.expected.best_epoch >= 0:
            said += f", best {self.expected.best_epoch}"
        if self.expected.stopped_by == "early_stopping":
            said += ", stopped early"
        return said

    def _ends(self, epoch: int) -> str:
        """Return why nothing can be compared after an epoch, "" if it can."""
        logs, found = self.expected.history[epoch], self.history[epoch]
        values = logs["val_loss"], found.get("val_loss", math.nan)
        if self._huge and any(math.isfinite(value) for value in values):
            return f"a loss of samples beyond {HUGE:.0e}"
        others = [name for name in monitored(self.model) if name != "val_loss"]
        lost = [name for name in others if name in self._lost(epoch)]
        if lost:
            return f"{lost[0]} of a loss that is not finite"
        for name in others:
            if (
                name.endswith("_r2")
                and math.isnan(logs[name])
                and math.isfinite(found[name])
            ):
                return f"{name} of targets that are met, which the last bits decide"
        return ""

    def _lost(self, epoch: int) -> set[str]:
        """Return the undefined validation metrics of an epoch, such as the argmax of NaN."""
        logs = self.expected.history[epoch]
        known = {"val_loss"} if not self._huge else set()
        if math.isfinite(logs["val_loss"]) and not self._huge:
            return set()
        return {name for name in logs if name.startswith("val_")} - known

    @property
    def _huge(self) -> bool:
        """True if samples are so large that a norm depends on how its formula is evaluated."""
        return float(self.validation[0].abs().max()) > HUGE

    def _epoch(self, epoch: int, bound: float, said: str) -> Iterator[Finding]:
        """Compare the metrics of one epoch."""
        logs, other = self.expected.history[epoch], self.shaken.history[epoch]
        found, lost = self.history[epoch], self._lost(epoch)
        for name, value in logs.items():
            if name in lost:
                continue
            if _counted(name) and value != other[name]:
                note = f"{name} left out where rounding decides ties"
                yield Finding("fit", name, 0.0, bound, said=note)
                continue
            seen = found.get(name, math.nan)
            at = f"epoch {epoch}: {seen:.9g}, expected {value:.9g}"
            error = self._error(name, seen, value)
            yield Finding("fit", name, error, bound, at, said)

    def _error(self, name: str, seen: float, value: float) -> float:
        """Return the error of a metric, relative to the numbers that it is a difference of."""
        if seen == value or math.isnan(value):  # r2 of infinite errors
            return 0.0
        if not (math.isfinite(seen) or math.isfinite(value)):
            return 0.0
        y = (self.validation if name.startswith("val_") else self.training)[1]
        size = max(abs(value), _least(self.model, name, y))
        if name.endswith("_loss") and float(y.abs().max()) > LARGE:
            size = max(size, float(y.abs().max()))
        error = abs(seen - value) / size
        if name.endswith("_r2"):
            error -= cancelled(y) * abs(1 - value) / size
        return max(error, 0.0)

    def _comparable(self) -> tuple[int, list[float]]:
        """Return how many epochs can be compared, and the bound of each.

        A count that a tie decides does not end the comparison unless it is monitored.
        """
        expected, shaken = self.expected, self.shaken
        watched = monitored(self.model)
        bounds: list[float] = []
        for a, b in zip(expected.history, shaken.history, strict=False):
            gap = max(
                abs(value - b[name]) / max(abs(value), LEAST)
                for name, value in a.items()
                if math.isfinite(value)  # an infinite validation loss is not drift
                and (name in watched or not _counted(name))
            )
            if not gap <= CHAOS:
                return len(bounds), bounds
            bounds.append(DRIFT + AMPLIFIED * gap)
        same = len(expected.history) == len(shaken.history)
        alike = same and expected.best_epoch == shaken.best_epoch
        return (len(bounds) if alike else len(bounds) - 1), bounds

    def _decides(self) -> bool:
        """True if rounding does not decide when training ends: no monitored values are equal."""
        stopping = self.model.early_stopping
        if stopping is None or _counted(stopping.monitor):
            return True
        values = [
            logs[stopping.monitor] for logs in self.expected.history[stopping.start :]
        ]
        finite = sorted(value for value in values if math.isfinite(value))
        pairs = zip(finite, finite[1:], strict=False)
        return all(b - a > 1e-10 * max(abs(a), abs(b)) for a, b in pairs)


def _counted(figure: str) -> bool:
    """True if a metric is a count, which only a tie can change."""
    return figure.partition("_")[2] in SHARES
