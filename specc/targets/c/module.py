"""A model and its Programs -> everything that the templates of C print: a dataclass a topic.

The facts of the spec come from `python/`, what is kept from `memory/`, the statements from
`printing/`, the topics from `topics/`. Every leaf that is printed is Code.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from specc.derive.derived import Derived
from specc.emit.emit import UnsafeModule, emitted, tidy
from specc.emit.language import Language
from specc.emit.pieces import Code
from specc.emit.seal import sealed_c
from specc.emit.templates import rendered
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
from specc.targets.c.printing.formatting import formatted_c
from specc.targets.c.topics.binding import binding, bound_buffers, bound_methods
from specc.targets.c.topics.header import Header, header
from specc.targets.c.topics.passes import Passes, passes
from specc.targets.c.topics.run import Run, run
from specc.targets.c.topics.run_views import run_views
from specc.targets.c.topics.samples import (
    Samples,
    Standardize,
    samples,
    standardize,
)
from specc.targets.c.topics.schedule import Schedule, schedule
from specc.targets.c.topics.starts import Starts, starts
from specc.targets.c.topics.steps import (
    Calls,
    Figures,
    Mode,
    Steps,
    figures,
    mode,
    steps,
)
from specc.targets.numpy_words import NUMBERS_ALONE
from specc.targets.python.facts import Facts, facts
from specc.targets.python.figures import summary
from specc.targets.python.loop import loop, rated_by_length
from specc.targets.python.schedule import schedule as python_schedule

UNNUMBERED = "0" * 15 + "E"
"""What stands for the number of a compilation in the texts that it is made from."""


@dataclass(frozen=True)
class Source:
    """What the source and the header print."""

    C: Code
    c: Code
    file: Code
    compilation: Code
    facts: Facts
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


def written(
    model: Model, derived: Derived, target: Language, command: str, stem: str
) -> dict[str, str]:
    """Return a source, a header, and the Python module that binds them: ending -> text."""
    kept = memory(model, derived)
    source = source_of(model, derived, kept, facts(model, target, command), stem)
    texts = {
        ending: formatted_c(tidy(rendered(f"c/net{ending}.j2", vars(source))))
        for ending in (".c", ".h")
    }
    known = [*texts.values(), model.source.text, repr(model.overrides)]
    number = hashlib.sha256("\0".join(known).encode()).hexdigest()[:16].upper()
    source = replace(source, compilation=Code(number))
    module = topics(model, derived, target, kept, source)
    files = {".py": emitted("c/module.py.j2", module, target.imports)}
    for ending, text in texts.items():
        text = text.replace(UNNUMBERED, number)
        if not text.isascii():
            raise UnsafeModule(f"{stem}{ending} is not plain ASCII")
        files[ending] = sealed_c(text)
    return files


def topics(
    model: Model, derived: Derived, target: Language, kept: Memory, source: Source
) -> dict[str, object]:
    """Return the topics of the Python module."""
    return {
        "C": source.C,
        "c": source.c,
        "file": source.file,
        "compilation": source.compilation,
        "facts": source.facts,
        "loop": loop(model, target),
        "schedule": python_schedule(model, derived, NUMBERS_ALONE),
        "summary": summary(model, derived, NUMBERS_ALONE),
        "buffers": bound_buffers(model, kept),
        "methods": bound_methods(model, derived, kept),
        "run_views": run_views(kept, rated_by_length(model)),
        "binding": binding(model, derived, kept, source.file.text),
    }


def source_of(
    model: Model, derived: Derived, kept: Memory, says: Facts, stem: str
) -> Source:
    """Return what the source and the header print."""
    network, started = passes(model, derived, kept), starts(model, kept)
    calls = Calls(network.of_model)
    called = network.calls | started.calls
    called |= {"numbered"} if model.train.shuffle else set()
    return Source(
        C=Code(model.name.upper()),
        c=Code(model.name),
        file=Code(stem),
        compilation=Code(UNNUMBERED),
        facts=says,
        header=header(model, derived, kept, stem),
        declared=declarations(kept, model.name, rated_by_length(model)),
        passes=network.passes,
        kernels=kernels(called),
        schedule=schedule(model, derived),
        samples=samples(model, derived, kept),
        standardize=standardize(model),
        mode=mode(derived, kept),
        figures=figures(model, derived, kept, calls),
        steps=steps(model, derived, kept, calls),
        starts=started.starts,
        run=run(model, kept),
        activations=activations(called),
        panel=panel(kept.panel),
    )
