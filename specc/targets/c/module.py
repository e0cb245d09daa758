"""A model and its Programs -> everything that the templates of C print: a dataclass a topic.

The facts of the spec come from `python/`, what is kept from `memory/`, the statements from
`printing/`, the topics from `topics/`. Every leaf that is printed is Code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from specc.derive.derive import Derived
from specc.emit.pieces import Code
from specc.model.model import Model
from specc.targets.c.kernels import (
    Activations,
    Kernels,
    Panel,
    activations,
    kernels,
    panel,
)
from specc.targets.c.memory.declarations import Declarations, declarations
from specc.targets.c.memory.sizes import Memory, memory
from specc.targets.c.topics.binding import binding_view
from specc.targets.c.topics.header import Header, header
from specc.targets.c.topics.passes import Passes, passes
from specc.targets.c.topics.run import Run, run
from specc.targets.c.topics.samples import (
    Samples,
    Standardize,
    samples,
    standardize,
)
from specc.targets.c.topics.schedule import Schedule, schedule
from specc.targets.c.topics.starts import Starts, starts
from specc.targets.c.topics.state import c_state_view
from specc.targets.c.topics.steps import Figures, Mode, Steps, figures, mode, steps


@dataclass(frozen=True)
class Source:
    """What the source and the header print."""

    C: Code
    c: Code
    file: Code
    header: Header
    declared: Declarations
    passes: Passes
    kernels: Kernels
    schedule: Schedule
    samples: Samples
    standardize: Standardize | None
    mode: Mode
    figures: Figures
    steps: Steps
    starts: Starts
    run: Run
    activations: Activations
    panel: Panel


def c_view(
    model: Model, derived: Derived, facts: dict[str, Any], stem: str
) -> dict[str, Any]:
    """Give the view; `facts` are those of the spec, `stem` is what the files are called."""
    kept = memory(model, derived)
    view = facts | binding_view(model, derived, kept, stem)
    view |= c_state_view(model, derived, kept)
    return view | vars(source_of(model, derived, kept, stem))


def source_of(model: Model, derived: Derived, kept: Memory, stem: str) -> Source:
    """Give what the source and the header print."""
    network, started = passes(model, derived, kept), starts(model, kept)
    called = network.calls | started.calls
    called |= {"numbered"} if model.train.shuffle else set()
    rate = schedule(model, derived)
    return Source(
        C=Code(model.name.upper()),
        c=Code(model.name),
        file=Code(stem),
        header=header(model, derived, kept, stem),
        declared=declarations(kept, model.name),
        passes=network.passes,
        kernels=kernels(called),
        schedule=rate,
        samples=samples(model, derived, kept),
        standardize=standardize(model),
        mode=mode(derived, kept),
        figures=figures(model, derived, kept),
        steps=steps(model, derived, kept),
        starts=started.starts,
        run=run(model, kept, rate.plateau),
        activations=activations(called),
        panel=panel(kept.panel),
    )
