"""The classes of a target column: integers from 0, or names.

Takes the cells of a column, returns indices. Invariant: names are numbered in sorted order, and a
column without errors has only integers or only names. Uses only the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from specc.library.vocabulary import ArgumentError
from specc.syntax.excerpt import foreign


def names_of(cells: Iterable[str]) -> tuple[str, ...] | None:
    """Return the names of the classes in order, or None if every cell is a number.

    The cells must have no errors.
    """
    distinct = set(cells)
    return None if all(map(_is_number, distinct)) else tuple(sorted(distinct))


def indices(cells: Sequence[str], names: tuple[str, ...] | None) -> list[int]:
    """Return the class of each cell."""
    if names is None:
        return [int(float(cell)) for cell in cells]
    index = {name: place for place, name in enumerate(names)}
    return [index[cell] for cell in cells]


def spec_of(cells: Sequence[str]) -> str:
    """Return all that a spec needs for a target whose cells are names of classes."""
    names = names_of(cells) or ()
    last = f"`linear({len(names)})`" if len(names) > 1 else "one output for each class"
    return (
        "if it names classes, declare the target as `int[]`, write"
        f" `loss cross_entropy` and end with {last}"
    )


def faults(
    cells: Sequence[str], lines: Sequence[int], column: str, classes: int | None
) -> list[ArgumentError]:
    """Return the error about a cell that is not a class, or beyond the `classes` of the network."""
    odd = _odd(cells)
    if odd is not None:
        cell = cells[odd]
        wrong = "a number" if _is_number(cell) else "not a number"
        message = (
            f"line {lines[odd]}, column {_named(column)}: {_named(cell)} is {wrong}"
        )
        message += ", unlike the others"
        hint = "write all classes as integers from 0, or all as names"
        return [ArgumentError("target", message, hint)]
    names = names_of(cells)
    if names is not None:
        if classes is None or len(names) <= classes:
            return []
        message = f"column {_named(column)} has at least {len(names)} classes"
        message += f", but the network has outputs for {classes}"
        shown = ", ".join(map(_named, names[:8])) + ", …" * (len(names) > 8)
        hint = f"end with `linear({len(names)})`; found {shown}"
        return [ArgumentError("target", message, hint)]
    for cell, line in zip(cells, lines, strict=True):
        value = float(cell)
        where = f"line {line}, column {_named(column)}: {_named(cell)}"
        if value != value // 1:
            hint = "write class indices as integers from 0"
            return [ArgumentError("target", f"{where} is not a class index", hint)]
        if value < 0 or (classes is not None and value >= classes):
            message = f"{where} is out of range"
            last = f" to {classes - 1}" if classes is not None else ""
            hint = f"classes are 0{last or ' and up'}"
            return [ArgumentError("target", message, hint)]
    return []


def _named(name: str) -> str:
    return repr(foreign(name))


def _odd(cells: Sequence[str]) -> int | None:
    """Return the index of the first cell of the rarer kind, if numbers and names are mixed."""
    numbers = {cell: _is_number(cell) for cell in set(cells)}
    count = sum(numbers[cell] for cell in cells)
    if count in (0, len(cells)):
        return None
    rarer = count < len(cells) - count
    return next(i for i, cell in enumerate(cells) if numbers[cell] is rarer)


def _is_number(cell: str) -> bool:
    try:
        return float(cell) - float(cell) == 0 and "_" not in cell
    except ValueError:
        return False
