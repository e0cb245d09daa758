"""The pipeline, from the text of a spec to the text of a module.

net.spec -> parse -> syntax tree -> check -> Model -> lower -> Program
         -> differentiate -> passes -> print -> template -> black -> net.py
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.model.model import Model
from specc.syntax.diagnostics import Diagnostic, arranged
from specc.syntax.source import Source

if TYPE_CHECKING:
    from specc.derive.derive import Derived
    from specc.ir.ir import Program
    from specc.ir.target import Target

STAGES = ("ast", "model", "ir", "grad", "opt", "code")
TARGETS = ("torch", "numpy", "c")
"""The names of the targets; the first is the default."""


def target_called(name: str) -> Target:
    """Give the target of a name in `TARGETS`."""
    from specc.targets.c.operations import C
    from specc.targets.numpy.operations import NUMPY
    from specc.targets.torch.operations import TORCH

    return {target.name: target for target in (TORCH, NUMPY, C)}[name]


@dataclass(frozen=True)
class Compilation:
    """What a compilation gives: the text of the stage asked for, or None where errors stop it."""

    model: Model | None
    text: str | None
    diagnostics: tuple[Diagnostic, ...]
    beside: Mapping[str, str] = field(default_factory=dict)
    """Other files of the module: ending -> text."""


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


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Put off the search for cycles among objects, of which a compilation makes few.

    It takes a fifth of the time of a large network, as there are ever more objects.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@uncollected()
def compile_source(
    source: Source,
    overrides: Mapping[str, str],
    target: str = "torch",
    stage: str = "code",
    command: str = "specc compile",
    stem: str | None = None,
) -> Compilation:
    """Compile a spec for `target`, as far as `stage` (one of `STAGES`).

    `command` is what the module names as its origin; `place.recorded_command` makes it. Files
    that name each other are called `stem`, or like the model.
    """
    model, diagnostics = analyse(source, overrides)
    if model is None:
        return Compilation(None, None, diagnostics)
    if stage == "ast":
        from specc.ir.listing import outline
        from specc.syntax.parser import parse

        return Compilation(model, outline(parse(source)[0]), diagnostics)
    if stage not in ("opt", "code"):
        return Compilation(model, text_of(model, target, stage), diagnostics)
    language = target_called(target)
    derived, missing = derivation(model, language)
    if missing:
        return Compilation(None, None, arranged((*diagnostics, *missing), source))
    derived = optimize(derived, language)
    if stage == "opt":
        return Compilation(model, _listed(derived.programs), diagnostics)
    files = code_of(model, derived, language, command, stem or model.name)
    return Compilation(model, files.pop(".py"), diagnostics, files)


def derivation(model: Model, target: Target) -> tuple[Derived, list[Diagnostic]]:
    """Derive what a checked model computes; say what of it a target cannot write."""
    from specc.derive.derive import derive
    from specc.derive.lower import lower
    from specc.targets.coverage import uncovered

    derived = derive(lower(model), target)
    every = [target_called(name) for name in TARGETS]
    return derived, uncovered(model, derived, target, every)


def text_of(model: Model, target: str, stage: str) -> str:
    """Show a checked model, or its programs before the passes."""
    from specc.derive.derive import derive
    from specc.derive.lower import lower

    if stage == "model":
        return _shown(model)
    lowered = lower(model)
    if stage == "ir":
        return _listed(lowered.programs)
    return _listed(derive(lowered, target_called(target)).programs)


def code_of(
    model: Model, derived: Derived, target: Target, command: str, stem: str
) -> dict[str, str]:
    """Give the files of a module, of optimized programs: ending -> text."""
    from specc.targets.registry import written

    return written(model, derived, target, command, stem)


def optimize(derived: Derived, target: Target) -> Derived:
    """Run the passes, each verified, in an order of which every step has its reason."""
    from specc.ir.ir import nameless, verify
    from specc.passes.buffers import OVERWRITING, buffers
    from specc.passes.copies import copies
    from specc.passes.expand import expand
    from specc.passes.fuse import fuse
    from specc.passes.share import share
    from specc.passes.simplify import simplify

    primitive = target.primitive
    formulas = derived.formulas
    overwritten = derived.overwritten
    sharing = OVERWRITING if target.workspace else frozenset()

    def formula(program: Program) -> Program:
        return nameless(program) if program.name in formulas else program

    taken = {v.name for program in derived.programs for v in program.values}

    def moved(program: Program) -> Program:
        return copies(program, taken) if target.copies else program

    def placed(program: Program) -> Program:
        return buffers(program, overwritten.get(program.name), sharing)

    passes = (
        ("simplify", simplify),  # folds the loss's gradient 1, which hides patterns
        ("expand", lambda program: expand(program, primitive)),  # to what can be shared
        ("formulas", formula),  # before buffers, which go to what has a name
        ("share", share),  # before fusion, which would make equal things different
        ("fuse", lambda program: fuse(program, primitive)),  # sees each once
        ("simplify", simplify),  # what fusion and expansion left behind
        ("copies", moved),  # before buffers, which give each an array
        ("buffers", placed),  # knows every statement
    )

    def run(program: Program) -> Program:
        for name, change in passes:
            changed = change(program)
            program = program if changed is program else verify(changed, name)
        return program

    return derived.map(run)


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
