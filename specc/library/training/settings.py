"""The settings of the training loop: `train(...)` and `early_stopping(...)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specc.library.vocabulary import Count, CountOrZero, NotNegative, Positive, entry


@entry("setting")
@dataclass(frozen=True)
class Train:
    """The length of training, the batches and the seed. Source: torch.utils.data.DataLoader."""

    epochs: Count = 100
    batch_size: Count = 32
    shuffle: bool = True
    seed: CountOrZero = 0
    drop_last: bool = False
    clip_norm: Positive | None = None
    clip_value: Positive | None = None
    on_nan: Literal["stop"] = "stop"


@entry("setting")
@dataclass(frozen=True)
class EarlyStopping:
    """Stops training when a metric no longer improves, and restores the best parameters.

    `monitor` is `val_` or `train_` followed by `loss` or the name of a metric of the spec. Source:
    keras.callbacks.EarlyStopping.
    """

    monitor: str = "val_loss"
    patience: Count = 10
    min_delta: NotNegative = 0.0
    restore_best: bool = True
    mode: Literal["auto", "min", "max"] = "auto"
    start: CountOrZero = 0
