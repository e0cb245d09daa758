"""Errors and warnings: the record, the table of codes, and the rendering.

Takes diagnostics with their spans, returns them sorted, as text or JSON; no other module formats
one. Invariant: a code never changes its meaning, and every code is in `CODES`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from specc.syntax.excerpt import excerpt, printable
from specc.syntax.source import Source, Span

CODES: dict[str, str] = {
    "E001": "a character that is not part of the language",
    "E002": "a string that is not closed, or has an unknown escape",
    "E003": "a malformed number, or one out of range",
    "E004": "a syntax error: something else is expected here",
    "E005": "a bracket without a match",
    "E006": "nesting that is too deep",
    "E007": "an unknown statement",
    "E008": "a reserved word where a name is expected",
    "E009": "an invisible character, which can make a spec read differently than it compiles",
    "E010": "an unknown word of the vocabulary",
    "E011": "an unknown name in an expression",
    "E012": "an unknown argument",
    "E013": "a missing argument",
    "E014": "an argument given twice",
    "E015": "too many positional arguments, or one after a named argument",
    "E016": "a value of the wrong type",
    "E017": "a value outside the range of its argument",
    "E018": "a value that contradicts the others",
    "E019": "a fan-based initializer on a bias",
    "E020": "a feature that is not available yet",
    "E021": "a missing statement, or one out of place",
    "E022": "a statement given twice",
    "E023": "a name defined twice",
    "E024": "a definition with the name of a built-in word",
    "E025": "a name that Python or the emitted module needs",
    "E026": "a name used before its definition, or a block inside itself",
    "E027": "a computation without a finite result",
    "E028": "an invalid domain",
    "E029": "a value outside its domain",
    "E030": "an override of something that is not a param",
    "E031": "shapes that do not match",
    "E032": "too many layers",
    "E033": "too many numbers",
    "E034": "an unexpected body or name, or a missing body",
    "E035": "a network with nothing to train",
    "E036": "a monitored value that is not measured",
    "E037": "data that cannot be used",
    "E038": "an operation that the target does not support",
    "E039": "a definition with a derivative of 0 everywhere",
    "E040": "a layer in the wrong place",
    "W001": "a softmax before cross_entropy, which applies softmax itself",
    "W002": "targets that the last activation cannot reach",
    "W003": "an initializer that does not suit the next activation",
    "W004": "a patience that is longer than the training",
    "W005": "early stopping on the samples of the reported metrics",
    "W006": "an unused definition",
    "W007": "a norm over a single number",
}

LIMIT = 20
"""How many errors of a file are reported."""


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning."""

    code: str
    """`E012`, `W003`; a code never changes its meaning."""
    severity: Literal["error", "warning"]
    message: str
    """One sentence without a full stop, names in backquotes."""
    span: Span
    label: str = ""
    """The text right of the carets, such as "did you mean `weight`?"."""
    notes: tuple[str, ...] = ()
    """Lines below the excerpt, shown after `= `: a signature, what would compile."""


class Invalid(Exception):
    """Raised with the error that ends the check of one part of a spec."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def error(
    code: str, message: str, span: Span, label: str = "", *notes: str
) -> Diagnostic:
    """Return an error; empty notes are dropped."""
    kept = tuple(note for note in notes if note)
    return Diagnostic(code, "error", message, span, label, kept)


def warning(
    code: str, message: str, span: Span, label: str = "", *notes: str
) -> Diagnostic:
    """Return a warning."""
    return Diagnostic(code, "warning", message, span, label, notes)


def either(words: Iterable[str], last: str = "or") -> str:
    """Join words as in a sentence, `a`, `b` or `c`; words after the tenth are dropped."""
    listed = list(words)
    if len(listed) > 10:
        listed = [*listed[:10], "…"]
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} {last} {listed[-1]}"


def quoted(text: str) -> str:
    """Return a piece of a spec in backquotes, shortened to 40 characters."""
    line = " ".join(text.split())
    return f"`{line[:37]}…`" if len(line) > 40 else f"`{line}`"


def arranged(found: Iterable[Diagnostic], main: Source) -> tuple[Diagnostic, ...]:
    """Return diagnostics sorted by place, without duplicates and allowed warnings.

    At most LIMIT errors are kept. Those about another source than `main`, such as an override by
    `-D`, come last.
    """
    unique = dict.fromkeys(found)
    ordered = sorted(
        (d for d in unique if d.severity == "error" or not _allowed(d)),
        key=lambda d: (d.span.source is not main, d.span.start),
    )
    errors = [d for d in ordered if d.severity == "error"][:LIMIT]
    return tuple(d for d in ordered if d.severity == "warning" or d in errors)


def _allowed(finding: Diagnostic) -> bool:
    """True if the diagnostic's line has a comment such as `# specc: allow W003`."""
    source = finding.span.source
    start = source.line_starts[finding.span.line - 1]
    line = source.text[start:].split("\n", 1)[0]
    comment = line.rpartition("# specc: allow ")[2] if "# specc: allow " in line else ""
    return finding.code in comment.replace(",", " ").split()


def render(
    diagnostics: Iterable[Diagnostic], output_format: str = "full", color: bool = False
) -> str:
    """Return diagnostics as text: `full` or `concise` for a person, `json` or `github` else."""
    match output_format:
        case "full":
            return "\n".join(_full(finding, color) for finding in diagnostics)
        case "concise":
            return "".join(f"{_concise(finding)}\n" for finding in diagnostics)
        case "json":
            lines = (json.dumps(_fields(finding)) for finding in diagnostics)
            return "".join(f"{line}\n" for line in lines)
        case "github":
            return "".join(f"{_github(finding)}\n" for finding in diagnostics)
    raise ValueError(f"no output format {output_format!r}")


_COLORS = {"error": "1;31", "warning": "1;33", "gutter": "1;34", "message": "1"}


def _full(finding: Diagnostic, color: bool) -> str:
    def paint(text: str, what: str) -> str:
        return f"\x1b[{_COLORS[what]}m{text}\x1b[0m" if color and text else text

    shown = excerpt(finding.span)
    line, column = finding.span.source.position(finding.span.start)
    margin = len(str(line)) * " "
    title = paint(f"{finding.severity}[{finding.code}]", finding.severity)
    carets = f"{'^' * shown.width} {printable(finding.label)}".rstrip()
    place = f"{printable(finding.span.source.name)}:{line}:{column}"
    bar = paint("|", "gutter")
    lines = [
        f"{title}{paint(f': {printable(finding.message)}', 'message')}",
        f"{margin}{paint('-->', 'gutter')} {place}",
        f"{margin} {bar}",
        f"{paint(str(line), 'gutter')} {bar} {shown.text}".rstrip(),
        f"{margin} {bar} {' ' * shown.start}{paint(carets, finding.severity)}",
    ]
    equals = paint("=", "gutter")
    lines += [f"{margin} {equals} {printable(note)}" for note in finding.notes]
    return "\n".join(lines) + "\n"


def _concise(finding: Diagnostic) -> str:
    line, column = finding.span.source.position(finding.span.start)
    name = printable(finding.span.source.name)
    message = printable(finding.message)
    return f"{name}:{line}:{column}: {finding.severity}[{finding.code}]: {message}"


def _fields(finding: Diagnostic) -> dict[str, str | int]:
    line, column = finding.span.source.position(finding.span.start)
    end_line, end_column = finding.span.source.position(finding.span.end)
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "file": finding.span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "hint": "\n".join(filter(None, (finding.label, *finding.notes))),
    }


def _github(finding: Diagnostic) -> str:
    fields = _fields(finding)
    properties = ",".join(
        f"{name}={_escaped(str(fields[field]), ':,')}"
        for name, field in (
            ("file", "file"),
            ("line", "line"),
            ("col", "column"),
            ("endLine", "end_line"),
            ("endColumn", "end_column"),
            ("title", "code"),
        )
    )
    text = "\n".join(filter(None, (finding.message, str(fields["hint"]))))
    return f"::{finding.severity} {properties}::{_escaped(text)}"


def _escaped(text: str, also: str = "") -> str:
    """Return text escaped for a GitHub workflow command."""
    lines = [printable(line) for line in text.split("\n")]
    text = "\n".join(lines)
    for char in "%\n" + also:
        text = text.replace(char, f"%{ord(char):02X}")
    return text
