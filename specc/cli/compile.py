"""The command `specc compile`: compiles specs, then prints, compares or writes the modules.

Takes the command line, returns the exit code. Invariant: nothing is written unless every spec
compiles and every module has its own path.
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
    """Compile every file, then print (`printing`), compare or write the modules.

    `output` is the path of `-o`; with `only_check` or `diff` nothing is written.
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
    """Return all specs, read before anything is compiled."""
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
    """Return for each file the name of its model and its texts by ending; None after errors."""
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
    """Return the text of each path to write; raise UsageError if a module has no path."""
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
    """Report the files that differ from what would be written, and with `diff` how."""
    from specc.emit.seal import difference, state
    from specc.syntax.excerpt import harmless

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
                click.echo(harmless(difference(path, text)), nl=False)
    return code


def put(texts: Mapping[Path, str], force: bool) -> None:
    """Write each file to its path; write none if one of them was edited by hand."""
    from specc.emit.seal import write_all

    for path, what in write_all(texts, force).items():
        lines = f"({texts[path].count(chr(10))} lines)"
        message(f"{'wrote' if what == 'written' else what} {path} {lines}")
