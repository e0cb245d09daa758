"""What the statements of a file say one by one, before they are joined.

`check` fills it in order of the file, `link` makes a Model of it. Invariant: what is
missing here is missing in the spec or told as an error already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from specc.check.arguments.bind import Bound
from specc.check.arguments.constants import Value
from specc.check.arguments.match import Report
from specc.check.groups import Group, Vocabulary
from specc.model.model import Feature
from specc.syntax import tree as syntax
from specc.syntax.source import Span


@dataclass(frozen=True)
class Bounded:
    """A statement of one entry, bound."""

    bound: Bound
    span: Span
    """Of the entry."""


@dataclass
class Parts:
    """What the statements of a file say one by one."""

    tree: syntax.Tree
    overrides: Mapping[str, str]
    report: Report
    names: dict[str, Value] = field(default_factory=dict)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    defined: dict[str, str] = field(default_factory=dict)
    """What has each name: "the param `width`"."""
    first: dict[str, Span] = field(default_factory=dict)
    """Where each statement that may stand once does, those with a syntax error too."""
    name: str = ""
    """The model's."""
    features: dict[str, Feature] = field(default_factory=dict)
    layers: Group | None = None
    clauses: dict[str, Bounded] = field(default_factory=dict)
    metrics: list[Bounded] = field(default_factory=list)
    metrics_known: bool = True
    faults: int = 0
    """How many errors were found so far."""
