"""The paper's experiment, by the emitted module on the spec's own data, in float64.

One run takes some seconds, so the ten seeds are shared between two processes.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from statistics import median

import pytest

from specc.library.split import Split
from tests.modules import checked, example, module_of_example

SEEDS = range(10)


def accuracies(seed: int) -> dict[str, float]:
    """Train examples/disk.spec from a seed; give the accuracy on each part of its data."""
    import torch

    from specc.emitted import tensors, threads

    model = checked(example("disk"))
    assert model.data is not None
    split: Split = model.data.use().load(None, (2,), (1,), "real")
    parts = tensors(split, "cpu", "float64")
    with threads(1):
        network = module_of_example("disk").Model(seed=seed, dtype=torch.float64)
        history = network.fit(*parts["train"], *parts["validation"])
        assert 0 < len(history) <= 200
        return {name: network.evaluate(*s)["accuracy"] for name, s in parts.items()}


@pytest.fixture(scope="module")
def runs() -> list[dict[str, float]]:
    """Train from every seed, in two processes."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        return list(pool.map(accuracies, SEEDS))


def test_the_median_is_the_papers(runs: list[dict[str, float]]) -> None:
    assert median(run["train"] for run in runs) >= 0.992
    assert median(run["validation"] for run in runs) >= 0.986


def test_every_seed_learns(runs: list[dict[str, float]]) -> None:
    assert [run["validation"] for run in runs if run["validation"] < 0.975] == []
    assert len(runs) == len(SEEDS)
