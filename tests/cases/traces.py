"""Traces of a validation loss, and the rule of early stopping, written out again."""

from __future__ import annotations

import math

NAN, INF = math.nan, math.inf


TRACES = {
    "worse again": ([0.2, 0.15, 0.1, 0.11, 0.12], 4, 2),
    "up and down": ([10, 9, 8, 9, 8.9, 8.8], 4, 2),
    "nan": ([NAN, 3, 2, NAN, NAN], 4, 2),
    "ties": ([5, 4, 4, 4, 3], 3, 1),
    "infinity": ([INF, 3, -INF, 2, INF, INF], 5, 3),
    "never better": ([NAN, NAN, 1], 1, -1),
    "better to the end": ([5, 4, 3, 2], 3, 3),
    "last moment": ([5, 6, 4, 5, 3, 3.5], 5, 4),
}


"""A trace -> (trace, the last epoch, the best epoch) under patience=2."""


def ruled(
    trace: list[float], patience: int, delta: float, sign: int, start: int
) -> tuple[int, int]:
    """The rule of semantics.md: (last epoch, best epoch)."""
    best_epoch, best, reference, waited = -1, INF, INF, 0
    for epoch, raw in enumerate(trace):
        value = sign * raw
        if epoch < start:
            continue
        if math.isfinite(value) and value < best:
            best_epoch, best = epoch, value
        if math.isfinite(value) and value < reference - delta:
            reference, waited = value, 0
        else:
            waited += 1
        if waited == patience:
            return epoch, best_epoch
    return len(trace) - 1, best_epoch


VARIANTS: dict[str, tuple[str, tuple[int, float, int, int]]] = {
    "patience=2": ("val_loss", (2, 0, 1, 0)),
    "patience=1": ("val_loss", (1, 0, 1, 0)),
    "patience=3, min_delta=1": ("val_loss", (3, 1, 1, 0)),
    "patience=2, min_delta=0.5, start=2": ("val_loss", (2, 0.5, 1, 2)),
    "patience=2, mode=max": ("val_loss", (2, 0, -1, 0)),
    "patience=2, min_delta=1, mode=max": ("val_loss", (2, 1, -1, 0)),
    "monitor=val_accuracy, patience=2": ("val_accuracy", (2, 0, -1, 0)),
    "monitor=val_accuracy, patience=2, mode=min": ("val_accuracy", (2, 0, 1, 0)),
}
