"""Compares whole training, as its users get it: specc's targets and everything else.

    python benchmarks/compare.py [--quick] [--check] [--only PART ...] [--out FOLDER]

One pinned core, one thread, float32, plain SGD. All subjects start from the same
parameters and take the samples of the first epoch in the same order; they must agree
after it before anything is timed. What is timed is whole epochs, divided by their steps:
shuffling, gathering and the history included. Subjects take turns in rounds; a figure is
the median. Figures go to results.json, curves to PNG files in the folder.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from timing import agree, machine, pin, rounds_of

HERE = Path(__file__).resolve().parent
PARTS = ("table", "curves", "cold")


def main() -> int:
    """Print the tables; 1 if a floor is missed and --check was given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds")
    parser.add_argument("--check", action="store_true", help="exit 1 below a floor")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts")
    parser.add_argument("--subjects", nargs="+", metavar="NAME", help="these alone")
    parser.add_argument("--out", type=Path, default=HERE / "out", metavar="FOLDER")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cpu = pin()
    import cold
    import curves
    import floors
    import workloads
    from peak import peak
    from rivals import SUBJECTS

    found = peak(0.5 if options.quick else 3.0)
    top = found[0] if found else None
    facts = machine(cpu) | versions()
    print("  ".join(f"{name} {value}" for name, value in facts.items()))
    print(
        f"peak of the core: {found[0]:.1f} GFLOP/s in float32 "
        f"multiply-adds of {found[1]}-bit vectors"
        if found
        else "peak of the core: unknown, there is no C compiler"
    )
    names = options.subjects or list(SUBJECTS)
    results: dict[str, Any] = {"machine": facts, "peak_gflops": top, "steps": []}
    plans: list[tuple[Iterable[workloads.Workload], int, float]] = []
    if "table" in options.only:
        plans.append((workloads.TABLE, *((3, 0.01) if options.quick else (9, 0.1))))
    if "curves" in options.only:
        more = (*workloads.AGAINST_BATCH, *workloads.AGAINST_WIDTH)
        plans.append((more, *((1, 0.005) if options.quick else (5, 0.03))))
    for works, rounds, seconds in plans:
        for work in works:
            results["steps"].append(measure(work, names, rounds, seconds))
            print(table(results["steps"][-1], top), flush=True)
            save(results, options.out)
    if "cold" in options.only:
        results["cold"] = cold.measure(options.quick)
        print(cold.table(results["cold"]), flush=True)
        save(results, options.out)
    for path in curves.draw(results, options.out):
        print(path)
    verdicts = floors.verdicts(results)
    print("\n" + "\n".join(text for _, text in verdicts))
    missed = sum(not kept for kept, _ in verdicts)
    print(f"{len(verdicts) - missed} of {len(verdicts)} floors are kept")
    return 1 if missed and options.check else 0


def versions() -> dict[str, str]:
    """Say which peers are compared with."""
    found = {}
    for name in ("jax", "keras", "scikit-learn"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def save(results: dict[str, Any], folder: Path) -> None:
    """Write what has been measured so far."""
    text = json.dumps(results, indent=1) + "\n"
    (folder / "results.json").write_text(text)


def measure(
    work: Any, names: Iterable[str], rounds: int, seconds: float
) -> dict[str, Any]:
    """Check and time every subject on a workload."""
    import subjects
    from rivals import SUBJECTS

    start = subjects.begin(work)
    truths = {linear: subjects.truth(start, linear) for linear in (False, True)}
    rows: dict[str, dict[str, Any]] = {}
    runs = {}
    for name in names:
        try:
            subject = SUBJECTS[name](start)
        except (LookupError, ImportError, RuntimeError) as error:
            rows[name] = {"missing": str(error).partition("\n")[0]}
            continue
        subject.epoch(start.order)
        truth = truths[subject.linear]
        who = f"{name} on {work}"
        agree(who, subject.parameters(), truth, start.parameters, work.steps)
        rows[name] = {"note": subject.note}
        runs[name, "fit"] = subject.train
        if subject.steps is not None:
            runs[name, "step"] = subject.steps
    began, worked = time.perf_counter(), time.process_time()
    found = rounds_of(runs, rounds, seconds)
    worked = time.process_time() - worked
    for (name, kind), times in found.items():
        each = [time / (work.steps if kind == "fit" else 1) for time in times]
        rows[name] |= {f"{kind}_us": statistics.median(each), f"{kind}_rounds": each}
    return {
        "network": work.network.name,
        "widths": work.network.widths,
        "batch": work.batch,
        "flop": work.network.flop,
        "core_share": worked / (time.perf_counter() - began),
        "rows": rows,
    }


def table(result: dict[str, Any], top: float | None) -> str:
    """Lay out the figures of a workload, one line a subject."""
    own = result["rows"].get("specc c", {}).get("fit_us")
    lines = [
        f"\n{result['network']} at batch {result['batch']}  ({result['flop']:,} FLOP a sample)",
        f"{'':<16}{'fit, us/step':>13}{'bare step':>11}{'specc c is':>12}"
        f"{'GFLOP/s':>10}{'of peak':>9}",
    ]
    for name, row in result["rows"].items():
        if "missing" in row:
            lines.append(f"{name:<16}not available: {row['missing']}")
            continue
        rate = result["flop"] * result["batch"] / row["fit_us"] / 1e3
        bare = f"{row['step_us']:.2f}" if "step_us" in row else ""
        times = f"{row['fit_us'] / own:.2f}x" if own else ""
        share = f"{rate / top:.1%}" if top else ""
        line = f"{name:<16}{row['fit_us']:>13.2f}{bare:>11}{times:>12}{rate:>10.2f}{share:>9}"
        lines.append(f"{line}  {row['note']}".rstrip())
    if result["core_share"] < 0.95:
        lines.append(f"the core was shared: {result['core_share']:.0%} of it was ours")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
