"""Matches positional and named arguments to the parameters of what is called.

Takes an entry as written; returns an expression for each parameter that has one. Invariant: every
argument is in the result or reported as an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from specc.check.arguments.unknown_words import suggestion
from specc.syntax import tree
from specc.syntax.diagnostics import Diagnostic, either, error, quoted

Report = Callable[[Diagnostic], None]
"""Called with each error or warning."""


def match_arguments(
    called: str,
    parameters: list[tuple[str, bool]],
    signature: str,
    written: tree.Entry,
    report: Report,
) -> dict[str, tree.Expr]:
    """Return the expression for each parameter (name, required) that has one."""
    known = [name for name, _ in parameters]
    given: dict[str, tree.Expr] = {}
    faulty = named = False
    for i, argument in enumerate(written.arguments):
        if argument.name is None:
            fault = None
            if i >= len(known):
                most = f"at most {len(known)}" if known else "no"
                plural = "argument" if len(known) == 1 else "arguments"
                fault = f"{called} has {most} {plural}, found {len(written.arguments)}"
            elif named:
                fault = "a positional argument follows a named one"
            if fault:
                label = "write positional arguments first" if named else "remove it"
                report(error("E015", fault, argument.span, label, signature))
                faulty = True
                break
            given[known[i]] = argument.value
            continue
        named = True
        name = argument.name.text
        if name not in known:
            label = suggestion("argument", name, known)
            message = f"{called} has no argument {quoted(name)}"
            report(error("E012", message, argument.name.span, label, signature))
            faulty = True
        elif name in given:
            message = f"`{name}` is given twice"
            label = f"it is already {quoted(given[name].span.text)}"
            report(error("E014", message, argument.name.span, label, signature))
        else:
            given[name] = argument.value
    missing = [name for name, required in parameters if required and name not in given]
    if missing and not faulty:
        what = either([f"`{name}`" for name in missing], "and")
        message = f"{called} needs {what}"
        report(error("E013", message, written.span, f"add {what}", signature))
    return given


def misplaced(parameters: Iterable[tree.Parameter]) -> Diagnostic | None:
    """Return the error about a parameter without a default after one with a default."""
    optional = None
    for parameter in parameters:
        if parameter.default is not None:
            optional = parameter.name.text
        elif optional is not None:
            name = parameter.name
            message = f"`{name.text}` has no default but follows a parameter with one"
            label = f"give it a default, or move it before `{optional}`"
            return error("E015", message, name.span, label)
    return None
