"""Trains on real data from ten seeds, beside scikit-learn's MLP of the same architecture.

    python benchmarks/real.py [--quick] [--targets torch numpy c] [--only digits ...]

Both sides get the same samples, held out anew by each seed, the same widths, batch size,
rate, Nesterov momentum and epochs, float32 and one thread on one pinned core. Starts and
orders are each side's own. Subjects take turns, seed by seed. A row tells what the network
reaches on the held-out samples, and the seconds of `fit`: median and range over the seeds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from timing import machine, pin

SEEDS = 10
HELD_OUT = 0.2


@dataclass(frozen=True)
class Row:
    """A data source, a network with one hidden layer of ReLU, and how it is trained."""

    data: str
    inputs: int
    outputs: int
    """How many classes; 0 where the target is a number."""
    lr: float
    epochs: int
    hidden: int = 64
    batch: int = 32
    before: str = ""
    """Layers of the spec before the first linear one, where numbers need a scale."""
    scaled: bool = False
    """Whether the peer gets its samples from a StandardScaler."""

    @property
    def spec(self) -> str:
        """Write the spec; the peer starts from Glorot's uniform weights too."""
        end = self.outputs or 1
        return f"""
model net
input x: real[{self.inputs}]
target y: {"int[]" if self.outputs else "real[1]"}
layers {{
  {self.before}
  linear({self.hidden}, weight=xavier_uniform)
  relu
  linear({end}, weight=xavier_uniform)
}}
loss {"cross_entropy" if self.outputs else "mse"}
optimizer sgd(lr={self.lr}, momentum=0.9, nesterov=true)
train(epochs={self.epochs}, batch_size={self.batch})
"""


SCALED = {"before": "standardize", "scaled": True}
ROWS = (
    Row("digits", inputs=64, outputs=10, lr=0.001, epochs=30),
    Row("wine", inputs=13, outputs=3, lr=0.01, epochs=50, hidden=32, **SCALED),
    Row("breast_cancer", inputs=30, outputs=2, lr=0.01, epochs=50, hidden=32, **SCALED),
    Row("diabetes", inputs=10, outputs=0, lr=1e-4, epochs=100, hidden=32, **SCALED),
)

Trained = tuple[float, float]
"""The figure on the held-out samples, and the seconds of `fit`."""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two seeds")
    targets = ("torch", "numpy", "c")
    parser.add_argument("--targets", nargs="+", choices=targets, default=targets)
    parser.add_argument("--only", nargs="+", metavar="DATA", help="these rows alone")
    options = parser.parse_args()
    facts = machine(pin())
    print("  ".join(f"{name} {value}" for name, value in facts.items()))
    figures = ("median", "lowest", "highest")
    heads = "".join(f"{name:>9}" for name in figures) * 2
    print(f"\n{'':<29}{'held out':>27}{'seconds of fit':>27}\n{'':<29}{heads}")
    for row in ROWS:
        if options.only and row.data not in options.only:
            continue
        found = measure(row, options.targets, 2 if options.quick else SEEDS)
        for name, results in found.items():
            line = f"{row.data:<15}{name:<14}"
            for values in zip(*results, strict=True):
                spread = (statistics.median(values), min(values), max(values))
                line += "".join(f"{value:>9.4f}" for value in spread)
            print(line, flush=True)
    return 0


def measure(row: Row, targets: Sequence[str], seeds: int) -> dict[str, list[Trained]]:
    """Train every subject from every seed, in turns; each has trained once before."""
    subjects: dict[str, Callable[[int, Any], Trained]] = {
        f"specc {target}": specc(row, target) for target in targets
    }
    subjects["scikit-learn"] = scikit_learn(row)
    found: dict[str, list[Trained]] = {name: [] for name in subjects}
    for run in subjects.values():
        run(0, samples(row, 0))
    for seed in range(seeds):
        split = samples(row, seed)
        for name, run in subjects.items():
            found[name].append(run(seed, split))
    return found


def samples(row: Row, seed: int) -> Any:
    """Divide the data by a seed: training samples and those held out, in float32."""
    from specc.library import VOCABULARY

    source = VOCABULARY["data"][row.data].make(validation=0, test=HELD_OUT, seed=seed)
    target: Any = ((), "int") if row.outputs else ((1,), "real")
    split = source.load(None, (row.inputs,), *target, row.outputs or None)
    return [
        (x.astype("float32"), y if row.outputs else y.astype("float32"))
        for x, y in (split.train, split.test)
    ]


def specc(row: Row, target: str) -> Callable[[int, Any], Trained]:
    """Train by the `fit` of an emitted module; each run is a new model."""
    import torch
    from workloads import emitted

    module = emitted(row.spec, row.batch, target)

    def run(seed: int, split: Any) -> Trained:
        if target == "torch":
            split = [tuple(map(torch.from_numpy, part)) for part in split]
        (x, y), (held_x, held_y) = split
        model = module.Model(seed=seed)
        start = time.perf_counter()
        model.fit(x, y)
        seconds = time.perf_counter() - start
        # A prediction is a score a class, so the figure is the same for all subjects.
        return (
            figure(row, torch.as_tensor(model.predict(held_x)).numpy(), held_y),
            seconds,
        )

    return run


def scikit_learn(row: Row) -> Callable[[int, Any], Trained]:
    """Train by the `fit` of an MLP; the scaler's work counts, as ours is in the module."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    warnings.simplefilter("ignore", ConvergenceWarning)

    def run(seed: int, split: Any) -> Trained:
        (x, y), (held_x, held_y) = split
        # Its squared error is halved, so the same update needs twice the rate.
        network = (MLPClassifier if row.outputs else MLPRegressor)(
            hidden_layer_sizes=(row.hidden,),
            activation="relu",
            solver="sgd",
            alpha=0.0,
            batch_size=row.batch,
            learning_rate="constant",
            learning_rate_init=row.lr if row.outputs else 2 * row.lr,
            momentum=0.9,
            nesterovs_momentum=True,
            max_iter=row.epochs,
            tol=0.0,
            n_iter_no_change=10**9,
            random_state=seed,
        )
        model = make_pipeline(StandardScaler(), network) if row.scaled else network
        start = time.perf_counter()
        model.fit(x, y if row.outputs else y[:, 0])
        seconds = time.perf_counter() - start
        ask = model.predict_proba if row.outputs else model.predict
        return figure(row, ask(held_x), held_y), seconds

    return run


def figure(row: Row, told: Any, truth: Any) -> float:
    """Give the accuracy of scores (n, classes), or the R^2 of numbers."""
    import numpy as np

    truth = np.asarray(truth)
    if row.outputs:
        return float((told.argmax(axis=1) == truth).mean())
    rest = ((told.reshape(-1) - truth[:, 0]) ** 2).sum()
    return float(1 - rest / ((truth - truth.mean()) ** 2).sum())


if __name__ == "__main__":
    sys.exit(main())
