"""Output for a person: errors and warnings, messages, bugs of specc.

Takes diagnostics and text, prints them to a stream. Invariant: colour only on a terminal, and not
if the environment disables it.
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
"""The formats of errors and warnings, of `specc list` and of `specc explain`; the first of each is
the default."""


def message(text: str, severity: str = "") -> None:
    """Print a message to standard error; text of files in it cannot act on the terminal."""
    from specc.syntax.excerpt import harmless

    text = harmless(text)
    click.echo(f"{severity}: {text}" if severity else text, err=True)


def show(diagnostics: Sequence[Any], output_format: str, stream: IO[str]) -> None:
    """Print errors and warnings, in colour on a terminal that allows it."""
    from specc.syntax.diagnostics import render

    color = (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
    text = render(diagnostics, output_format, color).rstrip("\n")
    if text:
        click.echo(text, file=stream, color=color)


EXTRAS = {"torch": "torch", "sklearn": "data"}
"""The packages that are installed on request -> the extra of netspecc that has them."""


def report_missing(error: ImportError) -> bool:
    """Say what to install if a package is missing that specc needs; False if it is none."""
    name = (error.name or "").partition(".")[0]
    package = {"sklearn": "scikit-learn"}.get(name, name)
    if not isinstance(error, ModuleNotFoundError) or name in ("", "specc"):
        return False
    what = f"netspecc[{EXTRAS[name]}]" if name in EXTRAS else package
    text = f"this needs {package}, which is not installed: pip install '{what}'"
    message(text, "error")
    return True


def report_bug(error: Exception) -> None:
    """Report a bug in specc; with a traceback if `SPECC_DEBUG=1`."""
    if os.environ.get("SPECC_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    message(
        f"this is a bug in specc {__version__}: {type(error).__name__}: {error}\n"
        "Please report it, with the spec and what `SPECC_DEBUG=1 specc ...` prints.",
        "internal error",
    )
