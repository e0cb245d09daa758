"""The metrics of a spec from predictions and targets, by their definitions.

Takes tensors of whole samples, returns floats. Invariant: it shares no formula with the metrics of
the library.
"""

from __future__ import annotations

import math

from specc.library.vocabulary import Use
from specc.model.model import Model
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.missing import MissingReference

ROUNDINGS = 1e-24
"""The square of a relative rounding error."""


def cancelled(y: Tensor) -> float:
    """Return the relative error of a variance that is a difference of means of squares."""
    square = float(y.double().square().mean())
    spread = float(y.double().var(correction=0))
    return 1e-14 * square / spread if spread > 0 else math.inf


def metric(
    model: Model, use: Use, prediction: Tensor, y: Tensor, rounded: bool = False
) -> float:
    """Return one metric of predictions, (n, *output), and targets, (n, *target).

    If predictions may be `rounded` differently, a metric that rounding decides is NaN: `r2` of
    constant targets that are predicted.
    """
    whole, last = prediction, model.nodes[-1]
    probable = last.use.entry.name == "sigmoid" and not last.looks_across
    if model.loss.use.entry.name == "binary_cross_entropy" and not probable:
        prediction = prediction.sigmoid()
    classes = model.target.dtype == "int"
    width = prediction.shape[-1] if prediction.dim() > 1 else 1
    rows = prediction.reshape(-1, width)
    targets = y.reshape(-1) if classes else y.reshape(-1, width)
    match use.entry.name:
        case "accuracy" if classes:
            return _share(rows.argmax(dim=1) == targets)
        case "accuracy" if width > 1:
            largest = whole.reshape(-1, width).argmax(dim=1)
            return _share(largest == targets.argmax(dim=1))
        case "accuracy":
            limit = use["threshold"]
            return _share((rows > limit) == (targets > limit))
        case "mae":
            return float((rows - targets).abs().mean())
        case "mse":
            return float((rows - targets).square().mean())
        case "r2":
            error = float((rows - targets).square().sum())
            spread = float((targets - targets.mean()).square().sum())
            square = float(targets.square().sum())
            if math.isinf(square):
                return math.nan
            if spread <= 1e-13 * square:
                if rounded and error <= ROUNDINGS * max(square, ROUNDINGS):
                    return math.nan  # 1 or 0, by the last bits
                return 1.0 if error == 0 else 0.0
            return 1 - error / spread
    if use.entry.name not in ("precision", "recall", "f1"):
        raise MissingReference("metric", use.entry.name, "metrics.py")
    if classes:
        predicted, actual = rows.argmax(dim=1) == 1, targets == 1
    else:
        predicted, actual = rows > use["threshold"], targets > use["threshold"]
    hits = float((predicted & actual).sum())
    counts = {
        "precision": float(predicted.sum()),
        "recall": float(actual.sum()),
        "f1": (float(predicted.sum()) + float(actual.sum())) / 2,
    }
    count = counts[use.entry.name]
    return hits / count if count else 0.0


def _share(hits: Tensor) -> float:
    return float(hits.to(torch.float64).mean())
