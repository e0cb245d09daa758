"""Times calls on one pinned core, and tells whether two training steps did the same.

Takes functions without arguments, gives microseconds. Every subject of a comparison takes
its turn in every round, so what slows the machine slows all of them alike.
"""

from __future__ import annotations

import functools
import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def pin() -> int:
    """Keep to one core and one thread; before torch and NumPy count the cores."""
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    import torch

    torch.set_num_threads(1)
    return cpu


def machine(cpu: int) -> dict[str, str]:
    """Say what the figures hold for."""
    import numpy
    import torch

    names = [
        text.split(":", 1)[1].strip()
        for text in Path("/proc/cpuinfo").read_text().splitlines()
        if text.startswith("model name")
    ]
    return {
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "cpu": names[0] if names else platform.processor(),
        "core": str(cpu),
    }


def agree(
    who: str,
    values: Mapping[str, Any],
    truth: Mapping[str, Any],
    start: Mapping[str, Any],
    steps: int = 1,
) -> None:
    """Fail unless the steps moved every parameter as the truth did, to float32 accuracy."""
    moved = 0.0
    for name, expected in truth.items():
        update = float((expected - start[name]).abs().max())
        error = float((values[name] - expected).abs().max())
        moved = max(moved, update)
        if not error <= 3e-7 * steps**0.5 + 1e-3 * update:
            raise SystemExit(
                f"{who}: {name} is off by {error:.2e} of an update {update:.2e}"
            )
    if moved < 1e-5:
        raise SystemExit(
            f"{who}: the step moved nothing, so the comparison says nothing"
        )


def interleaved(
    calls: Mapping[str, Callable[[], Any]], rounds: int, seconds: float
) -> dict[str, float]:
    """Give the median over the rounds of each call's microseconds."""
    runs = {name: functools.partial(repeat, call) for name, call in calls.items()}
    return {
        name: statistics.median(times)
        for name, times in rounds_of(runs, rounds, seconds).items()
    }


def rounds_of(
    runs: Mapping[str, Callable[[int], Any]], rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Give each round's microseconds by unit; a run does as many units as it is told."""
    counts = {name: enough(run, seconds) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(timed(run, counts[name]))
    return times


def enough(run: Callable[[int], Any], seconds: float) -> int:
    """Find how many units take `seconds`, and warm up."""
    count = 1
    while timed(run, count) * count < seconds * 5e5:
        count *= 2
    return count


def timed(run: Callable[[int], Any], count: int) -> float:
    """Give the mean microseconds of a unit."""
    start = time.perf_counter()
    run(count)
    return (time.perf_counter() - start) / count * 1e6


def repeat(call: Callable[[], Any], count: int) -> None:
    """Call that often."""
    for _ in itertools.repeat(None, count):
        call()
