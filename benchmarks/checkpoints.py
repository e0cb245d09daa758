"""What a checkpoint costs, early and late in a run, and what part of a run they all take.

For each target: the time and the size of a checkpoint after 100 and after 100,000 epochs of a small
network, and how much longer ten seconds of training take with checkpoints as `specc train` writes
them. Times are of a process pinned to where it runs; name the processor when you quote them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from emitting import emitted

SPEC = """model small
input x: real[8]
target y: real[1]
layers { linear(32) tanh linear(1) }
loss mse
optimizer adam(lr=0.001)
train(epochs=1000000, batch_size=16)
"""
TARGETS = ("torch", "numpy", "c")
EVERY = 5.0
"""Seconds between two checkpoints of `specc train`, at least."""


def samples(target: str) -> tuple[Any, Any]:
    """Draw 256 samples, as the target takes them."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(256, 8)).astype(np.float32)
    y = x[:, :1] ** 2
    if target == "torch":
        import torch

        return torch.from_numpy(x), torch.from_numpy(y)
    return x, y


def late(module: Any, x: Any, y: Any, epochs: int, path: Path) -> tuple[float, int]:
    """Return the median seconds of a checkpoint after so many epochs, and its bytes."""
    seconds: list[float] = []
    save = module.Run.save

    def timed(run: Any, *given: Any) -> None:
        logs = dict(run.history[0])
        run.history.extend(logs | {"epoch": epoch} for epoch in range(1, epochs))
        save(run, *given)
        for epoch in range(epochs, epochs + 15):
            run.history.append(logs | {"epoch": epoch})
            start = time.perf_counter()
            save(run, *given)
            seconds.append(time.perf_counter() - start)

    module.Run.save = timed
    try:
        module.Model().fit(x, y, epochs=1, checkpoint=path)
    finally:
        module.Run.save = save
    return statistics.median(seconds), path.stat().st_size


def share(module: Any, x: Any, y: Any, seconds: float, path: Path) -> float:
    """Return the part of a run's seconds that its checkpoints take, from the calls themselves."""
    spent = 0.0
    save = module.Run.save

    def timed(*given: Any) -> None:
        nonlocal spent
        start = time.perf_counter()
        save(*given)
        spent += time.perf_counter() - start

    module.Run.save = timed
    try:
        start = time.perf_counter()
        module.Model().fit(
            x, y, checkpoint=path, every=EVERY,
            callback=lambda *_: time.perf_counter() - start > seconds,
        )  # fmt: skip
        return spent / (time.perf_counter() - start)
    finally:
        module.Run.save = save


def main() -> None:
    """Print a line for each target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    asked = parser.parse_args()
    print(
        f"target  after 100  after {asked.epochs:,}  ratio      bytes  share of a run"
    )
    for target in TARGETS:
        module = emitted(SPEC, "small", target)
        x, y = samples(target)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            early, _ = late(module, x, y, 100, path)
            then, size = late(module, x, y, asked.epochs, path)
            part = share(module, x, y, asked.seconds, path)
        print(
            f"{target:6} {early * 1e3:8.2f} ms {then * 1e3:12.2f} ms {then / early:6.2f}"
            f" {size:10,} {part:14.2%}"
        )


if __name__ == "__main__":
    main()
