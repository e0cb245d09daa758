"""A table of planted faults and the check that finds each; docs/proof.md has its totals.

`python -m tests.verify.mutation.report found.jsonl ...` reads what `examine` wrote: for each kind
of fault, how many each check of `specc verify` finds first, then every survivor with its reason.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from specc.verify.checks import CHECKS
from tests.verify.mutation.equivalent import reason

BESIDE = ("import", "hangs", "dies")
"""What finds a fault besides the checks."""


def table(rows: list[dict[str, Any]]) -> str:
    """Lay out kinds against what finds them first."""
    names = [*BESIDE[:1], *(check.name for check in CHECKS), *BESIDE[1:]]
    first = Counter((row["kind"], (row["killed_by"] or ["none"])[0]) for row in rows)
    kinds = sorted({row["kind"] for row in rows})
    shown = [name for name in names if any(first[kind, name] for kind in kinds)]
    lines = [
        "| kind of fault | " + " | ".join(shown) + " | not found |",
        "|---|" + "---:|" * (len(shown) + 1),
    ]
    for kind in kinds:
        cells = [str(first[kind, name] or "") for name in shown]
        lines.append(f"| {kind} | {' | '.join(cells)} | {first[kind, 'none'] or ''} |")
    totals = [
        str(sum(first[kind, name] for kind in kinds)) for name in [*shown, "none"]
    ]
    return "\n".join([*lines, f"| all | {' | '.join(totals)} |"]) + "\n"


def survivors(rows: list[dict[str, Any]]) -> str:
    """List what nothing finds, by its reason."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if not row["killed_by"]:
            text = f"{row['function']}: {row['old']} -> {row['new']}"
            why = reason(row["example"], text) or "UNKNOWN"
            found.setdefault(why, []).append(
                f"{row['example']} ({row['target']}) {text}"
            )
    lines = []
    for why, faults in sorted(found.items(), key=lambda item: -len(item[1])):
        lines.append(f"- {len(faults)}: {why}")
        lines += [f"      {fault}" for fault in faults] if why == "UNKNOWN" else []
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print both."""
    paths = [Path(argument) for argument in sys.argv[1:]]
    rows = [
        json.loads(line) for path in paths for line in path.read_text().splitlines()
    ]
    print(f"{len(rows):,} faults\n\n{table(rows)}\n{survivors(rows)}")


if __name__ == "__main__":
    main()
