"""What `specc c` has to reach: `fit`'s step against peers of the same run, and cold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TIMES_AS_FAST = (
    ("2-25-25-25-1", 32, "eager torch", 70.0),
    ("2-25-25-25-1", 32, "JAX scan", 4.0),
    ("2-25-25-25-1", 1, "eager torch", 400.0),
    ("2-25-25-25-1", 1, "JAX scan", 3.5),
    *(
        (network, 128, peer, 1.0)
        for network in ("784-128-10", "784-512-512-10")
        for peer in ("JAX jit", "JAX scan")
    ),
)
OF_PEAK = (("2-25-25-25-1", 32, 0.45),)
COLD_TIMES_AS_FAST = 400.0


def verdicts(results: dict[str, Any]) -> list[tuple[bool, str]]:
    """Tell of each floor that this run measured whether it is kept, and the figures."""
    found = [*steps(results), *cold(results.get("cold", {}))]
    mark = {True: "kept  ", False: "MISSED"}
    return [(kept, f"{mark[kept]}  {text}") for kept, text in found]


def steps(results: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    """Judge the training steps."""
    measured = {(row["network"], row["batch"]): row for row in results["steps"]}
    for network, batch, peer, floor in TIMES_AS_FAST:
        if (network, batch) not in measured:
            continue
        rows = measured[network, batch]["rows"]
        what = f"{network} at batch {batch}: times as fast as {peer}"
        if own_and_peer := _both(rows, peer, "fit_us"):
            ratio = own_and_peer[1] / own_and_peer[0]
            yield ratio >= floor, f"{what}: {ratio:.2f}, at least {floor:g}"
        else:
            yield False, f"{what}: not measured, at least {floor:g}"
    for network, batch, floor in OF_PEAK:
        if (network, batch) not in measured:
            continue
        row = measured[network, batch]
        own, top = row["rows"].get("specc c", {}).get("fit_us"), results["peak_gflops"]
        what = f"{network} at batch {batch}: share of the peak"
        if own and top:
            share = row["flop"] * batch / own / 1e3 / top
            yield share >= floor, f"{what}: {share:.1%}, at least {floor:.0%}"
        else:
            yield False, f"{what}: not measured, at least {floor:.0%}"


def cold(rows: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    """Judge the training of the paper's network, the epochs of the runs being different."""
    if not rows:
        return
    what = "the whole experiment: an epoch's times as fast as eager torch"
    if pair := _both(rows, "eager torch", "epoch_ms", "specc c, no cache"):
        ratio = pair[1] / pair[0]
        yield ratio >= COLD_TIMES_AS_FAST, f"{what}: {ratio:.0f}, at least 400"
    else:
        yield False, f"{what}: not measured, at least 400"
    what = "the whole experiment: training in less time than `import torch`"
    own, limit = "specc c, no cache", "import torch"
    if pair := _both(rows, limit, "training_s", own):
        yield pair[0] < pair[1], f"{what}: {pair[0]:.3f} s, {pair[1]:.3f} s"
    else:
        yield False, f"{what}: not measured"


def _both(
    rows: dict[str, Any], peer: str, key: str, own: str = "specc c"
) -> tuple[float, float] | None:
    mine, other = rows.get(own, {}).get(key), rows.get(peer, {}).get(key)
    return (mine, other) if mine and other else None
