"""The derivatives of definitions, as a person writes them."""

from __future__ import annotations

from pathlib import Path

from specc.calculus.notation import mathematics
from specc.calculus.slope import slope_of
from specc.check.arguments.definitions import formula, known_defaults
from specc.ir import formulas
from specc.syntax.parser import parse
from specc.syntax.source import Source
from specc.syntax.tree import Definition as Written
from tests.cases.definitions import DEFINITIONS, spec_of
from tests.cases.goldens import Goldens

SLOPES = Path(__file__).parent / "definitions.expected"
BY_GRADIENT = [name for name, d in DEFINITIONS.items() if d.kind != "schedule"]


def test_what_is_derived_reads_as_a_person_writes_it(goldens: Goldens) -> None:
    """Each definition with what is kept of it and its derivative, in a file to be read."""
    lines = []
    for name in BY_GRADIENT:
        definition = DEFINITIONS[name]
        [written] = [
            s
            for s in parse(Source("net.spec", spec_of(definition)))[0].statements
            if isinstance(s, Written)
        ]
        operands = ["x"] if definition.kind == "activation" else ["p", "t"]
        defaults = known_defaults(written.parameters, {})
        assert defaults is not None
        leaves = {
            p.name.text: formulas.scalar(o)
            for p, o in zip(written.parameters, operands, strict=False)
        }
        body = formula(written.value, leaves, defaults)
        made = slope_of(body, operands[0], keep=definition.kind == "activation")
        lines.append(definition.text.removeprefix("def "))
        lines += [f"    {k} = {mathematics(v)}" for k, v in made.kept]
        lines += [
            f"    y = {mathematics(made.body)}",
            f"    dy = {mathematics(made.slope)}",
        ]
        lines.append("")
    goldens.compare(SLOPES, "\n".join(lines))
