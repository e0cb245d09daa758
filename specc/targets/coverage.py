"""Whether a target can write all that a spec computes.

Takes a checked Model and the Programs derived from it, gives a finding for each layer or clause
that needs an operation which the target has neither a line for nor can be made of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specc.derive.derived import Derived
from specc.derive.network import identifier
from specc.emit.language import Language, Text
from specc.ir.program import Program
from specc.ir.value import OPS, Value, of_arrays
from specc.model.model import Model
from specc.passes.simplify import simplify
from specc.syntax.diagnostics import Diagnostic, error, quoted
from specc.syntax.source import Span
from specc.targets.registry import TARGETS, target_called


def uncovered(model: Model, derived: Derived, target: Language) -> list[Diagnostic]:
    """Report what `target` cannot write."""
    found: dict[tuple[str, bool, Span], None] = {}
    for program in derived.programs:
        for value in simplify(program).values:
            for op, arrays in _lacking(value, target):
                found[op, arrays, _place(value, program, model, derived)] = None
    return [_finding(*lack, target) for lack in found]


def _finding(op: str, arrays: bool, span: Span, target: Language) -> Diagnostic:
    targets = (target_called(name) for name in TARGETS)
    message = f"the target {quoted(target.name)} has no {quoted(op)}"
    able = [quoted(other.name) for other in targets if op in _table(other, arrays)]
    note = f"targets that have it: {', '.join(able)}" if able else "no target has it"
    return error("E038", message, span, "needs it", note)


def _table(target: Language, arrays: bool) -> Mapping[str, Text]:
    return target.tensor if arrays else target.scalar


def _lacking(value: Value, target: Language) -> Iterator[tuple[str, bool]]:
    """Name the operations that a Value comes down to and the target has no line for.

    With each goes whether it would be one of arrays.
    """
    table = _table(target, of_arrays(value))
    if value.op in table or value.op in ("input", "const", "count"):
        return
    expansion = OPS[value.op].expansion
    if expansion is None or value.op in target.primitive:
        yield value.op, of_arrays(value)
        return
    known = set(value.args)
    waiting = [expansion(*value.args, **dict(value.attrs))]
    while waiting:
        part = waiting.pop()
        if part not in known:
            known.add(part)
            waiting += part.args
            yield from _lacking(part, target)


def _place(value: Value, program: Program, model: Model, derived: Derived) -> Span:
    """Find the layer or the clause that a Value was made for."""
    if value.origins:
        layers = {identifier(node.name): node.span for node in model.nodes}
        return layers[value.origins[0].layer]
    clauses = {each.program.name: each.clause for each in derived.metrics}
    clauses |= {each.program.name: each.clause for each in derived.summaries}
    clauses |= {"update": model.optimizer, "learning_rate": model.schedule}
    span = clauses.get(program.name, model.loss).span
    return span or model.loss.span or model.nodes[-1].span
