"""The plots of a run.

Takes a checked spec, its samples and the trained network; returns pictures by file name. Invariant:
the network is used only through `predict`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specc.derive.lower import gives_logits
from specc.library.data.split import Split
from specc.model.model import Clause, Model
from specc.run.folder import CURVES, REGION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def drawn(
    model: Model, data: Clause, split: Split, network: Any, history: Any
) -> dict[str, bytes]:
    """Draw the curves of a run with epochs, and the learned region for inputs of two numbers."""
    from specc.run import plots

    pictures = {}
    if history:
        pictures[CURVES] = plots.curves(history, history.best_epoch, model.name)
    if model.input.shape == (2,) and _has_region(model):
        pictures[REGION] = _region(model, data, split, network)
    return pictures


def _has_region(model: Model) -> bool:
    """True if the network has one output for a point, or a score for each class."""
    if model.target.dtype == "int":
        return model.target.shape == ()
    return model.target.shape in ((), (1,)) and model.output_shape in ((), (1,))


def _region(model: Model, data: Clause, split: Split, network: Any) -> bytes:
    from specc.run import plots

    like = network.flat_parameters
    logits = gives_logits(model)

    def predict(points: NDArray[np.float64]) -> NDArray[np.float64]:
        import torch

        dtype = torch.float64 if model.standardize is not None else like.dtype
        x = torch.tensor(points, dtype=dtype, device=like.device)
        output = network.predict(x).double().cpu()
        probability: NDArray[np.float64] = (
            output.sigmoid() if logits else output
        ).numpy()
        return probability

    part, (x, y) = list(split.parts.items())[-1]
    source = data.use()
    known = source.margin(x[:1]) is not None
    first, second = split.features or (f"{model.input.name} 1", f"{model.input.name} 2")
    return plots.region(
        predict,
        x,
        y,
        threshold=_threshold(model),
        margin=source.margin if known else None,
        names=(first, second),
        classes=split.classes,
        title=f"{model.name}: what it learnt, and {len(y):,} {part} samples",
    )


def _threshold(model: Model) -> float | None:
    """Return the output above which the class is 1; None if the network has no classes."""
    for metric in model.metrics:
        if metric.use.entry.name == "accuracy":
            return float(metric.use["threshold"])
    return 0.5 if model.loss.use.entry.name == "binary_cross_entropy" else None
