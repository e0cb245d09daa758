"""The checks of initialization, schedule and optimizer.

Each takes a Subject and yields findings. Everything is float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from specc.verify.compare.finding import Finding, compared, near, number
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import torch
from specc.verify.reference.round_off import AMPLIFIED, CHAOS, DRIFT, SHAKEN, Twin, off
from specc.verify.reference.starts import starts
from specc.verify.reference.training import optimizer_of, rate, state_of, step

EXACT = 1e-12
STEPS = 20
RATES = 300
"""The number of epochs or updates whose rates are compared."""


def initialization(subject: Subject) -> Iterator[Finding]:
    """Compare the parameters of a seed with the initializers' definitions."""
    for seed in (0, 1):
        net = subject.net(seed=seed)
        drawn = starts(subject.model, seed)
        expected = {name: torch.from_numpy(value) for name, value in drawn.items()}
        found = dict(net.parameters)
        yield from compared("initialization", found, expected, EXACT, f"seed {seed}")
    for name, buffer in subject.model.buffers.items():
        first = torch.full(buffer.shape, buffer.start, dtype=torch.float64)
        found = {name: net.state_dict()[name]}
        yield from compared("initialization", found, {name: first}, EXACT)


def schedule(subject: Subject) -> Iterator[Finding]:
    """Compare the schedule with its closed form, for each epoch or each update."""
    model, module = subject.model, subject.module
    epochs = model.train.epochs
    if model.schedule.use["per"] == "step":
        for count in (1, model.train.batch_size + 1, 3 * model.train.batch_size):
            whole, rest = divmod(count, model.train.batch_size)
            updates = whole + (rest > 0 and not model.train.drop_last)
            total = epochs * updates
            several = range(0, min(epochs, max(1, RATES // max(updates, 1))))
            found = [r for e in several for r in module.learning_rates(e, count)]
            expected = [rate(model, t, total) for t in range(len(found))]
            said = f"{len(found)} updates, {updates} an epoch"
            yield _list("schedule", "rate", found, expected, said)
            if len(found) != len(several) * updates:
                where = f"{len(found)} rates for {len(several) * updates} updates"
                yield Finding("schedule", "count", math.inf, EXACT, where)
        return
    times = range(min(epochs + 2, RATES))
    found = [module.learning_rate(t) for t in times]
    said = f"t = 0 to {len(found) - 1}"
    yield _list(
        "schedule", "rate", found, [rate(model, t, epochs) for t in times], said
    )


def _list(
    check: str, what: str, found: list[float], expected: list[float], said: str
) -> Finding:
    a, b = (torch.tensor(values, dtype=torch.float64) for values in (found, expected))
    return compared(check, {what: a}, {what: b}, 1e-10, said)[0]


def optimizer(subject: Subject) -> Iterator[Finding]:
    """Compare twenty steps with torch.optim, in batches of every size from one on."""
    model = subject.model
    for factor in (1.0, 0.1, 0.01, 1e-3, 1e-4):
        for draw in range(len(SHAKEN)):
            found = list(_updates(subject, factor, draw))
            if not found or all(each.ok for each in found):
                break
        if found:
            yield from found
            return
    why = "the reference diverges even at 1/10,000 of the rate"
    yield Finding("optimizer", model.optimizer.use.entry.name, math.nan, DRIFT, why)


def _updates(subject: Subject, factor: float, draw: int) -> Iterator[Finding]:
    """Yield findings, or nothing if the reference diverges at `factor` of the rate.

    `draw` is the entry of `SHAKEN` for the second run of the reference.
    """
    model = subject.model
    state = subject.state()
    least, noise = SHAKEN[draw]
    moved = off(state, subject.seed + draw, least)
    twin = Twin(subject.reference(state), subject.reference(moved))
    optimizers = [
        optimizer_of(model, list(each.parameters()))
        for each in (twin.exact, twin.other)
    ]
    net = subject.net(state, seed=1)
    counts = _counts(subject)
    made: list[Finding] = []
    said = f"{STEPS} steps" + (f" at {factor:g} of the rate" if factor != 1 else "")
    total = model.train.epochs
    for t, count in enumerate(counts):
        x, y = subject.drawn(count, seed=t)
        lr = factor * rate(model, t, max(total, STEPS))
        losses = []
        for each, optimizer in zip((twin.exact, twin.other), optimizers, strict=True):
            each.draw(net.seed, t, count)
            shake = noise if each is twin.other else 0.0
            losses.append(float(step(each, optimizer, x, y, lr, shake, draw)[0]))
        largest = max(float(v.abs().max()) for v in state_of(twin.exact).values())
        if twin.apart > CHAOS or not largest < 1e6:
            return
        bound = DRIFT + AMPLIFIED * twin.apart
        loss = float(net.train_step(x, y, lr))
        scale = AMPLIFIED * abs(losses[0] - losses[1]) / max(abs(losses[0]), 1e-300)
        made.append(number("optimizer", "loss", loss, losses[0], bound + scale, said))
        expected = state_of(twin.exact)
        whole = net.state_dict()
        made += [
            near("optimizer", name, whole[name], expected[name], bound, said)
            for name in expected
        ]
    yield from made


def _counts(subject: Subject) -> list[int]:
    """Return the batch size of each step; the last ones of C exceed its workspace."""
    least = 1 if subject.model.moves_on_one else 2
    sizes = min(subject.samples, 9, subject.most + 1 - least)
    counts = [least + (5 * t) % sizes for t in range(STEPS)]
    if subject.target == "c" and subject.in_parts:
        counts[-3:] = [subject.most + 3, 1, 2 * subject.most + 1]
    return counts
