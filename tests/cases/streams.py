"""The streams of random numbers, in Python's own integers."""

from __future__ import annotations

import itertools
import math

WORD, GOLDEN = 2**64, 0x9E3779B97F4A7C15


def mixed(value: int) -> int:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % WORD
    return value ^ (value >> 31)


def drawn(seed: int, stream: str, count: int) -> list[int]:
    name = 14695981039346656037
    for byte in stream.encode("utf-8"):
        name = (name ^ byte) * 1099511628211 % WORD
    key = mixed((seed + GOLDEN * name) % WORD)
    return [mixed((key + (i + 1) * GOLDEN) % WORD) for i in range(count)]


def uniforms(seed: int, stream: str, count: int) -> list[float]:
    return [(word >> 11) * 2.0**-53 for word in drawn(seed, stream, count)]


def normals(seed: int, stream: str, count: int) -> list[float]:
    u = uniforms(seed, stream, 2 * count)
    pairs = zip(u[::2], u[1::2], strict=True)
    return [
        math.sqrt(-2 * math.log(1 - a)) * math.cos(2 * math.pi * b) for a, b in pairs
    ]


def order(seed: int, stream: str, count: int) -> list[int]:
    keys = [word >> 1 for word in drawn(seed, stream, count)]
    return sorted(range(count), key=keys.__getitem__)


def cut_normals(seed: int, stream: str, count: int) -> list[float]:
    """What lies beyond two is drawn again, at the same index of the stream `…/1`, `…/2`."""
    z = normals(seed, stream, count)
    for attempt in itertools.count(1):
        if max(map(abs, z)) <= 2:
            return z
        again = normals(seed, f"{stream}/{attempt}", count)
        z = [new if abs(old) > 2 else old for old, new in zip(z, again, strict=True)]
    raise AssertionError
