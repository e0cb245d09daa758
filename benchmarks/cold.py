"""Times the paper's experiment cold: from a spec, or a peer's script, to trained parameters.

Each run is a process of its own, with compiled code of earlier runs hidden from it. What
`import` costs and what compilers need is included, but for the rows that say otherwise.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from workloads import emitted

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SCRIPTS = HERE / "cold_start"
SPEC = ROOT / "examples" / "disk.spec"
CACHES = (
    "SPECC_CACHE",
    "XDG_CACHE_HOME",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
)
"""Where compilers look for what they have made before."""


@dataclass(frozen=True)
class Place:
    """Where a run finds the samples, and a folder of its own for what compilers leave."""

    data: Path
    own: Path

    def run(self, *command: str) -> dict[str, Any]:
        """Run Python; give the figures that it prints on its last line, if any."""
        caches = {name: str(self.own / name) for name in CACHES}
        paths = os.pathsep.join([str(ROOT), str(SCRIPTS)])
        done = subprocess.run(
            [sys.executable, *command],
            env={**os.environ, **caches, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )
        lines = done.stdout.strip().splitlines()
        if done.returncode:
            raise LookupError([*lines, *done.stderr.strip().splitlines(), "?"][-2])
        return dict(json.loads(lines[-1])) if lines and lines[-1][0] == "{" else {}

    def script(self, name: str, *arguments: str) -> dict[str, Any]:
        """Run a script of `cold_start`."""
        return self.run(str(SCRIPTS / f"{name}.py"), str(self.data), *arguments)

    def specc(self, target: str, compiles: bool = True) -> dict[str, Any]:
        """Compile the spec and train; or train alone, with the module that is there."""
        module = self.own / target / "disk.py"
        module.parent.mkdir(exist_ok=True)
        if compiles:
            goal = ("--target", target, "-o", str(module))
            self.run("-m", "specc", "compile", str(SPEC), *goal)
        return self.script("specc_fit", str(module.parent))


def subjects(folder: Path) -> dict[str, Subject]:
    """Name what is timed. A run that is cold gets a new place."""
    data = folder / "data.npz"
    write_data(data)
    kept = Place(data, folder / "kept")
    kept.own.mkdir()

    def new() -> Place:
        return Place(data, Path(tempfile.mkdtemp(dir=folder)))

    def script(*arguments: str, slow: bool = False) -> Subject:
        return Subject(lambda: new().script(*arguments), slow=slow)

    return {
        "specc c, no cache": Subject(lambda: new().specc("c"), "c"),
        "specc c, cache": Subject(lambda: kept.specc("c"), "c", twice=True),
        "specc c, module at hand": Subject(lambda: kept.specc("c", False), "c"),
        "specc numpy": Subject(lambda: new().specc("numpy"), "numpy"),
        "specc torch": Subject(lambda: new().specc("torch"), "torch"),
        "eager torch": script("eager_torch", slow=True),
        "torch.compile": script("eager_torch", "compile", slow=True),
        "JAX scan": script("jax_scan"),
        "scikit-learn": script("sklearn_mlp", slow=True),
        "Keras": script("keras_fit", slow=True),
        "import torch": script("import_torch"),
    }


@dataclass(frozen=True)
class Subject:
    """One way from a file to trained parameters."""

    run: Callable[[], dict[str, Any]]
    target: str | None = None
    """The target of specc that it needs."""
    slow: bool = False
    """Takes so long that one run tells enough."""
    twice: bool = False
    """Its first run fills a cache, and is not counted."""


def write_data(path: Path) -> None:
    """Draw the samples of the disk, and start parameters as seed 0 of the spec has them."""
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for suffix in ("", "_val"):
        x = random.random((1000, 2), np.float32)
        inside = ((x - 0.5) ** 2).sum(1, keepdims=True) < 1 / (2 * np.pi)
        arrays |= {f"x{suffix}": x, f"y{suffix}": inside.astype(np.float32)}
    start = emitted(SPEC.read_text(), 1, "torch").Model(seed=0).parameters
    arrays |= {name: np.ascontiguousarray(value) for name, value in start.items()}
    np.savez(path, **arrays)


def measure(quick: bool) -> dict[str, dict[str, Any]]:
    """Give each subject's medians: whole seconds, those of training alone, epochs."""
    from specc.targets.registry import TARGETS

    rows: dict[str, dict[str, Any]] = {}
    runs: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        chosen = subjects(Path(folder))
        for turn in range(1 if quick else 3):
            for name, subject in chosen.items():
                if subject.target not in (None, *TARGETS):
                    reason = f"specc has no target {subject.target!r} yet"
                    rows[name] = {"missing": reason}
                if name in rows or (turn and subject.slow):
                    continue
                try:
                    if subject.twice and not turn:
                        subject.run()
                    runs.setdefault(name, []).append(whole(subject.run))
                except LookupError as error:
                    rows[name] = {"missing": str(error)}
    for name in chosen:
        if name not in rows:
            found = runs[name]
            rows[name] = {
                key: statistics.median(run[key] for run in found) for key in found[0]
            } | {"runs": len(found)}
    return {name: rows[name] for name in chosen}


def whole(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Time a run from its first process to the end of its last."""
    start, before = time.perf_counter(), os.times()
    figures = run()
    figures["whole_s"], after = time.perf_counter() - start, os.times()
    worked = after.children_user + after.children_system
    worked -= before.children_user + before.children_system
    figures["core_share"] = worked / figures["whole_s"]
    if "epochs" in figures:
        figures["epoch_ms"] = figures["training_s"] / figures["epochs"] * 1e3
    return figures


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Lay out the figures, one line a subject."""
    lines = [
        "\nthe paper's experiment from a file to a trained network, new processes",
        f"{'':<24}{'whole, s':>10}{'training, s':>13}{'epochs':>8}{'an epoch, ms':>14}"
        f"{'accuracy':>10}{'runs':>6}{'of the core':>13}",
    ]
    for name, row in rows.items():
        if "missing" in row:
            lines.append(f"{name:<24}not available: {row['missing']}")
            continue
        line = f"{name:<24}{row['whole_s']:>10.2f}{row['training_s']:>13.3f}"
        if "epochs" in row:
            line += (
                f"{row['epochs']:>8.0f}{row['epoch_ms']:>14.3f}{row['accuracy']:>10.1%}"
            )
        else:
            line += " " * 32
        lines.append(f"{line}{row['runs']:>6}{row['core_share']:>13.0%}")
    return "\n".join(lines)
