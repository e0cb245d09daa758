"""The command `specc`: what each command takes, and which function does it.

Data goes to standard output, messages to standard error. Exit codes: 0 fine, 1
findings, 2 wrong usage or I/O, 70 a bug in specc, 130 interrupted; no error
leaves this file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import click

from specc import __version__
from specc.compiler import STAGES, TARGETS
from specc.source import Source, Unreadable

FINE, FINDINGS, USAGE, BUG, INTERRUPTED = 0, 1, 2, 70, 130
FORMATS = ("full", "concise", "json", "github")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code, whatever happens."""
    try:
        code = commands.main(arguments, prog_name="specc", standalone_mode=False)
        return code if isinstance(code, int) else FINE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
    except OSError as error:
        detail = error.strerror or str(error)
        message(f"{error.filename}: {detail}" if error.filename else detail, "error")
    except Unreadable as error:
        message(str(error), "error")
    except Exception as error:
        report_bug(error)
        return BUG
    return USAGE


def report_bug(error: Exception) -> None:
    """Say that specc is at fault; the traceback with `SPECC_DEBUG=1` only."""
    if os.environ.get("SPECC_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    message(
        f"this is a bug in specc {__version__}: {type(error).__name__}: {error}\n"
        "Please report it, with the spec and what `SPECC_DEBUG=1 specc ...` prints.",
        "internal error",
    )


def message(text: str, severity: str = "") -> None:
    """Say something to the person, on standard error."""
    click.echo(f"{severity}: {text}" if severity else text, err=True)


def show(diagnostics: Sequence[Any], output_format: str, stream: IO[str]) -> None:
    """Print findings, in colour on a terminal that did not refuse it."""
    from specc.diagnostics import render

    color = (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
    text = render(diagnostics, output_format, color).rstrip("\n")
    if text:
        click.echo(text, file=stream, color=color)


def read_all(files: Sequence[str]) -> list[Source]:
    """Read every spec before any work is done."""
    from specc.source import read

    if len(set(files)) < len(files):
        raise click.UsageError("a file is given twice")
    return [read(name) for name in files]


def assignments(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, str]:
    """Split each `name=value` of `-D`."""
    overrides: dict[str, str] = {}
    for text in values:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name.isidentifier() and equals and value):
            raise click.BadParameter(f"`{text}` is not `name=value`")
        if name in overrides:
            raise click.BadParameter(f"`{name}` is given twice")
        overrides[name] = value
    return overrides


Command = Callable[..., Any]


def several_specs(command: Command) -> Command:
    """Add what `check` and `compile` share."""
    for decorate in (
        click.option(
            "--output-format",
            type=click.Choice(FORMATS),
            default="full",
            help="How findings are printed.",
        ),
        override_option,
        click.argument("files", nargs=-1, required=True, metavar="FILE..."),
    ):
        command = decorate(command)
    return command


override_option = click.option(
    "-D",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    callback=assignments,
    help="Give a `param` of the spec another value.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="specc %(version)s")
def commands() -> None:
    """Compile declarative networks into standalone training modules."""


@commands.command()
@several_specs
def check(files: Sequence[str], overrides: dict[str, str], output_format: str) -> int:
    """Find what is wrong with specs; `-` reads standard input."""
    from specc.compiler import analyse

    code = FINE
    for source in read_all(files):
        model, diagnostics = analyse(source, overrides)
        show(diagnostics, output_format, sys.stdout)
        if model is None:
            code = FINDINGS
        elif not diagnostics:
            message(f"{source.name}: nothing to complain about")
    return code


@commands.command("compile")
@several_specs
@click.option("-o", "output", metavar="PATH", help="A Python file, or a folder.")
@click.option("--target", type=click.Choice(TARGETS), default="torch")
@click.option(
    "--emit",
    "stage",
    type=click.Choice(STAGES),
    default="code",
    help="Print what this stage of the compiler gives, and stop there.",
)
@click.option("--check", "only_check", is_flag=True, help="Exit 1 if a file is stale.")
@click.option("--diff", is_flag=True, help="Show what would change, exit 1 if it does.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the module.")
@click.option("--force", is_flag=True, help="Overwrite a file edited by hand.")
def compile_(
    files: Sequence[str],
    overrides: dict[str, str],
    output_format: str,
    output: str | None,
    target: str,
    stage: str,
    only_check: bool,
    diff: bool,
    to_stdout: bool,
    force: bool,
) -> int:
    """Write the training module of each spec, `net.spec` to `net.py`."""
    printing = to_stdout or stage != "code"
    if printing and (output or only_check or diff or force):
        raise click.UsageError("what is printed is not written: give one or the other")
    if to_stdout and len(files) > 1:
        raise click.UsageError("--stdout prints one module: give one file")
    if "-" in files and not printing and output is None:
        raise click.UsageError("standard input has no name: give -o PATH or --stdout")
    modules = compiled(files, overrides, output_format, target, stage)
    if modules is None:
        return FINDINGS
    if printing:
        for _, text in modules.values():
            click.echo(text, nl=not text.endswith("\n"))
        return FINE
    texts = placed(modules, output)
    if only_check or diff:
        return compare(texts, diff)
    if output and output.endswith(("/", os.sep)):
        Path(output).mkdir(parents=True, exist_ok=True)
    put(texts, force)
    return FINE


def compiled(
    files: Sequence[str],
    overrides: Mapping[str, str],
    output_format: str,
    target: str,
    stage: str,
) -> dict[str, tuple[str, str]] | None:
    """Give the name of each file's model and the text; None if a file has errors."""
    from specc.compiler import compile_source
    from specc.place import recorded_command

    modules = {}
    for file, source in zip(files, read_all(files), strict=True):
        command = recorded_command(file, overrides, target)
        result = compile_source(source, overrides, target, stage, command)
        show(result.diagnostics, output_format, sys.stderr)
        if result.text is not None:
            name = result.model.name if result.model else ""
            modules[file] = (name, result.text)
    return modules if len(modules) == len(files) else None


def placed(
    modules: Mapping[str, tuple[str, str]], output: str | None
) -> dict[Path, str]:
    """Give each module its place, or say why it has none."""
    from specc.place import destinations

    try:
        places = destinations({spec: m[0] for spec, m in modules.items()}, output)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return {places[spec]: text for spec, (_, text) in modules.items()}


def compare(texts: Mapping[Path, str], diff: bool) -> int:
    """Say which files are not what would be written, and with `diff` how."""
    from specc.output import difference

    code = FINE
    for path, text in texts.items():
        changes = difference(path, text)
        if changes:
            code = FINDINGS
            message(f"{path} is not what specc would write: compile it again")
            if diff:
                click.echo(changes, nl=False)
    return code


def put(texts: Mapping[Path, str], force: bool) -> None:
    """Write each module to its place."""
    from specc.output import write

    for path, text in texts.items():
        lines = f"({text.count(chr(10))} lines)"
        what = "wrote" if write(path, text, force) == "written" else "unchanged"
        message(f"{what} {path} {lines}")


@commands.command()
@click.argument("file")
@override_option
@click.option("--out", metavar="FOLDER", help="Where the run is kept.")
@click.option("--seed", type=int, help="In place of the spec's.")
@click.option("--epochs", type=click.IntRange(min=1), help="In place of the spec's.")
@click.option("--device", default="cpu", show_default=True)
@click.option(
    "--dtype",
    type=click.Choice(("float32", "float64")),
    default="float32",
    show_default=True,
)
@click.option("--quiet", is_flag=True, help="No progress, only the figures.")
def train(
    file: str,
    overrides: dict[str, str],
    out: str | None,
    seed: int | None,
    epochs: int | None,
    device: str,
    dtype: str,
    quiet: bool,
) -> int:
    """Compile a spec and train it on its own data."""
    from specc.train import train_command

    return train_command(file, overrides, out, seed, epochs, device, dtype, quiet)
