"""The first derivative of a module that is wrong, in the order of the backward pass, with its line.

Takes a Subject and the text of its module; returns a sentence, "" if no derivative is found that
disagrees. The arrays of a Python module are looked at after each derivation, while it runs, and
compared with the derivatives that autograd keeps for every layer. Of a C module only the gradients
of parameters are seen; a layer whose gradients are all wrong has a wrong dL/d(its output).
Invariant: what is named is the first derivation whose result autograd does not have.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specc.derive.network import identifier
from specc.model.model import Model
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.examine.derivations import Derivation, derivations
from specc.verify.examine.watch import Arrays, Watch
from specc.verify.reference.network import Reference

NEAR = 1e-7
"""The largest relative error of a derivative that is right, rounding included."""


@dataclass(frozen=True)
class Fault:
    """A derivative that disagrees."""

    name: str
    """As in the module: `dL/dlinear3`, `dL/dW` of a layer."""
    error: float
    line: int
    last: int
    """The first and the last line of the derivation, 0 if it has none of its own."""
    file: str

    def __str__(self) -> str:
        where = f"in {self.file}"
        if self.line:
            several = self.last > self.line
            where = f"at line{'s' * several} {self.line}{f'-{self.last}' * several} of"
            where += f" {self.file}"
        return (
            f"{self.name} {where}: relative error {self.error:.2g};"
            " every derivative before it agrees"
        )


def first_fault(subject: Subject, place: Path) -> Fault | None:
    """Return the first derivative that disagrees with autograd, None if none is found.

    `place` is the module's Python file; a C module's source lies beside it.
    """
    source = place if subject.target != "c" else place.with_suffix(".c")
    try:
        steps = derivations(source.read_text())
    except OSError:
        return None
    state = subject.state()
    x, y = subject.drawn(min(subject.samples, subject.most, 5))
    reference = subject.reference(state)
    expected = _expected(reference, x, y)
    net = subject.net(state)
    if subject.target == "c":
        _, gradients = net.loss_and_gradients(x, y, input_gradient=True)
        return _by_gradients(subject.model, gradients, expected, steps, source.name)
    watch = Watch(place.absolute(), steps)
    before = sys.gettrace()
    sys.settrace(watch.called)
    try:
        net.loss_and_gradients(x, y, input_gradient=True)
    finally:
        sys.settrace(before)
    return _by_arrays(watch.made, expected, source.name)


def _expected(reference: Reference, x: Tensor, y: Tensor) -> Arrays:
    """Return autograd's dL/d(output of every layer, input and parameter), by module names."""
    reference.train(False)
    x = x.clone().requires_grad_()
    made: list[Tensor] = []
    given = [x]
    for node, layer in zip(reference.model.nodes, reference.layers, strict=True):
        given = [made[i] if i >= 0 else x for i in node.inputs]
        made.append(layer(*given))
        if made[-1].requires_grad:
            made[-1].retain_grad()
    reference.zero_grad()
    torch.autograd.backward(reference.compared((given[-1], made[-1]), y))
    found = {
        identifier(node.name): value.grad
        for node, value in zip(reference.model.nodes, made, strict=True)
    }
    found[reference.model.input.name] = x.grad
    found |= {identifier(name): p.grad for name, p in reference.named.items()}
    return {name: g.detach() for name, g in found.items() if g is not None}


def _by_arrays(
    made: Sequence[tuple[Derivation, Arrays]], expected: Arrays, file: str
) -> Fault | None:
    """Return the first derivation none of whose arrays is the expected one."""
    for step, arrays in made:
        of, right = _of(step, expected)
        if right is None:
            continue
        errors = [e for a in arrays.values() if (e := _apart(a, right)) is not None]
        if errors and min(errors) > NEAR:
            return Fault(of, min(errors), step.line, step.last, file)
    return None


def _of(step: Derivation, expected: Arrays) -> tuple[str, Tensor | None]:
    """Return the name of what a derivation computes, and what it should be."""
    layer = step.layer
    if step.left in ("dL/dW", "dL/db", "dL/d[W b]"):
        weight, bias = (expected.get(f"{layer}_{s}") for s in ("weight", "bias"))
        name = f"{step.left} of {layer}"
        if step.left == "dL/dW":
            return name, weight
        if step.left == "dL/db":
            return name, bias
        if weight is None or bias is None:
            return name, None
        return name, torch.cat([weight, bias[:, None]], 1)
    return step.left, expected.get(step.left.removeprefix("dL/d"))


def _apart(array: Tensor, right: Tensor) -> float | None:
    """Return the relative error of an array in either layout, None if the sizes differ."""
    array = array.double()
    if array.numel() != right.numel():
        return None
    rows = (
        right.double().reshape(-1, right.shape[-1]) if right.dim() else right.double()
    )
    flat = array.reshape(-1)
    scale = max(float(rows.abs().max()), 1e-300)
    layouts = (rows, rows.T) if rows.dim() == 2 else (rows,)
    worst = (float((flat - r.reshape(-1)).abs().max()) / scale for r in layouts)
    return min(float("inf") if e != e else e for e in worst)


def _by_gradients(
    model: Model,
    gradients: Mapping[str, Tensor],
    expected: Arrays,
    steps: Sequence[Derivation],
    file: str,
) -> Fault | None:
    """Return what the gradients of parameters show, from the last layer to the first."""
    for node in reversed(model.nodes):
        layer = identifier(node.name)
        errors = {}
        for short in node.parameters:
            right = expected.get(f"{layer}_{short}")
            error = None
            if right is not None:
                error = _apart(gradients[f"{node.name}.{short}"], right)
            errors[short] = error or 0.0
        wrong = {short: error for short, error in errors.items() if error > NEAR}
        if not wrong:
            continue
        if len(wrong) == len(errors):
            left, error = f"dL/d{layer}", max(wrong.values())
            return Fault(left, error, *_lines(steps, left, ""), file)
        (short, error), *_ = wrong.items()
        left = {"weight": "dL/dW", "bias": "dL/db"}.get(short, f"dL/d{layer}_{short}")
        lines = _lines(steps, left, layer)
        if lines == (0, 0):
            lines = _lines(steps, "dL/d[W b]", layer)
        return Fault(f"{left} of {layer}", error, *lines, file)
    name = model.input.name
    error = _apart(gradients[name], expected[name]) if name in expected else None
    if error is not None and error > NEAR:
        return Fault(f"dL/d{name}", error, *_lines(steps, f"dL/d{name}", ""), file)
    return None


def _lines(steps: Sequence[Derivation], left: str, layer: str) -> tuple[int, int]:
    """Return the lines of a derivation, 0 if it has none of its own."""
    found = (s for s in steps if s.left == left and layer in ("", s.layer))
    return next(((s.line, s.last) for s in found), (0, 0))
