"""The options that several commands share: `-D`, `--target`, `--output-format`.

Takes what a person typed, returns checked values. Invariant: a wrong value is a usage error that
names the option.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from specc.cli.terminal import FORMATS
from specc.syntax.diagnostics import either
from specc.targets.registry import TARGETS


def assignments(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, str]:
    """Split each `name=value` of `-D` into a name and a value."""
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
    """The name of a target; the error about a misspelt one suggests the nearest."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the name if it is a target; otherwise fail."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as problem:
            from specc.syntax.spelling import did_you_mean

            hint = did_you_mean(str(value), TARGETS)
            said = f" {hint[0].upper()}{hint[1:]}" if hint else ""
            self.fail(problem.message + said, param, ctx)


Command = Callable[..., Any]


def several_specs(command: Command) -> Command:
    """Add the arguments that `check` and `compile` share."""
    for decorate in (
        click.option(
            "--output-format",
            type=click.Choice(FORMATS),
            default="full",
            show_default=True,
            help="Format of errors and warnings.",
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
    help="Override a `param` of the spec. Can be given several times.",
)

target_option = click.option(
    "--target",
    type=TargetName(TARGETS),
    default=TARGETS[0],
    show_default=True,
    help=f"Backend to generate: {either(TARGETS)}.",
)
