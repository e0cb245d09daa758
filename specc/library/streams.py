"""The random streams of the language, in NumPy.

Takes a seed, the name of a stream and a count, returns arrays. Invariant: each number is a pure
function of (seed, stream, index), so every target draws the same numbers and there is no state.
Arithmetic is modulo 2^64; `mix` is the SplitMix64 finalizer (Steele, Lea, Flood 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


def fnv1a64(text: str) -> int:
    """Hash the UTF-8 bytes of `text` (FNV-1a, 64 bits)."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & _MASK
    return value


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble each number; the map is one to one."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def bits(seed: int, stream: str, count: int, start: int = 0) -> NDArray[np.uint64]:
    """Return `count` 64-bit numbers of a stream from index `start` on, shape (count,)."""
    seeded = (seed + GOLDEN * fnv1a64(stream)) & _MASK
    key = mix(np.array([seeded], dtype=np.uint64))
    index = np.arange(start + 1, start + count + 1, dtype=np.uint64)
    return mix(key + index * np.uint64(GOLDEN))


def uniform(seed: int, stream: str, count: int, start: int = 0) -> NDArray[np.float64]:
    """Return samples of U[0, 1), shape (count,)."""
    drawn = bits(seed, stream, count, start) >> np.uint64(11)
    return drawn.astype(np.float64) * 2.0**-53


def normal(seed: int, stream: str, count: int) -> NDArray[np.float64]:
    """Return samples of N(0, 1), shape (count,), by Box and Muller from uniforms 2i and 2i + 1."""
    pairs = uniform(seed, stream, 2 * count).reshape(count, 2)
    radius = np.sqrt(-2 * np.log(1 - pairs[:, 0]))
    drawn: NDArray[np.float64] = radius * np.cos(2 * np.pi * pairs[:, 1])
    return drawn


def permutation(seed: int, stream: str, count: int) -> NDArray[np.int64]:
    """Return a permutation of 0, …, count - 1: the stable argsort of `bits >> 1`."""
    return np.argsort(bits(seed, stream, count) >> np.uint64(1), kind="stable")
