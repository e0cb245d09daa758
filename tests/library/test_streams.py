"""The streams in NumPy against the definition written out in Python's own integers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from specc.library import streams

WORD = 2**64
CASES = [(0, "split"), (7, "init/linear1.weight"), (2**63 + 5, "größe"), (2**70, "")]


def hashed(text: str) -> int:
    value = 14695981039346656037
    for byte in text.encode("utf-8"):
        value = (value ^ byte) * 1099511628211 % WORD
    return value


def mixed(value: int) -> int:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % WORD
    return value ^ (value >> 31)


def drawn(seed: int, stream: str, index: int) -> int:
    golden = 0x9E3779B97F4A7C15
    key = mixed((seed + golden * hashed(stream)) % WORD)
    return mixed((key + (index + 1) * golden) % WORD)


def test_hash_has_the_published_values() -> None:
    assert streams.fnv1a64("") == 0xCBF29CE484222325
    assert streams.fnv1a64("a") == 0xAF63DC4C8601EC8C
    assert streams.fnv1a64("foobar") == 0x85944171F73967E8


def test_mix_has_the_values_of_splitmix64() -> None:
    # The first outputs of SplitMix64 started from 0: mix of 1, 2, 3 golden steps.
    steps = np.arange(1, 4, dtype=np.uint64) * np.uint64(streams.GOLDEN)
    known = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert streams.mix(steps).tolist() == known


@pytest.mark.parametrize(("seed", "stream"), CASES)
def test_bits_equal_the_definition(seed: int, stream: str) -> None:
    expected = [drawn(seed, stream, i) for i in range(20)]
    assert streams.bits(seed, stream, 20).tolist() == expected
    assert streams.bits(seed, stream, 5, start=15).tolist() == expected[15:]


@pytest.mark.parametrize(("seed", "stream"), CASES)
def test_uniform_equals_the_definition(seed: int, stream: str) -> None:
    expected = [(drawn(seed, stream, i) >> 11) * 2.0**-53 for i in range(20)]
    assert streams.uniform(seed, stream, 20).tolist() == expected


@pytest.mark.parametrize(("seed", "stream"), CASES)
def test_normal_is_box_muller_on_pairs(seed: int, stream: str) -> None:
    u = [(drawn(seed, stream, i) >> 11) * 2.0**-53 for i in range(20)]
    pairs = zip(u[::2], u[1::2], strict=True)
    expected = [
        math.sqrt(-2 * math.log(1 - a)) * math.cos(2 * math.pi * b) for a, b in pairs
    ]
    assert streams.normal(seed, stream, 10) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("seed", "stream"), CASES)
@pytest.mark.parametrize("count", [0, 1, 2, 257])
def test_permutation_is_the_stable_argsort(seed: int, stream: str, count: int) -> None:
    keys = [drawn(seed, stream, i) >> 1 for i in range(count)]
    expected = sorted(range(count), key=keys.__getitem__)
    assert streams.permutation(seed, stream, count).tolist() == expected


def test_moments_are_those_of_the_distributions() -> None:
    u, z = streams.uniform(3, "u", 200_000), streams.normal(3, "z", 200_000)
    assert u.min() >= 0 and u.max() < 1
    assert u.mean() == pytest.approx(0.5, abs=0.003)
    assert u.var() == pytest.approx(1 / 12, abs=0.001)
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.std() == pytest.approx(1, abs=0.01)


def test_equal_numbers_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    tied = np.array([5, 4, 5, 4] * 50, dtype=np.uint64)  # equal but for the last bit
    monkeypatch.setattr(streams, "bits", lambda *_: tied)
    assert streams.permutation(0, "split", 200).tolist() == list(range(200))
