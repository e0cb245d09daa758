"""Every word has an oracle, and every initializer is distributed as torch's."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from specc.library import VOCABULARY
from tests.cases.modules import module_of_spec
from tests.cases.oracles import INITIALIZERS, NAMED, ORACLES, TABLES

TESTS = Path(__file__).resolve().parents[1]
FAN_IN, FAN_OUT = 200, 150
COUNT = FAN_IN * FAN_OUT


@pytest.mark.parametrize("kind", VOCABULARY)
def test_every_word_has_an_oracle(kind: str) -> None:
    lacking = [word for word in VOCABULARY[kind] if (kind, word) not in ORACLES]
    table = next((test for of, test, _ in TABLES if of == kind), None)
    home = f"a case of {table}" if table else "the test's name in oracles.NAMED"
    assert not lacking, f"{kind} without an oracle: {lacking}; each needs {home}"


def test_every_oracle_has_its_word() -> None:
    stale = [(kind, w) for kind, w in ORACLES if w not in VOCABULARY.get(kind, {})]
    assert not stale, f"oracles of no word: {stale}"


def test_a_word_is_in_a_table_or_named() -> None:
    tabled = {(kind, word) for kind, _, words in TABLES for word in words}
    assert not tabled & NAMED.keys()


@pytest.mark.parametrize("test", sorted(set(ORACLES.values())))
def test_the_tests_that_are_named_exist(test: str) -> None:
    file, name = test.split("::")
    text = (TESTS / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.M), f"there is no {test}"


def differences(found: Tensor, expected: Tensor, bounded: bool) -> list[str]:
    """Say in what two samples of one size are not of one distribution.

    The bounds are passed by one sample of a million or fewer, for a normal distribution.
    """
    count, std = found.numel(), float(expected.std())
    wrong = []
    if abs(float(found.mean() - expected.mean())) > 7 * std / math.sqrt(count):
        wrong.append("mean")
    if abs(float(found.std()) - std) > 7 * std / math.sqrt(2 * count):
        wrong.append("standard deviation")
    span = float(expected.max() - expected.min())
    ends = torch.stack([found.min() - expected.min(), found.max() - expected.max()])
    if bounded and float(ends.abs().max()) > 0.015 * span:
        wrong.append("bounds")
    if smirnov(found, expected) > 2.7 * math.sqrt(2 / count):
        wrong.append("Kolmogorov-Smirnov")
    return wrong


def smirnov(a: Tensor, b: Tensor) -> float:
    """The largest distance of two empirical distribution functions."""
    a, b = a.flatten().sort().values, b.flatten().sort().values
    points = torch.cat([a, b])
    below = [torch.searchsorted(s, points, right=True) / s.numel() for s in (a, b)]
    return float((below[0] - below[1]).abs().max())


def torchs(case: str) -> Tensor:
    """Draw a weight by torch, always the same."""
    weight = torch.empty(FAN_OUT, FAN_IN, dtype=torch.float64)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(5)
        INITIALIZERS[case].fill(weight)
    return weight


@pytest.fixture(scope="module")
def started(target: str) -> ModuleType:
    """Give a net with a layer for each initializer, all with the same fans."""
    layers = "\n".join(
        f"linear({FAN_OUT}, weight={case}) linear({FAN_IN})" for case in INITIALIZERS
    )
    text = f"model net input x: real[{FAN_IN}] target y: real[{FAN_IN}] loss mse\n"
    return module_of_spec(
        f"{text} layers {{ {layers} }} optimizer sgd(lr=0.1)", target=target
    )


def weights(started: ModuleType, seed: int) -> dict[str, Tensor]:
    parameters = started.Model(seed=seed, dtype=torch.float64).parameters
    return {
        case: parameters[f"linear{2 * place + 1}.weight"]
        for place, case in enumerate(INITIALIZERS)
    }


@pytest.mark.parametrize("seed", [0, 7])
def test_starts_are_distributed_as_those_of_torch(
    started: ModuleType, seed: int
) -> None:
    """Mean, standard deviation, bounds and all of the distribution, of 30,000 numbers."""
    wrong = {}
    for case, found in weights(started, seed).items():
        assert found.shape == (FAN_OUT, FAN_IN)
        start = INITIALIZERS[case]
        wrong[case] = differences(found, torchs(case), start.bounded)
    assert {case: what for case, what in wrong.items() if what} == {}


def test_orthogonal_rows_are(started: ModuleType) -> None:
    """The rows of the weight, fewer than its columns, are of length `gain` and apart."""
    for case, gain in (("orthogonal", 1.0), ("orthogonal(gain=0.5)", 0.5)):
        weight = weights(started, 3)[case]
        expected = gain**2 * torch.eye(FAN_OUT, dtype=torch.float64)
        torch.testing.assert_close(weight @ weight.T, expected, rtol=0, atol=1e-12)


WRONG = {
    "fan-out in place of fan-in": ("he_normal", "he_normal(mode=fan_out)"),
    "fan-in alone": ("he_uniform", "xavier_uniform"),
    "normal in place of uniform": ("xavier_normal", "xavier_uniform"),
    "not cut": ("he_normal", "he_normal(truncated=true)"),
    "gain left out": ("orthogonal", "orthogonal(gain=0.5)"),
    "not the constant": ("zeros", "constant(0.25)"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_another_distribution_is_told_apart(fault: str) -> None:
    found, meant = WRONG[fault]
    bounded = INITIALIZERS[meant].bounded
    assert differences(torchs(found), torchs(meant), bounded)


@pytest.mark.parametrize("case", [c for c in INITIALIZERS if torchs(c).std() > 0])
def test_a_distribution_slightly_off_is_told_apart(case: str) -> None:
    """Five percent wider, or moved by a tenth of the standard deviation."""
    right, bounded = torchs(case), INITIALIZERS[case].bounded
    centre, std = right.mean(), right.std()
    assert differences(right, right.clone(), bounded) == []
    assert differences(centre + 1.05 * (right - centre), right, bounded)
    assert differences(right + 0.1 * std, right, bounded)
