"""The paper's experiment, by the emitted module on the spec's own data, in float64.

Ten seeds are trained by the source in C, which takes a second for what takes torch's module a
minute or two; from one of them that module has to come to the same.
"""

from __future__ import annotations

from statistics import median

import pytest

from specc.library.data.split import Split
from tests.cases.modules import checked, example, module_of_example

SEEDS = range(10)
SHORT = 1
"""A seed whose training is short."""

Run = tuple[int, dict[str, float]]


def trained(seed: int, target: str) -> Run:
    """Train examples/disk.spec from a seed; give the epochs and the accuracies on its data."""
    import torch

    from specc.run.emitted import tensors

    model = checked(example("disk"))
    assert model.data is not None
    split: Split = model.data.use().load(None, (2,), (1,), "real")
    parts = tensors(split, "cpu", "float64")
    module = module_of_example("disk", target=target)
    network = module.Model(seed=seed, dtype=torch.float64)
    history = network.fit(*parts["train"], *parts["validation"])
    assert 0 < len(history) <= 200
    found = {name: network.evaluate(*s)["accuracy"] for name, s in parts.items()}
    return len(history), found


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """Train from every seed."""
    return [trained(seed, "c") for seed in SEEDS]


def test_the_median_is_the_papers(runs: list[Run]) -> None:
    assert median(found["train"] for _, found in runs) >= 0.992
    assert median(found["validation"] for _, found in runs) >= 0.986


def test_every_seed_learns(runs: list[Run]) -> None:
    low = [found for _, found in runs if found["validation"] < 0.975]
    assert low == []
    assert len(runs) == len(SEEDS)


def test_torch_comes_to_the_same(runs: list[Run]) -> None:
    assert trained(SHORT, "torch") == runs[SHORT]
