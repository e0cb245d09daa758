"""The command `specc compile`: from specs to modules, printed, compared or written.

Takes what the command line says, returns the exit code. Invariant: nothing is written
unless every spec compiles and every module has a place of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from specc.cli.terminal import message, show
from specc.syntax.source import Source

FINE, FINDINGS = 0, 1


def compile_command(
    files: Sequence[str],
    overrides: Mapping[str, str],
    output_format: str,
    target: str,
    stage: str,
    output: str | None,
    printing: bool,
    only_check: bool,
    diff: bool,
    force: bool,
) -> int:
    """Compile every file, then print (`printing`), compare or write what came of it.

    `output` is the path of `-o`; with `only_check` or `diff` no file changes.
    """
    modules = compiled(files, overrides, output_format, target, stage, output)
    if modules is None:
        return FINDINGS
    if printing:
        for _, made in modules.values():
            for text in made.values():
                click.echo(text, nl=not text.endswith("\n"))
        return FINE
    texts = placed(modules, output)
    if only_check or diff:
        return compare(texts, diff)
    if output and output.endswith(("/", os.sep)):
        Path(output).mkdir(parents=True, exist_ok=True)
    put(texts, force)
    return FINE


def read_all(files: Sequence[str]) -> list[Source]:
    """Read every spec before any work is done."""
    from specc.syntax.source import read

    if len(set(files)) < len(files):
        raise click.UsageError("a file is given twice")
    return [read(name) for name in files]


def compiled(
    files: Sequence[str],
    overrides: Mapping[str, str],
    output_format: str,
    target: str,
    stage: str,
    output: str | None = None,
) -> dict[str, tuple[str, dict[str, str]]] | None:
    """Return the name of each file's model, and ending -> text; None if a file has errors."""
    from specc.cli.destinations import recorded_command, stem_of
    from specc.compiler import Request, compile_source

    modules = {}
    for file, source in zip(files, read_all(files), strict=True):
        command = recorded_command(file, overrides, target)
        stem = stem_of(file, output)
        result = compile_source(
            source,
            Request(
                overrides=overrides,
                target=target,
                stage=stage,
                command=command,
                stem=stem,
            ),
        )
        show(result.diagnostics, output_format, sys.stderr)
        if result.text is not None:
            name = result.model.name if result.model else ""
            modules[file] = (name, {".py": result.text, **result.beside})
    return modules if len(modules) == len(files) else None


def placed(
    modules: Mapping[str, tuple[str, Mapping[str, str]]], output: str | None
) -> dict[Path, str]:
    """Return each file of a module its place, or say why it has none."""
    from specc.cli.destinations import destinations

    try:
        places = destinations({spec: m[0] for spec, m in modules.items()}, output)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return {
        places[spec].with_suffix(ending): text
        for spec, (_, texts) in modules.items()
        for ending, text in texts.items()
    }


def compare(texts: Mapping[Path, str], diff: bool) -> int:
    """Say which files are not what would be written, and with `diff` how."""
    from specc.emit.seal import difference, state

    says = {
        "missing": "is missing: run `specc compile`",
        "stale": "is out of date: run `specc compile`",
        "edited": "was edited by hand: `--force` overwrites it",
        "foreign": "was not written by specc: `--force` overwrites it",
    }
    code = FINE
    for path, text in texts.items():
        found = state(path, text)
        if found != "same":
            code = FINDINGS
            message(f"{path} {says[found]}")
            if diff:
                click.echo(difference(path, text), nl=False)
    return code


def put(texts: Mapping[Path, str], force: bool) -> None:
    """Write each file to its place: none where one of them was edited by hand."""
    from specc.emit.seal import refuse_edited, write

    if not force:
        for path, text in texts.items():
            refuse_edited(path, text)
    for path, text in texts.items():
        lines = f"({text.count(chr(10))} lines)"
        what = "wrote" if write(path, text, force) == "written" else "unchanged"
        message(f"{what} {path} {lines}")
