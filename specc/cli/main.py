"""The command `specc`: what each command takes, and which function does it.

Data goes to standard output, messages to standard error. Exit codes: 0 fine, 1
findings, 2 wrong usage or I/O, 70 a bug in specc, 130 interrupted; no error
leaves this file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from specc import __version__
from specc.cli.terminal import FORMATS, LISTINGS, PAGES, message, report_bug, show
from specc.compiler import STAGES, TARGETS
from specc.syntax.source import Unreadable

FINE, FINDINGS, USAGE, BUG, INTERRUPTED = 0, 1, 2, 70, 130


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


class TargetName(click.Choice[str]):
    """The name of a target; a misspelt one is told which was meant."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Give the name back, or fail."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as problem:
            from specc.syntax.spelling import did_you_mean

            hint = did_you_mean(str(value), TARGETS)
            said = f" {hint[0].upper()}{hint[1:]}" if hint else ""
            self.fail(problem.message + said, param, ctx)


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

target_option = click.option(
    "--target",
    type=TargetName(TARGETS),
    default=TARGETS[0],
    show_default=True,
    help="What the module computes with.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="specc %(version)s")
def commands() -> None:
    """Compile declarative networks into standalone training modules."""


@commands.command()
@several_specs
def check(files: Sequence[str], overrides: dict[str, str], output_format: str) -> int:
    """Find what is wrong with specs; `-` reads standard input."""
    from specc.cli.compile import read_all
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
@target_option
@click.option(
    "--emit",
    "stage",
    type=click.Choice(STAGES),
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
    stage: str | None,
    only_check: bool,
    diff: bool,
    to_stdout: bool,
    force: bool,
) -> int:
    """Write the training module of each spec, `net.spec` to `net.py`."""
    printing = to_stdout or stage is not None
    if printing and (output or only_check or diff or force):
        raise click.UsageError("what is printed is not written: give one or the other")
    if to_stdout and len(files) > 1:
        raise click.UsageError("--stdout prints one module: give one file")
    if "-" in files and not printing and output is None:
        raise click.UsageError("standard input has no name: give -o PATH or --stdout")
    from specc.cli.compile import compile_command

    return compile_command(
        files,
        overrides,
        output_format,
        target,
        stage or "code",
        output,
        printing,
        only_check,
        diff,
        force,
    )


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
    from specc.run.train import train_command

    return train_command(file, overrides, out, seed, epochs, device, dtype, quiet)


@commands.command()
@click.argument("file")
@override_option
@target_option
@click.option(
    "--module",
    metavar="PATH",
    help="Examine this module, not what the spec compiles to.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=2, max=100_000),
    default=32,
    show_default=True,
    help="Samples of a batch.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def verify(
    file: str,
    overrides: dict[str, str],
    target: str,
    module: str | None,
    samples: int,
    seed: int,
    as_json: bool,
) -> int:
    """Compare a spec's module with autograd, differences and torch.optim."""
    from specc.cli.verify import verify_command

    return verify_command(file, overrides, target, module, samples, seed, as_json)


@commands.command()
@click.argument("file", required=False, metavar="[FILE|CODE]")
@click.argument("layers", nargs=-1, metavar="[LAYER]...")
@override_option
@target_option
@click.option("--rules", "rules_alone", is_flag=True, help="The table of all rules.")
@click.option(
    "--output-format",
    type=click.Choice(PAGES),
    default=PAGES[0],
    show_default=True,
    help="How the derivation is printed.",
)
def explain(
    file: str | None,
    layers: Sequence[str],
    overrides: dict[str, str],
    target: str,
    rules_alone: bool,
    output_format: str,
) -> int:
    """Derive a spec's module, layer by layer.

    Every equation has its shape, the rule that it follows from and the lines of the module
    that compute it. LAYER is the name of one, or `loss` or `update`. With the code of a
    finding in place of a file, such as E012, tell what it means.
    """
    if rules_alone:
        if file is not None:
            raise click.UsageError(
                "--rules prints the table of all rules: give no file"
            )
        from specc.explain.page import rules_page
        from specc.explain.rules import rules

        click.echo(rules_page(rules(), output_format), nl=False)
        return FINE
    if file is None:
        raise click.UsageError(
            "Missing argument 'FILE', a code such as E012, or --rules"
        )
    from specc.cli.explain import explain_command

    return explain_command(file, layers, overrides, target, output_format)


@commands.command("list")
@click.argument("names", nargs=-1, metavar="[KIND|WORD]...")
@click.option(
    "--output-format",
    type=click.Choice(LISTINGS),
    default=LISTINGS[0],
    help="How words are printed.",
)
def list_(names: Sequence[str], output_format: str) -> int:
    """Tell the words of the language, with their arguments and sources.

    Kinds are layers, activations, initializers, losses, optimizers, schedules, metrics,
    data, settings and functions.
    """
    from specc.cli.words import UnknownWord, chosen, listing, reference

    if output_format == "markdown" and not names:
        click.echo(reference(), nl=False)
        return FINE
    try:
        click.echo(listing(chosen(names), output_format), nl=False)
    except UnknownWord as problem:
        raise click.UsageError(str(problem)) from None
    return FINE
