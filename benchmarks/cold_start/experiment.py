"""What the scripts of this folder have in common: the samples, when to stop, the report.

The experiment: up to 200 epochs of single-sample SGD on the network 2-25-25-25-1, the rate
0.1 / (1 + epoch / 2), the squared error on other samples after each epoch; it ends after
20 epochs without a better one, and the best parameters are kept.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

EPOCHS = 200
WIDTHS = (2, 25, 25, 25, 1)


def rate(epoch: int) -> float:
    """Give the learning rate of an epoch, from 0."""
    return 0.1 / (1 + 0.5 * epoch)


class Data:
    """The samples and the start parameters, from the file that the command line names."""

    def __init__(self) -> None:
        arrays = np.load(sys.argv[1])
        self.x, self.y = arrays["x"], arrays["y"]
        self.x_val, self.y_val = arrays["x_val"], arrays["y_val"]
        pairs = range(1, len(WIDTHS))
        self.layers = [
            (arrays[f"linear{i}.weight"], arrays[f"linear{i}.bias"]) for i in pairs
        ]
        """Weight (outputs, inputs) and bias of each layer."""


class EarlyStopping:
    """Keeps the best parameters, copied if they can change, and tells when to stop."""

    def __init__(
        self, kept: Callable[[Any], Any] = copy.deepcopy, patience: int = 20
    ) -> None:
        self.kept, self.patience, self.waited = kept, patience, 0
        self.loss, self.best = float("inf"), None

    def stops(self, loss: float, parameters: Any) -> bool:
        """Look at the epoch that has just ended."""
        self.waited += 1
        if loss < self.loss:
            self.loss, self.best, self.waited = loss, self.kept(parameters), 0
        return self.waited >= self.patience


class Clock:
    """Measures the training alone, and reports it to whoever started the script."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def report(self, epochs: int, predict: Callable[[], Any], data: Data) -> None:
        """Stop, and print a line of JSON; `predict` is for the validation samples."""
        seconds = time.perf_counter() - self.start
        right = (np.asarray(predict()).reshape(-1, 1) > 0.5) == (data.y_val > 0.5)
        figures = {
            "training_s": seconds,
            "epochs": epochs,
            "accuracy": float(right.mean()),
        }
        print(json.dumps(figures))
