"""The pipeline, from the text of a spec to the text of a module.

net.spec -> parse -> syntax tree -> check -> Model -> lower -> Program
         -> differentiate -> passes -> print -> template -> black -> net.py
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.model.model import Model
from specc.syntax.diagnostics import Diagnostic, arranged
from specc.syntax.source import Source

if TYPE_CHECKING:
    from specc.derive.derived import Derived
    from specc.derive.lower import Lowered
    from specc.ir.program import Program
    from specc.ir.target import Target

STAGES = ("ast", "model", "ir", "grad", "opt", "code")
"""Where a compilation may stop, in order: `--emit`."""


@dataclass(frozen=True)
class Compilation:
    """The result of a compilation: the text of the stage asked for, or None after an error."""

    model: Model | None
    text: str | None
    diagnostics: tuple[Diagnostic, ...]
    beside: Mapping[str, str] = field(default_factory=dict)
    """Other files of the module: ending -> text."""


@dataclass(frozen=True)
class Request:
    """What a command asks of a compilation."""

    overrides: Mapping[str, str] = field(default_factory=dict)
    """The values of `-D name=value`."""
    target: str = "torch"
    stage: str = "code"
    """How far to compile: one of `STAGES`."""
    command: str = "specc compile"
    """The command that the module names as its origin."""
    stem: str | None = None
    """The name of files that refer to each other; None for that of the model."""


@dataclass(frozen=True)
class Stages:
    """A checked model in Programs: as lowered, differentiated, and after the passes."""

    lowered: Lowered
    derived: Derived
    target: Target

    @functools.cached_property
    def optimized(self) -> Derived:
        """The Programs of the module after all passes."""
        return optimized(self.derived, self.target)


def compile_source(source: Source, request: Request | None = None) -> Compilation:
    """Compile a spec, as far as the request asks."""
    from specc.targets.coverage import uncovered
    from specc.targets.registry import code_of, target_called

    request = request or Request()
    with _uncollected():
        model, diagnostics = analyse(source, request.overrides)
        if model is None:
            return Compilation(None, None, diagnostics)
        if request.stage in ("ast", "model"):
            text = _tree(source) if request.stage == "ast" else _shown(model)
            return Compilation(model, text, diagnostics)
        target = target_called(request.target)
        programs = stages(model, target)
        if request.stage in ("ir", "grad"):
            early = request.stage == "ir"
            of = programs.lowered if early else programs.derived
            return Compilation(model, _listed(of.programs), diagnostics)
        missing = uncovered(model, programs.derived, target)
        if missing:
            found = arranged((*diagnostics, *missing), source)
            return Compilation(None, None, found)
        optimized = programs.optimized
        if request.stage == "opt":
            return Compilation(model, _listed(optimized.programs), diagnostics)
        stem = request.stem or model.name
        files = code_of(model, optimized, target, request.command, stem)
        return Compilation(model, files.pop(".py"), diagnostics, files)


def analyse(
    source: Source, overrides: Mapping[str, str]
) -> tuple[Model | None, tuple[Diagnostic, ...]]:
    """Parse and check a spec; the Model is None exactly when a diagnostic is an error."""
    from specc.check.check import check
    from specc.syntax.parser import parse

    tree, syntax_errors = parse(source)
    if syntax_errors and not tree.statements:
        return None, arranged(syntax_errors, source)
    model, findings = check(tree, overrides)
    found = arranged((*syntax_errors, *findings), source)
    return None if syntax_errors else model, found


def stages(model: Model, target: Target) -> Stages:
    """Lower a checked model and differentiate it; the passes run when they are asked for."""
    from specc.derive.derive import derive
    from specc.derive.lower import lower

    lowered = lower(model)
    return Stages(lowered, derive(lowered, target), target)


def optimized(derived: Derived, target: Target) -> Derived:
    """Run the passes over every Program of a module."""
    from specc.passes.pipeline import optimize

    taken = {v.name for program in derived.programs for v in program.values}
    formulas, overwritten = derived.formulas, derived.overwritten

    def change(program: Program) -> Program:
        name, over = program.name, overwritten.get(program.name)
        return optimize(program, target, name in formulas, over, taken)

    return derived.map(change)


def _tree(source: Source) -> str:
    from specc.syntax.outline import outline
    from specc.syntax.parser import parse

    return outline(parse(source)[0])


def _listed(programs: Iterable[Program]) -> str:
    from specc.ir.listing import show

    return "\n".join(show(program) for program in programs)


def _shown(model: Model) -> str:
    lines = [f"model {model.name}"]
    lines += [f"    {name} = {value}" for name, value in model.constants]
    lines.append(f"    input {model.input.name}: {list(model.input.shape)}")
    for node in model.nodes:
        shapes = f"{list(node.input_shape)} -> {list(node.output_shape)}"
        lines.append(f"    {node.name}: {node.use}  # {shapes}, line {node.line}")
    clauses = [model.loss, model.optimizer, model.schedule, *model.metrics]
    lines += [f"    {clause.use.entry.kind} {clause.use}" for clause in clauses]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Suspend the garbage collector: a compilation makes few cycles.

    Collecting takes a fifth of the time of a large network.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
