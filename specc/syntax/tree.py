"""The syntax tree: a spec before any name is looked up.

Invariant: every node has its span in the source, and nothing here depends on the vocabulary.
`Broken` stands for a statement with a syntax error, so that the checker does not report it as
missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specc.syntax.source import Source, Span


@dataclass(frozen=True)
class Name:
    """A name and its place."""

    text: str
    span: Span


@dataclass(frozen=True)
class Number:
    """A number as it is written, such as `1_000` or `1e-3`."""

    text: str
    span: Span


@dataclass(frozen=True)
class Text:
    """A string, without quotation marks and escapes."""

    value: str
    span: Span


@dataclass(frozen=True)
class Word:
    """A bare name in an expression: a constant, a `param`, or a word of the vocabulary."""

    name: str
    span: Span


@dataclass(frozen=True)
class Listing:
    """`[a, b]`."""

    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True)
class Negative:
    """`-a`."""

    operand: Expr
    span: Span


@dataclass(frozen=True)
class Binary:
    """`a + b`, and all other operators of two operands."""

    operator: str
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True)
class Argument:
    """`3` or `units=3`."""

    name: Name | None
    value: Expr
    span: Span


@dataclass(frozen=True)
class Entry:
    """`linear` or `linear(25, bias=none)`; in an expression always with parentheses."""

    name: Name
    arguments: tuple[Argument, ...]
    span: Span


Expr = Number | Text | Word | Listing | Negative | Binary | Entry


@dataclass(frozen=True)
class Node:
    """One element of a body: `hidden = linear(25)`, `repeat(3) { … }`."""

    name: Name | None
    entry: Entry
    bodies: tuple[Body, ...]
    span: Span


@dataclass(frozen=True)
class Body:
    """`{ … }`."""

    nodes: tuple[Node, ...]
    span: Span


@dataclass(frozen=True)
class Parameter:
    """A parameter of a `block` or a `def`."""

    name: Name
    default: Expr | None


@dataclass(frozen=True)
class ModelName:
    """`model disk`."""

    name: Name
    span: Span


@dataclass(frozen=True)
class Choices:
    """`in [8, 16]`."""

    items: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True)
class Range:
    """`in range(1, 2)` or `in log(0.01, 1)`."""

    scale: Literal["range", "log"]
    low: Expr
    high: Expr
    span: Span


@dataclass(frozen=True)
class Param:
    """`param width = 25 in [8, 25]`."""

    name: Name
    value: Expr
    domain: Choices | Range | None
    span: Span


@dataclass(frozen=True)
class Feature:
    """`input point: real[2]`."""

    role: Literal["input", "target"]
    name: Name
    dtype: Literal["real", "int"]
    shape: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True)
class Definition:
    """`def activation f(x, k=1.0) = expr`."""

    kind: Literal["activation", "loss", "schedule"]
    name: Name
    parameters: tuple[Parameter, ...]
    value: Expr
    span: Span


@dataclass(frozen=True)
class Block:
    """`block mlp(width) { … }`."""

    name: Name
    parameters: tuple[Parameter, ...]
    body: Body
    span: Span


@dataclass(frozen=True)
class Layers:
    """`layers { … }`."""

    body: Body
    span: Span


@dataclass(frozen=True)
class Clause:
    """`loss mse`, and so `optimizer`, `schedule`, `metric`, `data`."""

    kind: Literal["loss", "optimizer", "schedule", "metric", "data"]
    entry: Entry
    span: Span


@dataclass(frozen=True)
class Setting:
    """`train(…)`, `early_stopping(…)`; the entry's name is the statement word."""

    entry: Entry
    span: Span


@dataclass(frozen=True)
class Broken:
    """A statement with a syntax error: its word, and the name that it would define."""

    word: str
    name: str | None
    span: Span


Statement = (
    ModelName
    | Param
    | Feature
    | Definition
    | Block
    | Layers
    | Clause
    | Setting
    | Broken
)


@dataclass(frozen=True)
class Tree:
    """A whole spec."""

    source: Source
    statements: tuple[Statement, ...]
