"""The parts of a spec, before they are joined to a Model.

`check` fills them in order of the file, `link` makes a Model of them. Invariant: a missing part is
missing in the spec or already reported as an error.
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
    """A statement with one entry, bound."""

    bound: Bound
    span: Span
    """The place of the entry."""


@dataclass
class Parts:
    """The parts of a spec, collected statement by statement."""

    tree: syntax.Tree
    overrides: Mapping[str, str]
    report: Report
    names: dict[str, Value] = field(default_factory=dict)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    defined: dict[str, str] = field(default_factory=dict)
    """The owner of each name: "the param `width`"."""
    first: dict[str, Span] = field(default_factory=dict)
    """The place of each statement that can be given once, also of broken ones."""
    name: str = ""
    """The name of the model."""
    features: dict[str, Feature] = field(default_factory=dict)
    layers: Group | None = None
    clauses: dict[str, Bounded] = field(default_factory=dict)
    metrics: list[Bounded] = field(default_factory=list)
    metrics_known: bool = True
    faults: int = 0
    """The number of errors so far."""
