"""Measures one training step of emitted modules beside torch, torch.compile and NumPy.

    python benchmarks/step.py [--quick] [--check] [--json PATH]

One pinned core, one thread, float32. Peers start from the emitted module's parameters and
must agree with it after one step before anything is timed. Subjects take turns in rounds;
a figure is the median over the rounds of the mean time of a call. Ratios above 1 say how
many times as fast as the peer the emitted step is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timing import agree, interleaved, machine, pin

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
LR = 1e-3


@dataclass(frozen=True)
class Workload:
    """A network at a batch size, and how many times as fast as a peer it has to be."""

    spec: str
    batch: int
    classes: bool
    eager_floor: float
    compile_floor: float = 1.0


WORKLOADS = (
    Workload("paper", 1, False, 5),
    Workload("paper", 32, False, 5),
    Workload("paper", 1000, False, 2),
    Workload("digits_small", 128, True, 1.3),
    Workload("digits_wide", 128, True, 1.6),
)
FITS = (("paper", 1), ("paper", 32))
PEERS = ("eager", "compile", "compile whole", "numpy")


def main() -> int:
    """Print the tables; 1 if a floor is missed and --check was given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds")
    parser.add_argument("--check", action="store_true", help="exit 1 below a floor")
    parser.add_argument("--json", metavar="PATH", help="write the figures there too")
    options = parser.parse_args()
    cpu = pin()
    rounds, seconds = (3, 0.005) if options.quick else (15, 0.05)
    facts = machine(cpu)
    print("  ".join(f"{name} {value}" for name, value in facts.items()))
    steps = []
    print(heading())
    for work in WORKLOADS:
        steps.append(measure(work, rounds, seconds))
        print(line(work, steps[-1]), flush=True)
    fits = [fit_overhead(spec, batch, rounds) for spec, batch in FITS]
    print("\nfit, a step: time / that of train_step alone")
    for fit in fits:
        print(
            f"{fit['spec']:<14}{fit['batch']:>6}{fit['fit_us']:>10.1f} us{fit['ratio']:>8.2f}"
        )
    if options.json:
        figures = {"machine": facts, "steps": steps, "fits": fits}
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")
    missed = [text for row in steps for text in row["missed"]]
    print("\n" + ("\n".join(missed) if missed else "every floor is kept"))
    return 1 if missed and options.check else 0


def emitted(spec: str, batch: int) -> Any:
    """Compile a spec of this folder and import the module."""
    from specc.compiler import Request, compile_source
    from specc.syntax.source import Source

    source = Source(f"{spec}.spec", (HERE / f"{spec}.spec").read_text())
    result = compile_source(source, Request(overrides={"batch": str(batch)}))
    if result.text is None:
        raise SystemExit("\n".join(item.message for item in result.diagnostics))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{spec}.py")
        path.write_text(result.text)
        found = importlib.util.spec_from_file_location(f"{spec}_{batch}", path)
        assert found is not None and found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[found.name] = module
        found.loader.exec_module(module)
    return module


def data(module: Any, count: int, classes: bool) -> tuple[Any, Any]:
    """Draw samples and targets."""
    import torch

    random = torch.Generator().manual_seed(1)
    x = torch.rand(count, *module.INPUT_SHAPE, generator=random)
    if classes:
        top = module.OUTPUT_SHAPE[-1]
        return x, torch.randint(0, top, (count,), generator=random)
    y = torch.randint(0, 2, (count, *module.TARGET_SHAPE), generator=random)
    return x, y.float()


def measure(work: Workload, rounds: int, seconds: float) -> dict[str, Any]:
    """Time the step of the emitted module and of every peer."""
    import peers

    module = emitted(work.spec, work.batch)
    model = module.Model(seed=0)
    task = peers.Task(copies(model.parameters), work.classes, LR)
    others = [
        peers.eager(task),
        peers.compiled(task),
        peers.compiled_whole(task),
        peers.numpy_step(task, work.batch),
    ]
    x, y = data(module, work.batch, work.classes)
    calls = {"specc": lambda: model.train_step(x, y, LR)}
    for peer in others:
        calls[peer.name] = bound(peer.step, peer.convert(x), peer.convert(y))
    for call in calls.values():
        call()
    truth = others[0].parameters()
    for name, values in [
        ("specc", model.parameters),
        *((peer.name, peer.parameters()) for peer in others),
    ]:
        agree(f"{name} on {work.spec}", values, truth, task.start)
    times = interleaved(calls, rounds, seconds)
    ratios = {name: times[name] / times["specc"] for name in PEERS}
    floors = {
        "eager": work.eager_floor,
        "compile": work.compile_floor,
        "compile whole": work.compile_floor,
    }
    missed = [
        f"{work.spec} at batch {work.batch}: {ratios[name]:.2f} times as fast as "
        f"{name}, the floor is {floor:g}"
        for name, floor in floors.items()
        if ratios[name] < floor
    ]
    return {
        "spec": work.spec,
        "batch": work.batch,
        "us": times,
        "ratios": ratios,
        "floors": floors,
        "missed": missed,
    }


def copies(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy arrays, contiguous, so that they outlive updates in place."""
    return {name: value.detach().clone().contiguous() for name, value in values.items()}


def bound(step: Callable[[Any, Any], Any], x: Any, y: Any) -> Callable[[], Any]:
    """Give a call without arguments."""
    return lambda: step(x, y)


def fit_overhead(spec: str, batch: int, rounds: int) -> dict[str, Any]:
    """Compare a step of `fit` over 1,000 samples with `train_step` alone."""
    module = emitted(spec, batch)
    model = module.Model(seed=0)
    x, y = data(module, 1000 // batch * batch, classes=False)
    steps = len(x) // batch
    epochs = -(-1000 // steps)
    one_x, one_y = x[:batch].clone(), y[:batch].clone()
    calls = {
        "fit": lambda: model.fit(x, y, epochs=epochs),
        "step": lambda: model.train_step(one_x, one_y, LR),
    }
    times = interleaved(calls, rounds, 0.02)
    fit = times["fit"] / (epochs * steps)
    return {
        "spec": spec,
        "batch": batch,
        "fit_us": fit,
        "step_us": times["step"],
        "ratio": fit / times["step"],
    }


def heading() -> str:
    """Name the columns of the table of steps."""
    names = "".join(f"{name:>15}" for name in ("specc", *PEERS))
    return f"\nmicroseconds a step; (times as fast as the peer, >= its floor)\n{'':<20}{names}"


def line(work: Workload, row: Mapping[str, Any]) -> str:
    """Give one workload's two lines: times, and ratios with their floors."""
    times = "".join(f"{row['us'][name]:>15.1f}" for name in ("specc", *PEERS))
    ratios = ""
    for name in PEERS:
        floor = row["floors"].get(name)
        text = f"{row['ratios'][name]:.2f}x" + (f" >= {floor:g}" if floor else "")
        ratios += f"{text:>15}"
    return f"{work.spec:<14}{work.batch:>6}{times}\n{'':<35}{ratios}"


if __name__ == "__main__":
    sys.exit(main())
