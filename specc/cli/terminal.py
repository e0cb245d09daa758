"""What specc says to a person: findings, messages, and its own bugs.

Takes diagnostics and words, gives lines on a stream. Invariant: colour only where a
terminal reads and nothing in the environment refuses it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, Any

import click

from specc import __version__

FORMATS = ("full", "concise", "json", "github")
LISTINGS = ("full", "concise", "json", "markdown")
PAGES = ("full", "markdown", "latex")
"""How findings are printed, how `specc list` prints words, and how `specc explain` prints a
derivation; the first is the default."""


def message(text: str, severity: str = "") -> None:
    """Say something to the person, on standard error."""
    click.echo(f"{severity}: {text}" if severity else text, err=True)


def show(diagnostics: Sequence[Any], output_format: str, stream: IO[str]) -> None:
    """Print findings, in colour on a terminal that did not refuse it."""
    from specc.syntax.diagnostics import render

    color = (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
    text = render(diagnostics, output_format, color).rstrip("\n")
    if text:
        click.echo(text, file=stream, color=color)


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
