"""Each optimizer of the library against torch.optim, on every target."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.verify.reference.network import samples
from tests.cases.drift import drift
from tests.cases.modules import checked, module_of_spec
from tests.cases.optimizers import OPTIMIZERS

TEXT = """
model net
input x: real[4]
target y: real[2]
layers {{ {layers} }}
loss mse
optimizer {optimizer}
{more}
train(epochs={epochs}, batch_size=3)
"""
SMALL = "linear(5) tanh linear(2)"
WIDE = "linear(150) tanh linear(130) tanh linear(2)"

STEPS = 50


def written(word: str, arguments: dict[str, float]) -> str:
    inside = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return f"{word}({inside})" if inside else word


def text_of(name: str, layers: str = SMALL, epochs: int = 5, more: str = "") -> str:
    word, _, arguments = OPTIMIZERS[name]
    optimizer = written(word, arguments)
    return TEXT.format(layers=layers, optimizer=optimizer, epochs=epochs, more=more)


def optimizer_of(name: str, weights: list[Any]) -> torch.optim.Optimizer:
    """Make torch's own, which takes both betas at once."""
    _, make, given = OPTIMIZERS[name]
    arguments: dict[str, Any] = dict(given)
    if "beta1" in arguments or "beta2" in arguments:
        arguments["betas"] = (
            arguments.pop("beta1", 0.9),
            arguments.pop("beta2", 0.999),
        )
    made: torch.optim.Optimizer = make(weights, **arguments)
    return made


def torch_s(name: str) -> Callable[[list[Any]], torch.optim.Optimizer]:
    return lambda weights: optimizer_of(name, weights)


DECAY = "schedule time_decay(decay=0.1)"


@pytest.mark.parametrize(
    "name, layers", [*((name, SMALL) for name in OPTIMIZERS), ("adam", WIDE)]
)
def test_updates_are_those_of_torch_optim(name: str, layers: str, target: str) -> None:
    """Fifty steps under a rate that changes with each agree to 1e-12."""
    text = text_of(name, layers, more=DECAY)
    found = drift(module_of_spec(text, target=target), text, torch_s(name), STEPS)
    assert len(found) == STEPS and max(found) <= 1e-12


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_another_update_is_told_apart(name: str) -> None:
    """No optimizer passes for another one: the arguments matter too."""
    text = text_of(name, more=DECAY)
    module = module_of_spec(text)
    others = {
        other: max(drift(module, text, torch_s(other), STEPS)) for other in OPTIMIZERS
    }
    same = {"adam", "adamw, not decayed"}
    expected = same if name in same else {name}
    assert {other for other, d in others.items() if d <= 1e-6} == expected


def test_a_first_step_of_adam_is_the_rate(target: str) -> None:
    """With its biases corrected, adam moves each parameter by lr, whatever the gradient."""
    model = module_of_spec(text_of("adam"), target=target).Model(dtype=torch.float64)
    x, y = samples(checked(text_of("adam")), 5)
    before = model.state_dict()
    model.train_step(x, y, 0.01)
    for name, start in before.items():
        step = (model.state_dict()[name] - start).abs()
        torch.testing.assert_close(step, torch.full_like(step, 0.01), rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", ["adam", "rmsprop, momentum", "adagrad"])
def test_a_copy_goes_on_with_the_state_and_the_count(name: str, target: str) -> None:
    module = module_of_spec(text_of(name), target=target)
    model = module.Model(dtype=torch.float64)
    inner = getattr(model, "_inner", model)
    x, y = samples(checked(text_of(name)), 5)
    for _ in range(3):
        model.train_step(x, y, 0.01)
    made = copy.deepcopy(inner)
    made = made if target == "torch" else type(model)(made)
    for m in (model, made):
        m.train_step(x, y, 0.01)
    assert torch.equal(made.flat_parameters, model.flat_parameters)


@pytest.mark.parametrize("name", ["adam", "rmsprop, momentum", "adagrad"])
def test_fit_and_a_loaded_state_begin_anew(name: str, target: str) -> None:
    module = module_of_spec(text_of(name), target=target)
    x, y = samples(checked(text_of(name)), 10)
    fitted, loaded, fresh = (module.Model(dtype=torch.float64) for _ in range(3))
    fitted.fit(x, y)
    start = fitted.state_dict()
    loaded.train_step(x, y, 0.01)
    for m in (loaded, fresh):
        m.load_state_dict(start)
    for m in (fitted, loaded, fresh):
        m.train_step(x, y, 0.01)
    assert torch.equal(fitted.flat_parameters, fresh.flat_parameters)
    assert torch.equal(loaded.flat_parameters, fresh.flat_parameters)


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop, momentum", "adagrad"])
def test_fit_goes_on_where_it_was(name: str, target: str, tmp_path: Path) -> None:
    """The vectors and the count of updates are in the checkpoint."""
    module = module_of_spec(text_of(name, epochs=6), target=target)
    x, y = samples(checked(text_of(name)), 10)
    whole, part = (module.Model(dtype=torch.float64) for _ in range(2))
    whole.fit(x, y)
    part.fit(x, y, epochs=2, checkpoint=tmp_path / "run")
    other = module.Model(dtype=torch.float64)
    other.fit(x, y, checkpoint=tmp_path / "run", resume=True)
    assert torch.equal(other.flat_parameters, whole.flat_parameters)
    assert not torch.equal(other.flat_parameters, part.flat_parameters)


def test_fit_is_the_updates_one_by_one(target: str) -> None:
    text = text_of("adam").replace("batch_size=3", "batch_size=3, shuffle=false")
    module = module_of_spec(text, target=target)
    x, y = samples(checked(text), 10)
    whole, single = (module.Model(dtype=torch.float64) for _ in range(2))
    whole.fit(x, y)
    for epoch in range(5):
        for start in range(0, 10, 3):
            batch = slice(start, start + 3)
            single.train_step(x[batch], y[batch], module.learning_rate(epoch))
    torch.testing.assert_close(
        whole.flat_parameters, single.flat_parameters, rtol=0, atol=1e-14
    )


def test_the_last_good_parameters_are_those_of_so_many_updates(target: str) -> None:
    """Where the loss explodes, updates are done again with the count that they had."""
    text = text_of("adam", epochs=9, more="schedule exponential_decay(gamma=1e4)")
    text = text.replace("batch_size=3", "batch_size=3, shuffle=false")
    module = module_of_spec(text, target=target)
    model, again = module.Model(), module.Model()
    x, y = (part.float() for part in samples(checked(text), 10))
    history = model.fit(x, y)
    assert history.stopped_by == "non_finite" and len(history) > 2
    bad = int(history.note.partition("update ")[2].partition(";")[0])
    assert bad > 0
    steps = [(e, s) for e in range(len(history) + 1) for s in range(0, 10, 3)]
    for epoch, start in steps[: len(history) * 4 + bad - 1]:
        batch = slice(start, start + 3)
        again.train_step(x[batch], y[batch], module.learning_rate(epoch))
    torch.testing.assert_close(
        model.flat_parameters, again.flat_parameters, rtol=1e-5, atol=0
    )
