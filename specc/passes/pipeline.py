"""The passes, in an order that each step explains.

Takes a Program and what its target chooses; returns one with the same meaning, ready to print.
Invariant: every pass leaves a Program that `verify` accepts.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from specc.ir.program import Program, verify
from specc.ir.rewrite import nameless
from specc.ir.target import Target
from specc.passes.buffers import buffers
from specc.passes.copies import copies
from specc.passes.expand import expand
from specc.passes.fuse import fuse
from specc.passes.share import share
from specc.passes.simplify import simplify


def optimize(
    program: Program,
    target: Target,
    is_formula: bool = False,
    overwritten: Mapping[str, str] | None = None,
    taken: Set[str] = frozenset(),
) -> Program:
    """Run the passes over one Program.

    With `is_formula`, the Program becomes one expression in its arguments. `overwritten` maps a
    result to the argument that it is written over. `taken` are the names of all Values of the
    module, which no copy may have.
    """
    primitive = target.primitive

    def formula(program: Program) -> Program:
        return nameless(program) if is_formula else program

    def moved(program: Program) -> Program:
        return copies(program, taken) if target.copies else program

    def placed(program: Program) -> Program:
        return buffers(program, overwritten, in_place=target.workspace)

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
    for name, change in passes:
        changed = change(program)
        program = program if changed is program else verify(changed, name)
    return program
