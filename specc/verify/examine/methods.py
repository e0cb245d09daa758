"""The checks of the other methods: save and load, input validation, `as_module`.

Each takes a Subject and yields findings. Everything is float64.
"""

from __future__ import annotations

import contextlib
import functools
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from specc.verify.compare.finding import Finding, compared, fact
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.examine.gradients import SHORT
from specc.verify.reference.network import Reference


def serialization(subject: Subject) -> Iterator[Finding]:
    """Check that a saved model loads, and that invalid states are rejected."""
    state = subject.state()
    net, other = subject.net(state), subject.net(seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.safetensors"
        net.save(path)
        other.load(path)
    loaded = other.state_dict()
    same = loaded.keys() == state.keys() and all(
        torch.equal(loaded[name], value) for name, value in state.items()
    )
    yield fact(
        "serialization",
        "save and load",
        same,
        "the loaded state differs from the saved one",
    )
    x, _ = subject.drawn(3)
    alike = torch.equal(net.forward(x), other.forward(x))
    yield fact(
        "serialization", "predictions", alike, "a loaded model predicts something else"
    )
    first = next(iter(state))
    broken = {
        "missing": {k: v for k, v in state.items() if k != first},
        "extra": state | {"stray": torch.zeros(1, dtype=torch.float64)},
        "ill-shaped": state | {first: torch.zeros(17, 3, 1, dtype=torch.float64)},
    }
    for what, wrong in broken.items():
        refused = _refuses(functools.partial(other.load_state_dict, wrong))
        kept = torch.equal(other.forward(x), net.forward(x))
        where = (
            "it was accepted"
            if not refused
            else "it was rejected but changed the model"
        )
        yield fact("serialization", f"{what} state", refused and kept, where)


def input_validation(subject: Subject) -> Iterator[Finding]:
    """Check that invalid samples are rejected with a ValueError."""
    model = subject.model
    net = subject.net()
    x, y = subject.drawn(4)
    real = model.target.dtype == "real"
    cases: dict[str, Callable[[], Any]] = {
        "no samples": lambda: net.loss(x[:0], y[:0]),
        "more x than y": lambda: net.loss(x, y[:3]),
        "another shape": lambda: net.predict(torch.zeros(4, 1, *x.shape[1:]).double()),
        "another dtype": lambda: net.predict(x.to(torch.int64)),
        "NaN in x": lambda: net.fit(x * math.nan, y, x, y, epochs=1),
        "no epochs": lambda: net.fit(x, y, x, y, epochs=0),
        "NaN in x_val": lambda: net.fit(x, y, x * math.nan, y, epochs=1),
        "x_val alone": lambda: net.fit(x, y, x, epochs=1),
    }
    if real:
        cases["infinity in y"] = lambda: net.fit(x, y + math.inf, x, y, epochs=1)
        cases["NaN in y_val"] = lambda: net.fit(x, y, x, y * math.nan, epochs=1)
    else:
        classes = model.output_shape[-1]
        cases["a class too many"] = lambda: net.loss(x, y * 0 + classes)
        cases["a class below 0"] = lambda: net.loss(x, y * 0 - 1)
        cases["a class too many to learn"] = lambda: net.train_step(
            x, y * 0 + classes, 0.1
        )
    for what, call in cases.items():
        yield fact("input-validation", what, _refuses(call), "it was accepted")
    size = 2 * model.train.batch_size
    x, y = subject.drawn(size)
    history = net.fit(x, y, x, y, epochs=1)
    yield fact(
        "input-validation", "one epoch", len(history) == 1, f"{len(history)} epochs"
    )


def _refuses(call: Callable[[], Any]) -> bool:
    with contextlib.suppress(ValueError):
        call()
        return False
    return True


def as_module(subject: Subject) -> Iterator[Finding]:
    """Compare gradients through `as_module()` with the reference, for the torch target."""
    if subject.target != "torch":
        return
    state, model = subject.state(), subject.model
    for training in subject.modes:
        net, reference = subject.net(state), subject.reference(state)
        x, y = subject.drawn(SHORT)
        reference.draw(net.seed, 0, len(x))
        truth = reference.truth(x, y, training)
        form = net.as_module().train(training)
        x = x.clone().requires_grad_()
        said = "in training" if training else ""
        torch.autograd.backward(reference.of_predictions(form(x), y))
        expected = truth.gradients
        yield from _of_module(subject, form, x, expected, said)
        cotangent = subject.drawn(SHORT, seed=3)[0].flatten()[:1] + torch.linspace(
            -1, 2, truth.prediction.numel(), dtype=torch.float64
        )
        cotangent = cotangent.reshape(truth.prediction.shape)
        expected = _pulled_back(reference.eval(), x.detach(), cotangent)
        form.eval()
        named = {**dict(form.named_parameters()), model.input.name: x}
        for said, traced, graphed in WAYS:
            with mock.patch.object(torch.compiler, "is_compiling", return_value=traced):
                found = torch.autograd.grad(
                    form(x), list(named.values()), cotangent, create_graph=graphed
                )
            whole = {n: g.detach() for n, g in zip(named, found, strict=True)}
            yield from compared("as_module", whole, expected, 1e-7, said)
        rows = torch.func.jacrev(form)(x[:2].detach())
        by_x = torch.tensordot(cotangent[:2], rows, cotangent.ndim)
        two = _pulled_back(reference, x[:2].detach(), cotangent[:2])
        name, said = model.input.name, "by torch.func.jacrev"
        yield from compared("as_module", {name: by_x}, {name: two[name]}, 1e-7, said)


WAYS = (
    ("of any cotangent", False, False),
    ("of any cotangent, as torch.compile traces it", True, False),
    ("of any cotangent, with a graph of it", False, True),
)
"""Ways through `as_module()`: what is said of each, whether it is traced, whether autograd keeps a
graph of the gradients."""


def _of_module(
    subject: Subject,
    form: torch.nn.Module,
    x: Tensor,
    expected: Mapping[str, Tensor],
    said: str,
) -> list[Finding]:
    named = dict(form.named_parameters())
    found = {name: named[name].grad for name in subject.model.parameters}
    found[subject.model.input.name] = x.grad
    whole = {n: g for n, g in found.items() if g is not None}
    return compared("as_module", whole, expected, 1e-7, said)


def _pulled_back(
    reference: Reference, x: Tensor, cotangent: Tensor
) -> dict[str, Tensor]:
    reference.zero_grad()
    x = x.clone().requires_grad_()
    torch.autograd.backward(reference(x), cotangent)
    found = {name: p.grad for name, p in reference.named.items()}
    found[reference.model.input.name] = x.grad
    return {name: g.clone() for name, g in found.items() if g is not None}
