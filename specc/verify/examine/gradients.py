"""The checks of one batch: prediction, loss and gradients, at kinks and for large numbers too.

Each takes a Subject and yields findings. Everything is float64.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from specc.library.streams import uniform
from specc.syntax import tree
from specc.verify.compare.expansions import mechanical
from specc.verify.compare.finding import Finding, compared, number
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import MissingTorch, Tensor, torch
from specc.verify.reference.formulas import definitions, numbers_in
from specc.verify.reference.interpreter import Array
from specc.verify.reference.network import Reference
from specc.verify.reference.round_off import AMPLIFIED, CHAOS, off
from specc.verify.reference.training import state_of

EXACT = 1e-9
"""The bound of the error between exact derivatives; stacked norms need 5e-10."""
NEARBY = 4
"""The number of perturbed starts; the one with the largest effect sets the tolerance."""
CANCELLED = 1e-3
"""The largest distance of autograd and the rederivation at which digits are left to compare."""
SHORT = 7
KINKS = (-3.0, -1.0, 0.0, 1.0, 3.0)
"""The kinks of the activations of the library."""


def autograd(subject: Subject) -> Iterator[Finding]:
    """Compare with autograd on the same network in torch.nn, in prediction and in training."""
    state = subject.state()
    net = subject.net(state)  # shared, so that its buffers were used before
    for count, training in itertools.product(_sizes(subject), subject.modes):
        if training and not _moves(subject, count):
            continue
        count = min(count, subject.most) if training else count
        x, y = subject.drawn(count)
        reference = subject.reference(state)
        yield from against(subject, net, reference, x, y, training, "autograd")


def against(
    subject: Subject,
    net: Any,
    reference: Reference,
    x: Tensor,
    y: Tensor,
    training: bool,
    check: str,
    known: bool = True,
) -> Iterator[Finding]:
    """Compare predictions, loss and gradients of a batch with those of autograd.

    If the loss is not `known` to be finite, a batch without a finite loss is skipped.
    """
    asked = {"training": True} if training else {}
    said = f"batch of {len(x)}{', in training' if training else ''}"
    reference.draw(net.seed, 0, len(x))
    truth = reference.truth(x, y, training)
    if not math.isfinite(truth.loss):
        if not known:
            return  # the function of the spec is undefined there
        why = "the loss is not finite on random samples: nothing can be compared"
        yield Finding(check, "loss", math.nan, EXACT, why, said)
        return
    loss, gradients = net.loss_and_gradients(x, y, input_gradient=True, **asked)
    yield number(check, "loss", loss, truth.loss, EXACT, said)
    yield number(check, "loss", net.loss(x, y, **asked), truth.loss, EXACT, said)
    if not training:
        predictions = {"prediction": truth.prediction}
        for predicted in (net.forward(x), net.predict(x)):
            given = {"prediction": predicted}
            yield from compared(check, given, predictions, EXACT, said)
    found = compared(check, gradients, truth.gradients, EXACT, said)
    if not all(finding.ok for finding in found):
        others = []
        for state, moved in _nearby(state_of(reference), x, subject.seed):
            near = subject.reference(state)
            near.draw(net.seed, 0, len(x))
            others.append(near.truth(moved, y, training).gradients)
        found = _with_roundings(check, gradients, truth.gradients, others, said)
    if not all(finding.ok for finding in found):
        arrays = {n: value.numpy() for n, value in state_of(reference).items()}
        masks = _masks(subject, net.seed, len(x)) if training else None
        other = _expanded(subject, arrays, x, y, masks)[1]
        found = _where_cancelled(found, gradients, truth.gradients, other, said)
    yield from found
    extra = gradients.keys() - truth.gradients.keys()
    for name in sorted(extra):
        yield Finding(check, name, math.inf, EXACT, "torch has no such gradient", said)


def _sizes(subject: Subject) -> tuple[int, ...]:
    """Return the batch sizes: whole, short, one, larger, and whole again with used buffers."""
    return (subject.samples, SHORT, 1, subject.samples + 3, subject.samples)


def _moves(subject: Subject, count: int) -> bool:
    """True if torch trains on so many samples: batch_norm needs two numbers for each feature."""
    return count > 1 or subject.model.moves_on_one


def rederivation(subject: Subject) -> Iterator[Finding]:
    """Compare with a second derivation, in which every composite is expanded first."""
    state = subject.state()
    arrays = {name: value.numpy() for name, value in state.items()}
    for training in subject.modes:
        net = subject.net(state)
        x, y = subject.drawn(min(subject.samples, subject.most, 8))
        masks = _masks(subject, net.seed, len(x)) if training else None
        asked = {"training": True} if training else {}
        loss, gradients = net.loss_and_gradients(x, y, input_gradient=True, **asked)
        made, expected = _expanded(subject, arrays, x, y, masks)
        said = "in training" if training else ""
        yield number("rederivation", "loss", loss, made, EXACT, said)
        found = compared("rederivation", gradients, expected, EXACT, said)
        if not all(finding.ok for finding in found):
            others = []
            for near, x_near in _nearby(state, x, subject.seed):
                moved = {name: value.numpy() for name, value in near.items()}
                others.append(_expanded(subject, moved, x_near, y, masks)[1])
            found = _with_roundings("rederivation", gradients, expected, others, said)
        if not all(finding.ok for finding in found):
            with contextlib.suppress(MissingTorch):
                reference = subject.reference(state)
                reference.draw(net.seed, 0, len(x))
                autograd = reference.truth(x, y, training).gradients
                found = _where_cancelled(found, gradients, expected, autograd, said)
        yield from found


def _expanded(
    subject: Subject,
    arrays: dict[str, Array],
    x: Tensor,
    y: Tensor,
    masks: dict[str, Array] | None,
) -> tuple[float, dict[str, Tensor]]:
    """Return the loss and the gradients of the second derivation."""
    loss, found = mechanical(subject.model, arrays, x.numpy(), y.numpy(), masks)
    return loss, {name: torch.from_numpy(g) for name, g in found.items()}


def _masks(subject: Subject, seed: int, count: int) -> dict[str, Array]:
    """Return the scaled masks of dropout for the first update, by layer."""
    masks = {}
    for node in subject.model.nodes:
        if node.use.entry.name == "dropout" and not node.use.entry.defined:
            rate, shape = node.use["rate"], (count, *node.input_shape)
            drawn = uniform(seed, f"dropout/{node.name}/0", math.prod(shape))
            masks[node.name] = (drawn >= rate).reshape(shape) / (1 - rate)
    return masks


def _nearby(
    state: Mapping[str, Tensor], x: Tensor, seed: int
) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """Yield parameters and samples perturbed by one rounding, a few times."""
    for draw in range(NEARBY):
        yield off(state, seed + draw), off({"x": x}, seed + NEARBY + draw)["x"]


def _where_cancelled(
    judged: list[Finding],
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    other: Mapping[str, Tensor],
    said: str,
) -> list[Finding]:
    """Return the findings with a tolerance for cancellation, measured without the module.

    The tolerance is the distance of autograd and the second derivation. If a tanh is nearly 1, 1 -
    tanh^2 has few digits, however it is computed.
    """
    check = judged[0].check
    apart: dict[str, float] = {}
    for finding in compared(check, other, expected, EXACT):
        apart[finding.what] = max(finding.error, apart.get(finding.what, 0.0))
    note = f"{said}; cancellation" if said else "cancellation"
    made = []
    for finding, again in zip(
        judged, compared(check, found, expected, EXACT, note), strict=True
    ):
        lost = apart[finding.what]
        bound = EXACT + (2 * lost if lost < CANCELLED else 0.0)
        explained = again.error <= bound
        anew = dataclasses.replace(
            again, bound=bound, said=again.said if explained else said
        )
        made.append(finding if finding.ok else anew)
    return made


def _with_roundings(
    check: str,
    found: dict[str, Tensor],
    expected: dict[str, Tensor],
    others: list[dict[str, Tensor]],
    said: str,
) -> list[Finding]:
    """Compare with a tolerance for rounding: the effect of perturbed parameters, `others`."""
    own = [f for other in others for f in compared(check, other, expected, EXACT)]
    apart = max(finding.error for finding in own)
    if not 1e-15 < apart < CHAOS:
        return compared(check, found, expected, EXACT, said)
    note = f"{said}; " if said else ""
    bound = EXACT + AMPLIFIED * apart
    judged = compared(check, found, expected, bound, f"{note}rounding is amplified")
    return [
        f if EXACT < f.error <= bound else dataclasses.replace(f, said=said)
        for f in judged
    ]


def extremes(subject: Subject) -> Iterator[Finding]:
    """Compare with autograd where samples, or the parameters of the last layer, are large.

    Probabilities are 0 or 1 there, and exponentials overflow unless they are written stably. Each
    class is the likely one of some samples, and the logits of all classes are far below or above 0.
    """
    state = subject.state()
    last = f"{_last_layer(subject)}."
    bias = f"{last}bias"
    for factor in (30.0, 1e3):
        large = {n: v * factor for n, v in state.items() if n.startswith(last)}
        cases = [({}, SHORT, factor), (large, subject.samples, 1.0)]
        if subject.model.target.dtype == "int":
            balanced = {n: v * 10 * (n != bias) for n, v in large.items()}
            cases.append((balanced, subject.samples, 1.0))
            for far in (-factor, factor) if bias in state else ():
                cases.append(({bias: state[bias] + far}, SHORT, 1.0))
        for moved, count, times in cases:
            x, y = subject.drawn(count)
            x = x * times
            net, reference = (
                make(state | moved) for make in (subject.net, subject.reference)
            )
            yield from against(
                subject, net, reference, x, y, False, "extremes", known=False
            )


def _last_layer(subject: Subject) -> str:
    """Return the name of the last layer with parameters."""
    names = list(subject.model.parameters)
    return names[-1].rpartition(".")[0] if names else ""


def kinks(subject: Subject) -> Iterator[Finding]:
    """Compare with autograd where derivatives jump; the choice of torch is the definition there.

    One layer at a time outputs only its bias, set to the kinks of activations; then targets are set
    to the kinks of losses.
    """
    model = subject.model
    places = sorted({*KINKS, *_own_numbers(subject)})
    for layer in subject.biased:
        state = subject.state()
        subject.bias_alone(layer, state)
        bias = state[f"{layer}.bias"]
        size = bias.numel()
        for first in range(0, len(places), max(size, 1)):
            chosen = torch.arange(first, first + size) % len(places)
            bias.copy_(torch.tensor(places, dtype=torch.float64)[chosen])
            x, y = subject.drawn(2)
            net, reference = subject.net(state), subject.reference(state)
            yield from against(
                subject, net, reference, x, y, False, "kinks", known=False
            )
    if model.target.dtype == "real" and not subject.probabilities:
        yield from _at_targets(subject, places)


def _at_targets(subject: Subject, places: list[float]) -> Iterator[Finding]:
    """Compare for targets at the kinks of the loss: predictions, at its `delta`, and just beside.

    The last layer with a bias outputs only that bias, so that both sides predict the same bits;
    after an activation that rounds, they may not, and such a place is skipped.
    """
    model = subject.model
    state = subject.state()
    for layer in subject.biased[-1:]:
        subject.bias_alone(layer, state)
    x, _ = subject.drawn(3)
    net, reference = subject.net(state), subject.reference(state)
    prediction = reference.truth(x, subject.drawn(3)[1]).prediction
    if not torch.equal(prediction, net.forward(x)):
        return
    delta = float(dict(model.loss.use.arguments).get("delta", 1.0))
    beside = {
        sign * by for sign in (-1, 1) for by in (delta, 0.99 * delta, delta + 0.5)
    }
    apart = sorted({*places, *beside, *(-p for p in places)})
    distances = torch.tensor([0.37, *apart], dtype=torch.float64)
    for first in range(0, len(distances), prediction.numel()):
        chosen = torch.arange(first, first + prediction.numel()) % len(distances)
        y = prediction - distances[chosen].reshape(prediction.shape)
        yield from against(subject, net, reference, x, y, False, "kinks", known=False)


def _own_numbers(subject: Subject) -> set[float]:
    """Return the numbers in the functions that the spec defines."""
    found: set[float] = set()
    for definition in definitions(subject.model).values():
        found |= numbers_in(definition.value)
        for parameter in definition.parameters:
            if isinstance(parameter.default, tree.Expr):
                found |= numbers_in(parameter.default)
    for node in subject.model.nodes:
        if node.use.entry.defined:
            found |= {float(v) for _, v in node.use.arguments}
    return {n for n in found | {-n for n in found} if math.isfinite(n)}
