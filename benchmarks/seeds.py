"""Trains examples from ten seeds each, in float64, and prints what they reach.

    python benchmarks/seeds.py [disk disk_sigmoid ...]

Median and range over the seeds: the figure on each part of the samples, and the epochs run. The
data stay the same; the seed moves the start and the order of the samples.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SEEDS = range(10)


def main() -> int:
    """Print the table."""
    specs = sys.argv[1:] or ["disk", "disk_sigmoid"]
    spawn = multiprocessing.get_context("spawn")
    print(f"{'':<14}{'':<11}{'median':>9}{'lowest':>9}{'highest':>9}")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        runs = {
            spec: [pool.submit(run, spec, seed) for seed in SEEDS] for spec in specs
        }
        for spec, futures in runs.items():
            results = [future.result() for future in futures]
            for name in results[0]:
                values = [result[name] for result in results]
                row = (median(values), min(values), max(values))
                print(f"{spec:<14}{name:<11}" + "".join(f"{v:>9.4g}" for v in row))
    return 0


def run(name: str, seed: int) -> dict[str, float]:
    """Train one example from one seed; give its figure on each part and its epochs."""
    from specc.compiler import compile_source
    from specc.run.emitted import imported, tensors
    from specc.syntax.source import read

    path = ROOT / "examples" / f"{name}.spec"
    compiled = compile_source(read(str(path)))
    model, text = compiled.model, compiled.text
    if model is None or text is None or model.data is None:
        raise SystemExit(f"{path} does not compile")
    target = model.target
    classes = model.output_shape[-1] if target.dtype == "int" else None
    shapes = (model.input.shape, target.shape, target.dtype, classes)
    split = model.data.use().load(path.parent, *shapes)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{name}.py")
        file.write_text(text)
        module = imported(file)
    parts = tensors(split, "cpu", "float64")
    network = module.Model(seed=seed, dtype=parts["train"][0].dtype)
    history = network.fit(*parts["train"], *parts["validation"])
    found = {part: network.evaluate(*samples) for part, samples in parts.items()}
    figure = "accuracy" if "accuracy" in found["train"] else "loss"
    return {part: each[figure] for part, each in found.items()} | {
        "epochs": len(history)
    }


if __name__ == "__main__":
    sys.exit(main())
