"""Puts specc and its modules under load: much of the same, in one process or in many at once.

Three loads: 10,000 compilations in one process, `predict` of ten million rows on each target, and
100 processes that import one C module for the first time at the same moment. Prints how many were
tried, how many went wrong, and what it cost; exits with 1 if one went wrong.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from emitting import emitted

ROOT = Path(__file__).resolve().parent.parent
DISK = ROOT / "examples" / "disk.spec"
TARGETS = ("torch", "numpy", "c")


@dataclass(frozen=True)
class Outcome:
    """How often something was tried and went wrong, and what is worth knowing beside it."""

    load: str
    tried: int
    wrong: int
    cost: str

    def __str__(self) -> str:
        return (
            f"{self.load:<40} {self.tried:>10,} tried, {self.wrong} wrong   {self.cost}"
        )


def main() -> int:
    """Run the loads that the command line asks for, by default all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compilations", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--processes", type=int, default=100)
    asked = parser.parse_args()
    wrong = 0
    for outcome in outcomes(asked):
        print(outcome, flush=True)
        wrong += outcome.wrong
    return int(wrong > 0)


def outcomes(asked: argparse.Namespace) -> Iterator[Outcome]:
    """Run each load whose size is not 0."""
    if asked.compilations:
        yield compilations(asked.compilations)
    for target in TARGETS if asked.rows else ():
        yield predictions(target, asked.rows)
    if asked.processes:
        yield first_imports(asked.processes)


def compilations(count: int) -> Outcome:
    """Compile the examples in turn, for each target in turn.

    Wrong is a text that differs from the first one of its kind. Memory is compared with that after
    a tenth of the compilations, when every cache is full.
    """
    from specc.compiler import Request, compile_source
    from specc.syntax.source import read

    sources = [read(str(path)) for path in sorted(DISK.parent.glob("*.spec"))]
    kinds = [(source, target) for target in TARGETS for source in sources]
    first: dict[int, tuple[str | None, dict[str, str]]] = {}
    wrong, early, start = 0, 0, time.perf_counter()
    for i in range(count):
        source, target = kinds[i % len(kinds)]
        made = compile_source(source, Request(target=target))
        text = made.text, dict(made.beside)
        wrong += text[0] is None or first.setdefault(i % len(kinds), text) != text
        if i == count // 10:
            early = resident()
    seconds = time.perf_counter() - start
    grown = (resident() - early) / 2**20
    cost = (
        f"{1000 * seconds / count:.0f} ms each; {grown:+.0f} MiB since a tenth of them"
    )
    return Outcome("compilations in one process", count, wrong, cost)


def predictions(target: str, rows: int) -> Outcome:
    """Predict many rows in one call.

    Wrong is a row whose prediction differs by more than rounding from the same row predicted among
    a thousand others.
    """
    module = emitted(DISK.read_text(), "disk", target)
    model = module.Model(seed=1)
    x = np.random.default_rng(0).random((rows, 2), np.float32)
    before, start = peak(), time.perf_counter()
    with quick_on_one_thread(target):
        prediction = np.asarray(model.predict(as_taken(target, x)))
    seconds = time.perf_counter() - start
    grown = (peak() - before) / 2**20
    wrong = 0
    for at in range(0, rows, max(1, rows // 100)):
        part = x[at : at + 1000]
        alone = np.asarray(model.predict(as_taken(target, part)))
        differ = np.abs(prediction[at : at + 1000] - alone) > 1e-5
        wrong += int(differ.any(axis=1).sum())
    cost = f"{1e9 * seconds / rows:.0f} ns a row; peak {grown:+.0f} MiB"
    return Outcome(f"rows predicted at once, {target}", rows, wrong, cost)


def first_imports(count: int) -> Outcome:
    """Start many processes at once that make the first Model of one C module, with an empty cache.

    Wrong is a process that fails or predicts otherwise, a library built twice, and a file left.
    """
    from specc.compiler import Request, compile_source
    from specc.syntax.source import read

    with tempfile.TemporaryDirectory() as folder:
        place, cache = Path(folder) / "net", Path(folder) / "cache"
        place.mkdir()
        made = compile_source(read(str(DISK)), Request(target="c"))
        assert made.text is not None
        for ending, text in {".py": made.text, **made.beside}.items():
            (place / f"disk{ending}").write_text(text)
        script = (
            "import disk, numpy as np;"
            "print(disk.Model().predict(np.full((3, 2), 0.3, np.float32)).tobytes().hex())"
        )
        start = time.perf_counter()
        own = {**os.environ, "SPECC_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-B", "-c", script]
        running = [
            subprocess.Popen(
                command, cwd=place, env=own, stdout=subprocess.PIPE, text=True
            )
            for _ in range(count)
        ]
        answers = [process.communicate()[0] for process in running]
        seconds = time.perf_counter() - start
        failed = sum(process.returncode != 0 for process in running)
        other = len(set(answers)) - 1
        built = len([path for path in cache.iterdir() if path.suffix == ".so"])
        strays = [path for path in Path(folder).rglob("*.tmp")]
    cost = f"{seconds:.1f} s in all; {built} library, {len(strays)} strays"
    wrong = failed + other + abs(built - 1) + len(strays)
    return Outcome("first imports of a C module at once", count, wrong, cost)


@contextmanager
def quick_on_one_thread(target: str) -> Iterator[None]:
    """Let torch use one thread, as the others do."""
    if target != "torch":
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def as_taken(target: str, x: np.ndarray[Any, Any]) -> Any:
    """Return samples as the modules of a target take them."""
    if target != "torch":
        return x
    import torch

    return torch.from_numpy(x)


def resident() -> int:
    """Return how many bytes of this process are in memory, after a collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def peak() -> int:
    """Return the most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
