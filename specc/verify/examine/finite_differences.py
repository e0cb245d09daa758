"""The check of gradients by finite differences of the emitted loss.

Takes a Subject and yields findings, for parameters and the input. Everything is float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from specc.verify.compare.finding import Finding, place_in
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.differences import slope

MEASURED = 1e-6
"""The bound of the error of a derivative."""
LEAST = 1e-3
"""Smaller derivatives are compared relative to this part of the largest."""
ROUNDED = 1e-5
"""Derivatives are also compared relative to this part of the loss, whose differences have no more
digits."""
PLACES = 24
"""How many numbers of a parameter are moved one by one."""
DIRECTIONS = 6
"""Along how many random directions a larger parameter is moved."""


def finite_differences(subject: Subject) -> Iterator[Finding]:
    """Compare gradients with finite differences of the emitted loss, which use no derivative."""
    for training in subject.modes:
        yield from _differences(subject, training)


def _differences(subject: Subject, training: bool) -> Iterator[Finding]:
    net = subject.net(subject.state())
    x, y = (
        part.clone() for part in subject.drawn(min(subject.samples, subject.most, 8))
    )
    asked = {"training": True} if training else {}
    _, gradients = net.loss_and_gradients(x, y, input_gradient=True, **asked)
    moved = {**net.parameters, subject.model.input.name: x}
    scale = max(float(g.abs().max()) for g in gradients.values())
    floor = max(LEAST * scale, ROUNDED * abs(float(net.loss(x, y, **asked))), 1e-12)
    draw = torch.Generator().manual_seed(subject.seed)

    def loss() -> float:
        return float(net.loss(x, y, **asked))

    for name, numbers in moved.items():
        yield _one_by_one(loss, name, numbers, gradients[name], floor, draw)


def _one_by_one(
    loss: Callable[[], float],
    name: str,
    numbers: Tensor,
    gradient: Tensor,
    floor: float,
    draw: torch.Generator,
) -> Finding:
    """Move some numbers of an array one by one, and all of them along random directions."""
    places = torch.randperm(numbers.numel(), generator=draw)[:PLACES].tolist()
    worst = Finding("finite-differences", name, 0.0, MEASURED)
    skipped = 0
    directions: list[tuple[Tensor, str]] = []
    for place in places:
        direction = torch.zeros(numbers.numel(), dtype=torch.float64)
        direction[place] = 1.0
        at = f"at {place_in(place, numbers.shape)}"
        directions.append((direction.reshape(numbers.shape), at))
    for _ in range(DIRECTIONS if numbers.numel() > PLACES else 0):
        signs = torch.randint(0, 2, numbers.shape, generator=draw).double() * 2 - 1
        length = math.sqrt(numbers.numel())
        directions.append((signs / length, "along a random direction"))
    for direction, at in directions:
        expected = slope(loss, numbers, direction, floor)
        if expected is None:
            skipped += 1
            continue
        found = float((gradient * direction).sum())
        error = abs(found - expected) / max(abs(expected), floor)
        if not error <= worst.error:
            where = f"{at}: {found:.6g}, expected {expected:.6g}"
            worst = Finding("finite-differences", name, error, MEASURED, where)
    said = f"{skipped} of {len(directions)} at a kink, left out" if skipped else ""
    if directions and skipped == len(directions):
        return Finding(
            "finite-differences",
            name,
            0.0,
            MEASURED,
            said="all of it at kinks, left out",
        )
    return Finding(worst.check, worst.what, worst.error, worst.bound, worst.where, said)
