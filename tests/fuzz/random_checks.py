"""What a spec drawn at random has to hold: alone, and beside another that means the same."""

from __future__ import annotations

import functools
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import black
import torch
from black.mode import TargetVersion
from ruff import find_ruff_bin
from torch import Tensor

from specc.compiler import Request, compile_source
from specc.verify.checks import CHECKS, findings
from specc.verify.compare.subject import Subject, subject
from specc.verify.reference.network import distance, parameters
from specc.verify.reference.round_off import off
from tests.cases.modules import ROOT, TARGETS, checked, compiled, raw_module, source
from tests.fuzz.random_specs import Body, Item, Spec

ALONE = (
    *("autograd", "rederivation", "initialization", "schedule", "optimizer"),
    *("float32", "fit", "tie-breaking", "patience", "evaluation"),
)
"""The checks of `specc verify` that every spec at random goes through."""
OTHERS = tuple(check.name for check in CHECKS if check.name not in ALONE)
"""Those of which it goes through one, by chance."""

MODE = black.Mode(target_versions={TargetVersion.PY311}, line_length=88)


def problems(
    spec: Spec, chance: random.Random, target: str = "", others: Sequence[str] = ()
) -> Iterator[str]:
    """Say what is wrong with a spec: compiled for a target, examined, and transformed.

    What is not said is left to chance: the target, and which check is made beside those of all.
    """
    target = target or chance.choices(TARGETS, weights=(5, 5, 1))[0]
    text = spec.text
    yield from of_text(text, target, (*ALONE, *(others or chance.sample(OTHERS, 1))))
    name, transform = chance.choice(list(RELATIONS.items()))
    found = list(transform(spec, target, chance))
    if found and not (amplifies(text, target) or cancels(text)):
        yield from (f"{name}: {each}" for each in found)


def of_text(text: str, target: str, checks: Sequence[str] = ALONE) -> Iterator[str]:
    """Say what is wrong with the module of a spec: its text, and what these checks find."""
    made = compile_source(source(text), Request(target=target, stem="net"))
    errors = [d for d in made.diagnostics if d.severity == "error"]
    if errors or made.text is None:
        yield f"does not compile: {[f'{d.code} {d.message}' for d in errors]}"
        return
    module = compiled(text, target=target)
    if made.text != module:
        yield "compiles to other bytes a second time"
    yield from _unclean(module)
    examined = examined_as(text, target)
    for check in CHECKS:
        if check.name in checks:
            for found in findings(check, examined, whole=False):
                if not found.ok:
                    where = f"{found.where} ({found.said})"
                    yield f"{target}, {check.name}, {found.what}: {where}"
                    break


def examined_as(text: str, target: str) -> Subject:
    """Import the module of a spec for the checks."""
    return subject(
        checked(text), raw_module(compiled(text, target=target)), target, 9, 0
    )


@functools.cache
def _formatted(part: str) -> bool:
    """Tell whether black leaves a part between two blank lines, which many modules may share."""
    return black.format_str(part, mode=MODE) == part


def _unclean(module: str) -> Iterator[str]:
    if not module.isascii():
        yield "the module is not plain ASCII"
    for part in module.removesuffix("\n").split("\n\n\n"):
        if not _formatted(part + "\n"):
            yield f"black would change the module, in {part.splitlines()[0]}"
    command = [find_ruff_bin(), "check", "-q", "--no-cache", "-"]
    command += ["--stdin-filename", "generated/torch/net.py"]
    ran = subprocess.run(
        command, input=module, capture_output=True, text=True, cwd=ROOT
    )
    if ran.returncode:
        yield f"ruff: {ran.stdout.strip()[:300]}"


# Other specs that mean the same.


def gradients(text: str, target: str, state: dict[str, Tensor] | None = None) -> Any:
    """Give the loss and the gradients of a spec's module, by the order of its parameters."""
    examined = examined_as(text, target)
    state = parameters(examined.model) if state is None else state
    net = examined.net(state)
    x, y = examined.drawn(6)
    loss, found = net.loss_and_gradients(x, y, input_gradient=True)
    return loss, list(found.values()), state, (x, y)


def amplifies(text: str, target: str) -> bool:
    """Tell whether the gradients are others where parameters are a rounding off."""
    state = parameters(checked(text))
    _, here, _, _ = gradients(text, target, state)
    _, near, _, _ = gradients(text, target, off(state, 0))
    pair = ({str(i): g for i, g in enumerate(gs)} for gs in (near, here))
    return not distance(*pair) <= 1e-12


def cancels(text: str) -> bool:
    """Tell whether `specc verify` finds that digits of a gradient cancel, as each way loses them.

    Where a tanh is 1 but for its last bits, how it is rounded decides what 1 - tanh^2 is.
    """
    (autograd,) = (check for check in CHECKS if check.name == "autograd")
    return any(
        "cancellation" in finding.said
        for target in ("torch", "numpy")
        for finding in findings(autograd, examined_as(text, target))
    )


def same(a: str, b: str, target: str) -> Iterator[str]:
    """Say where two specs with the same parameters, under other names, give other gradients."""
    loss, found, state, _ = gradients(a, target)
    names = [*checked(b).parameters, *checked(b).buffers]
    renamed = dict(zip(names, state.values(), strict=True))
    other, expected, _, _ = gradients(b, target, renamed)
    yield from _apart(loss, found, other, expected)


def _apart(
    loss: float, found: list[Tensor], other: float, expected: list[Tensor]
) -> Iterator[str]:
    if not abs(loss - other) <= 1e-12 * max(abs(loss), 1.0):
        yield f"loss {loss!r} and {other!r}"
    pair = ({str(i): g for i, g in enumerate(gs)} for gs in (found, expected))
    apart = distance(*pair)
    if not apart <= 1e-9:
        yield f"gradients are {apart:.1e} apart"


def unrolled(spec: Spec, target: str, chance: random.Random) -> Iterator[str]:
    """`repeat(n) { body }` is the body n times."""

    def copied(body: Body) -> Body:
        made: list[Item] = []
        for item in body:
            inner = tuple(copied(part) for part in item.bodies)
            if item.word.startswith("repeat("):
                made += inner[0] * int(item.word[7:-1])
            else:
                made.append(Item(item.word, inner, item.name))
        return tuple(made)

    other = spec.with_body(copied(spec.body))
    if other.text != spec.text:
        yield from same(spec.text, other.text, target)


def renamed(spec: Spec, target: str, chance: random.Random) -> Iterator[str]:
    """Layers under other names compute the same."""
    others = tuple(
        (
            Item(item.word, item.bodies, item.name or f"named{i}")
            if not item.word.startswith("repeat(")
            else item
        )
        for i, item in enumerate(spec.body)
    )
    yield from same(spec.text, spec.with_body(others).text, target)


def padded(spec: Spec, target: str, chance: random.Random) -> Iterator[str]:
    """An `identity` anywhere but before `standardize` or a loss's own activation is nothing."""
    least = 1 if spec.body[0].word == "standardize" else 0
    at = chance.randint(least, len(spec.body) - 1)
    body = (*spec.body[:at], Item("identity"), *spec.body[at:])
    yield from same(spec.text, spec.with_body(body).text, target)


def targets_agree(spec: Spec, target: str, chance: random.Random) -> Iterator[str]:
    """The modules of torch and NumPy, fused and laid out otherwise, have the same gradients."""
    loss, found, _, _ = gradients(spec.text, "torch")
    other, expected, _, _ = gradients(spec.text, "numpy")
    yield from _apart(loss, found, other, expected)


def split_batches(spec: Spec, target: str, chance: random.Random) -> Iterator[str]:
    """In prediction, a batch's gradient is the weighted mean, or the sum, of its parts'."""
    examined = examined_as(spec.text, target)
    net = examined.net(parameters(examined.model))
    x, y = examined.drawn(9)
    loss, whole = net.loss_and_gradients(x, y)
    cut = chance.randint(1, 8)
    parts = [(x[:cut], y[:cut]), (x[cut:], y[cut:])]
    total = {name: torch.zeros_like(g) for name, g in whole.items()}
    sums = examined.model.loss.use["reduction"] == "sum"
    combined = 0.0
    for a, b in parts:
        weight = 1.0 if sums else len(a) / len(x)
        part, found = net.loss_and_gradients(a, b)
        combined += weight * part
        for name, g in found.items():
            total[name] += weight * g
    if not abs(loss - combined) <= 1e-10 * max(abs(loss), 1.0):
        yield f"loss {loss!r}, of parts {combined!r}"
    apart = distance(total, whole)
    if not apart <= 1e-9:
        yield f"gradients are {apart:.1e} apart"


RELATIONS: dict[str, Callable[[Spec, str, random.Random], Iterator[str]]] = {
    "repeat and copies": unrolled,
    "other names": renamed,
    "an identity more": padded,
    "another target": targets_agree,
    "a batch and its parts": split_batches,
}
