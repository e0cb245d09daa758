"""The command `specc explain`: prints the derivation of a network, or the meaning of a code.

Takes the command line, returns the exit code; the explanation goes to standard output.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from specc.cli.destinations import recorded_command, stem_of
from specc.cli.terminal import message, show
from specc.compiler import analyse, stages
from specc.explain.explanation import Explanation, explanation
from specc.syntax.diagnostics import arranged
from specc.syntax.source import Source, read
from specc.syntax.spelling import did_you_mean
from specc.targets.coverage import uncovered
from specc.targets.registry import target_called

FINE, FINDINGS = 0, 1
CODE = re.compile(r"[EW]\d{3}", re.IGNORECASE)


def explain_command(
    path: str,
    layers: Sequence[str],
    overrides: Mapping[str, str],
    target: str,
    output_format: str,
) -> int:
    """Explain the spec at `path`, or only the `layers` of it."""
    if CODE.fullmatch(path) and not Path(path).exists():
        from specc.cli.lessons import at_length

        return at_length([path, *layers])
    source = read(path)
    made = _explained(source, path, overrides, target)
    if made is None:
        message(f"{source.name} does not compile", "error")
        return FINDINGS
    from specc.explain.page import RENDERED, Page

    found, files, command, stem = made
    chosen = _chosen(found, layers)
    if chosen is None:
        return FINDINGS
    ending = ".c" if ".c" in files else ".py"
    page = Page(
        found, f"{stem}{ending}", command, files[".py"], chosen, whole=not layers
    )
    click.echo(RENDERED[output_format](page), nl=False)
    return FINE


def _explained(
    source: Source, path: str, overrides: Mapping[str, str], target: str
) -> tuple[Explanation, Mapping[str, str], str, str] | None:
    model, diagnostics = analyse(source, overrides)
    language = target_called(target)
    missing = []
    if model is not None:
        missing = uncovered(model, stages(model, language).derived, language)
    show(arranged((*diagnostics, *missing), source), "full", sys.stderr)
    if model is None or missing:
        return None
    command = recorded_command(path, overrides, target)
    stem = stem_of(path, None) or model.name
    found, files = explanation(model, language, command, stem)
    return found, files, command, stem


def _chosen(found: Explanation, layers: Sequence[str]) -> Sequence[int] | None:
    """Return the indices of the sections of `layers`; None, after an error, if one is unknown."""
    names = {
        name: place
        for place, section in enumerate(found.sections)
        for name in section.names
    }
    chosen: list[int] = []
    for layer in layers:
        place = names.get(layer.replace(".", "_"))
        if place is None:
            hint = did_you_mean(layer, names)
            known = f"; {hint}" if hint else f": {', '.join(names)}"
            message(f"no layer is called `{layer}`{known}", "error")
            return None
        chosen.append(place)
    return sorted(set(chosen)) if layers else range(len(found.sections))
