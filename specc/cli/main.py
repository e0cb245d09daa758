"""The command `specc`: the arguments of each command, and the function that runs it.

Takes the command line, returns the exit code: 0 success, 1 findings, 2 wrong usage or a failed read
or write, 70 a bug in specc, 130 interrupted. Data goes to standard output, messages to standard
error. Invariant: no exception leaves `main`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from specc import __version__
from specc.cli.options import override_option, several_specs, target_option
from specc.cli.signals import ended_by_signals
from specc.cli.terminal import (
    LISTINGS,
    PAGES,
    message,
    report_bug,
    report_missing,
    show,
)
from specc.compiler import STAGES
from specc.syntax.excerpt import harmless
from specc.syntax.source import Unreadable

FINE, FINDINGS, USAGE, BUG, INTERRUPTED = 0, 1, 2, 70, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors become messages.

    SIGTERM and SIGHUP end it as Ctrl-C does, with 128 and their number as the code.
    """
    with ended_by_signals() as signals:
        code = _main(arguments)
    return 128 + signals[0] if signals and code == INTERRUPTED else code


def _main(arguments: Sequence[str] | None) -> int:
    try:
        code = commands.main(arguments, prog_name="specc", standalone_mode=False)
        return code if isinstance(code, int) else FINE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        object.__setattr__(error, "message", harmless(error.message))
        error.show()
    except OSError as error:
        detail = error.strerror or str(error)
        message(f"{error.filename}: {detail}" if error.filename else detail, "error")
    except Unreadable as error:
        message(str(error), "error")
    except Exception as error:
        if isinstance(error, ImportError) and report_missing(error):
            return USAGE
        report_bug(error)
        return BUG
    return USAGE


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: specc compile net.spec",
)
@click.version_option(__version__, message="specc %(version)s")
def commands() -> None:
    """Compile network specs into standalone training modules.

    A spec describes a network, its loss, its optimizer and its data. specc writes a readable
    module for PyTorch, NumPy or C, with the gradients written out.
    """


@commands.command(epilog="Example: specc check net.spec")
@several_specs
def check(files: Sequence[str], overrides: dict[str, str], output_format: str) -> int:
    """Check specs and print their errors and warnings.

    FILE is a spec, or `-` for standard input. Nothing is written.
    """
    from specc.cli.compile import read_all
    from specc.compiler import analyse

    code = FINE
    for source in read_all(files):
        model, diagnostics = analyse(source, overrides)
        show(diagnostics, output_format, sys.stdout)
        if model is None:
            code = FINDINGS
        elif not diagnostics:
            message(f"{source.name}: no errors, no warnings")
    return code


@commands.command("compile", epilog="Example: specc compile net.spec --target c")
@several_specs
@click.option(
    "-o",
    "output",
    metavar="PATH",
    help="Write to this Python file or folder. Default: beside the spec.",
)
@target_option
@click.option(
    "--emit",
    "stage",
    type=click.Choice(STAGES),
    help="Print the result of this compiler stage and write no file.",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Write nothing. Exit 1 if a module is out of date.",
)
@click.option(
    "--diff",
    is_flag=True,
    help="Write nothing. Print the changes, and exit 1 if there are any.",
)
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the module.")
@click.option("--force", is_flag=True, help="Overwrite edited files.")
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
    """Compile each spec to a training module: net.spec to net.py.

    FILE is a spec, or `-` for standard input. A module that was edited by hand is not
    overwritten unless --force is given.
    """
    printing = to_stdout or stage is not None
    if printing and (output or only_check or diff or force):
        raise click.UsageError(
            "--stdout and --emit write no file: leave out -o, --check, --diff and --force"
        )
    if to_stdout and len(files) > 1:
        raise click.UsageError("--stdout prints one module: pass one FILE")
    if "-" in files and not printing and output is None:
        raise click.UsageError(
            "standard input has no file name: pass -o PATH or --stdout"
        )
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


@commands.command(epilog="Example: specc train net.spec --epochs 20 --seed 1")
@click.argument("file", required=False)
@override_option
@click.option(
    "--resume",
    metavar="RUN",
    help="Go on with the run in this folder, as if nothing had stopped it.",
)
@click.option(
    "--out",
    metavar="FOLDER",
    help="Folder of the run. Default: runs/ and the model's name.",
)
@click.option("--seed", type=int, help="Override the spec's seed.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Override the spec's number of epochs.",
)
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="Device of torch to train on, such as cpu or cuda.",
)
@click.option(
    "--dtype",
    type=click.Choice(("float32", "float64")),
    default="float32",
    show_default=True,
    help="Precision of the parameters and samples.",
)
@click.option("--quiet", is_flag=True, help="Print only the final metrics.")
def train(
    file: str | None,
    overrides: dict[str, str],
    out: str | None,
    seed: int | None,
    epochs: int | None,
    device: str,
    dtype: str,
    quiet: bool,
    resume: str | None,
) -> int:
    """Compile a spec and train the network on the spec's data.

    FILE is a spec with a `data` statement, or `-` for standard input. The module, the
    parameters, the history and plots are written to the folder of the run, and now and
    then a checkpoint, from which --resume goes on.
    """
    from specc.cli.train import resume_command, train_command

    if (file is None) == (resume is None):
        raise click.UsageError("pass a FILE to train, or --resume RUN to go on")
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    fixed = ("device", "dtype")
    given = any(context.get_parameter_source(name) != default for name in fixed)
    given = given or bool(overrides or out or epochs) or seed is not None
    if resume is not None and given:
        raise click.UsageError(
            "--resume goes on as the run was begun: no other options"
        )
    if resume is not None:
        return resume_command(resume, quiet)
    assert file is not None
    return train_command(file, overrides, out, seed, epochs, device, dtype, quiet)


@commands.command(epilog="Example: specc verify net.spec --target numpy")
@click.argument("file")
@override_option
@target_option
@click.option(
    "--module",
    metavar="PATH",
    help="Verify this module instead of the one that the spec compiles to.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=2, max=100_000),
    default=32,
    show_default=True,
    help="Number of samples in a batch.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the random parameters and samples.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def verify(
    file: str,
    overrides: dict[str, str],
    target: str,
    module: str | None,
    samples: int,
    seed: int,
    as_json: bool,
) -> int:
    """Compare a spec's module with independent references.

    FILE is a spec, or `-` for standard input. Gradients are compared with torch's autograd,
    finite differences and a second derivation; updates with torch.optim; training with a
    reference loop. Exit 1 if anything differs by more than its bound.
    """
    from specc.cli.verify import verify_command

    return verify_command(file, overrides, target, module, samples, seed, as_json)


@commands.command(epilog="Example: specc explain net.spec linear2 loss")
@click.argument("file", required=False, metavar="[FILE|CODE]")
@click.argument("layers", nargs=-1, metavar="[LAYER]...")
@override_option
@target_option
@click.option(
    "--rules", "rules_alone", is_flag=True, help="Print all derivative rules."
)
@click.option(
    "--output-format",
    type=click.Choice(PAGES),
    default=PAGES[0],
    show_default=True,
    help="Format of the derivation.",
)
def explain(
    file: str | None,
    layers: Sequence[str],
    overrides: dict[str, str],
    target: str,
    rules_alone: bool,
    output_format: str,
) -> int:
    """Print the derivation of a spec's gradients, layer by layer.

    Each equation is printed with its shape, the derivative rule it follows from, and the lines
    of the module that compute it. LAYER limits the output to the layers named; `loss` and
    `update` are names too. With the code of an error or a warning instead of a spec, such as
    E012, its meaning is explained.
    """
    if rules_alone:
        if file is not None:
            raise click.UsageError(
                "--rules prints all derivative rules: leave FILE out"
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


@commands.command("list", epilog="Example: specc list losses adam")
@click.argument("names", nargs=-1, metavar="[KIND|WORD]...")
@click.option(
    "--output-format",
    type=click.Choice(LISTINGS),
    default=LISTINGS[0],
    show_default=True,
    help="Format of the list.",
)
def list_(names: Sequence[str], output_format: str) -> int:
    """List the vocabulary: layers, losses, optimizers and so on.

    Each entry has its signature, formula, arguments and source. KIND is one of layers,
    activations, initializers, losses, optimizers, schedules, metrics, data, settings and
    functions. Without an argument everything is listed.
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
