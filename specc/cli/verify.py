"""The command `specc verify`: compares the module of a spec with independent references.

Takes a spec, and perhaps a module that was made from it; compiles, imports and checks it in
float64. Invariant: every difference beyond its bound is reported with its place and makes the exit
code 1; what is left out is reported beside its check.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from specc.cli.terminal import message, show
from specc.emit import seal
from specc.model.model import Model
from specc.syntax.source import read
from specc.verify.reference.missing import MissingReference

if TYPE_CHECKING:
    from specc.verify.compare.finding import Finding

FINE, FINDINGS, USAGE = 0, 1, 2


@dataclass(frozen=True)
class Report:
    """The findings about one module."""

    model: Model
    target: str
    samples: int
    seed: int
    findings: Sequence[Finding]
    left_out: Sequence[str] = ()
    """The checks that were not done, or not to their end, because torch is not installed."""
    first: str = ""
    """The first derivative that is wrong, if gradients disagree."""

    @property
    def ok(self) -> bool:
        """True if every finding is within its bound."""
        return all(finding.ok for finding in self.findings)

    @property
    def fails(self) -> bool:
        """True if a check raised an exception."""
        from specc.verify.checks import FAILS

        return any(finding.what == FAILS for finding in self.findings)

    def worst(self, check: str, what: str | None = None) -> Finding | None:
        """Return the worst finding of a check, or of one thing of it."""
        of = [
            f
            for f in self.findings
            if f.check == check and (what is None or f.what == what)
        ]
        return max(of, key=_badness, default=None)


def _badness(finding: Finding) -> tuple[bool, float]:
    """Return a sort key: findings beyond their bound last, NaN worst."""
    error = math.inf if math.isnan(finding.error) else finding.error
    return not finding.ok, error


def verify_command(
    path: str,
    overrides: Mapping[str, str],
    target: str,
    module_path: str | None,
    samples: int,
    seed: int,
    as_json: bool,
) -> int:
    """Verify the spec at `path` and return the exit code."""
    from specc.cli.destinations import recorded_command, stem_of
    from specc.compiler import Request, compile_source

    source = read(path)
    command = recorded_command(path, overrides, target)
    stem = stem_of(path, None)
    result = compile_source(
        source, Request(overrides=overrides, target=target, command=command, stem=stem)
    )
    show(result.diagnostics, "full", sys.stderr)
    if result.model is None or result.text is None:
        message(f"{source.name} does not compile", "error")
        return FINDINGS
    stem = stem or result.model.name
    with tempfile.TemporaryDirectory(prefix="specc_verify_") as folder:
        place = Path(folder) / f"{stem}.py"
        seal.replace_whole(place, result.text.encode())
        for ending, text in result.beside.items():
            seal.replace_whole(place.with_name(f"{stem}{ending}"), text.encode())
        if module_path is not None:
            place = Path(module_path)
        module = _imported(place)
        if module is None:
            return FINDINGS
        if module_path is not None:
            target = _target_of(module)
        try:
            report = verify(result.model, module, target, samples, seed)
            report = _with_first_fault(report, module, place)
        except MissingReference as missing:
            message(f"cannot verify {source.name}: {missing}", "error")
            return FINDINGS
    _tell(report, module_path or source.name, as_json)
    if module_path is not None and report.fails:
        message(f"is {module_path} a module of this spec, for the target {target}?")
    return FINE if report.ok else FINDINGS


def verify(
    model: Model, module: ModuleType, target: str, samples: int = 32, seed: int = 0
) -> Report:
    """Run all checks on an imported module of a Model, on one thread.

    `samples` is the batch size, `seed` draws parameters and samples.
    """
    from specc.verify.checks import LEFT_OUT, examined
    from specc.verify.compare.subject import subject
    from specc.verify.compare.tensors import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = examined(subject(model, module, target, samples, seed))
    finally:
        torch.set_num_threads(before)
    left_out = [finding.check for finding in found if finding.what == LEFT_OUT]
    done = [finding for finding in found if finding.what != LEFT_OUT]
    return Report(model, target, samples, seed, done, left_out)


def _target_of(module: ModuleType) -> str:
    """Return the target that a module was made for, by the names that it has."""
    if hasattr(module, "torch"):
        return "torch"
    return "c" if hasattr(module, "HELD") else "numpy"


def _with_first_fault(report: Report, module: ModuleType, place: Path) -> Report:
    """Return the report with the place of the first wrong derivative, if gradients disagree."""
    from specc.verify.checks import THREE_WAYS
    from specc.verify.compare.subject import subject
    from specc.verify.examine.first_fault import first_fault

    bad = {f.check for f in report.findings if not f.ok}
    if report.fails or report.left_out or not bad & set(THREE_WAYS):
        return report
    of = subject(report.model, module, report.target, report.samples, report.seed)
    fault = first_fault(of, place)
    return replace(report, first=str(fault) if fault else "")


def _imported(place: Path) -> ModuleType | None:
    from specc.run.emitted import imported

    if not place.is_file():
        raise FileNotFoundError(2, "No such file or directory", str(place))
    try:
        return imported(place)
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise
        message(f"cannot import {place}: {error}", "error")
        return None
    except Exception as error:
        message(f"cannot import {place}: {type(error).__name__}: {error}", "error")
        return None


def _tell(report: Report, name: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps(record(report), indent=2))
        return
    from specc.run.progress import console

    out = console(sys.stdout)
    size = f"{report.samples} sample{'s' * (report.samples > 1)}"
    out.print(f"{name}: target {report.target}, float64, {size}, seed {report.seed}\n")
    out.print(_gradients(report))
    out.print()
    out.print(_checks(report))
    out.print()
    out.print(_verdict(report))


def _gradients(report: Report) -> Any:
    """Return a table of the relative error of each gradient, by three references."""
    from specc.verify.checks import THREE_WAYS

    table = _table("gradient of the loss", *THREE_WAYS)
    names = [*report.model.parameters, report.model.input.name]
    for name in names:
        cells = [_error(report.worst(check, name)) for check in THREE_WAYS]
        said = " (the input)" if name == report.model.input.name else ""
        table.add_row(f"{name}{said}", *cells)
    return table


def _checks(report: Report) -> str:
    """Return a table of the largest error of each check, and its reference."""
    from specc.verify.checks import CHECKS

    width = max(len(check.name) for check in CHECKS)
    lines = [f"{'check':<{width}} {'worst':>9} {'bound':>7}   compared with"]
    for check in CHECKS:
        worst = report.worst(check.name)
        if worst is not None:
            bound = f"{worst.bound:.0e}" if worst.bound else "0"
            row = f"{check.name:<{width}} {_error(worst):>9} {bound:>7}"
            part = "in part, " if check.name in report.left_out else ""
            notes = _notes(report, check.name)
            lines.append(f"{row}   {part}{check.reference}{notes}")
        elif check.name in report.left_out:
            row = f"{check.name:<{width}} {'-':>9} {'-':>7}"
            lines.append(f"{row}   left out: it needs torch")
    return "\n".join(lines)


def _notes(report: Report, check: str) -> str:
    """Return at most two notes about how a check was done."""
    said = dict.fromkeys(f.said for f in report.findings if f.check == check and f.said)
    notes = [note for note in said if "left out" in note or "rate" in note]
    notes += [note for note in said if "rounding is" in note]
    if not notes and check in ("fit", "schedule", "optimizer", "patience"):
        notes = list(said)[-1:]
    return f": {'; '.join(notes[:2])}" if notes else ""


def _table(first: str, *columns: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _error(finding: Finding | None) -> str:
    if finding is None:
        return "-"
    shown = f"{finding.error:.1e}" if finding.error else "0"
    return shown if finding.ok else f"{shown} !"


def _verdict(report: Report) -> str:
    bad = [finding for finding in report.findings if not finding.ok]
    count = f"{len(report.findings):,} comparisons"
    if not bad:
        return f"{count}, none disagrees{_not_done(report)}"
    shown: dict[tuple[str, str], Finding] = {}
    for finding in sorted(bad, key=_badness, reverse=True):
        shown.setdefault((finding.check, finding.what), finding)
    lines = [f"{count}, {len(bad):,} disagree:"]
    if report.first:
        lines.insert(0, f"the first wrong derivative: {report.first}\n")
    for finding in shown.values():
        said = f" ({finding.said})" if finding.said else ""
        lines.append(f"  {finding.check}, {finding.what}: {finding.where}{said}")
    return "\n".join(lines) + _not_done(report)


def _not_done(report: Report) -> str:
    """Return what was not compared, and what to install for it."""
    if not report.left_out:
        return ""
    names = ", ".join(report.left_out)
    text = f"\nnot compared, because torch is not installed: {names}"
    return f"{text}\nfor these checks: pip install 'netspecc[torch]'"


def record(report: Report) -> dict[str, Any]:
    """Return a report for `--json`: the worst finding of each check and thing."""
    pairs = dict.fromkeys((f.check, f.what) for f in report.findings)
    found = [report.worst(*pair) for pair in pairs]
    return {
        "spec": report.model.source.name,
        "model": report.model.name,
        "target": report.target,
        "samples": report.samples,
        "seed": report.seed,
        "ok": report.ok,
        "comparisons": len(report.findings),
        "left_out": list(report.left_out),
        "first_wrong_derivative": report.first or None,
        "findings": [
            {
                "check": f.check,
                "of": f.what,
                "error": f.error if math.isfinite(f.error) else None,
                "bound": f.bound,
                "ok": f.ok,
                "where": f.where,
                "said": f.said,
            }
            for f in found
            if f is not None
        ],
    }
