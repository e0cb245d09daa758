"""A Model in the hands of other code: pickled, in another mode of torch, trained again."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.cases.modules import module_of_spec
from tests.cases.samples import samples

SMALL = """
model net
input x: real[4]
target y: real[2]
layers { linear(5) tanh linear(2) }
loss mse
optimizer sgd(lr=0.1, momentum=0.9)
early_stopping(monitor=train_loss, patience=5)
train(epochs=3, batch_size=8)
"""
SPECS = {
    "small": SMALL,
    "wide": SMALL.replace("linear(5)", "linear(150) relu linear(130)"),
    "plain": SMALL.replace("linear(5)", "linear(150) relu linear(130)").replace(
        ", momentum=0.9", ""
    ),
}


@pytest.fixture(params=SPECS)
def module(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """Make the module of each spec importable, as pickle wants it."""
    found = module_of_spec(SPECS[request.param])
    sys.modules[found.__name__] = found
    yield found
    del sys.modules[found.__name__]


def batch(module: ModuleType, count: int = 20) -> tuple[Tensor, Tensor]:
    x, y = samples(module, count, torch.float32)
    return x, y


@pytest.mark.parametrize("by", ["pickle", "deepcopy"])
def test_a_copy_goes_on_as_the_model_would(module: ModuleType, by: str) -> None:
    """The optimizer's vectors go along, and the copy shares no memory."""
    x, y = batch(module)
    model = module.Model(seed=3)
    model.train_step(x, y, 0.1)
    made = pickle.loads(pickle.dumps(model)) if by == "pickle" else copy.deepcopy(model)
    before = made.flat_parameters.clone()
    model.train_step(x, y, 0.1)
    assert torch.equal(made.flat_parameters, before)
    made.train_step(x, y, 0.1)
    assert torch.equal(made.flat_parameters, model.flat_parameters)
    assert not torch.equal(made.flat_parameters, before)
    for name, value in made.parameters.items():
        assert torch.equal(value, model.parameters[name]), "a view of the flat vector"


def test_inference_mode_leaves_a_model_that_trains(module: ModuleType) -> None:
    x, y = batch(module)
    model = module.Model()
    with torch.inference_mode():
        expected = model.predict(x)
        other = module.Model()
    assert torch.equal(model.predict(x), expected)
    losses = [float(m.train_step(x, y, 0.1)) for m in (model, other)]
    assert losses[0] == losses[1] and model.fit(x, y)


def test_autocast_changes_nothing(module: ModuleType) -> None:
    x, y = batch(module)
    model, expected = module.Model(), module.Model()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model.train_step(x, y, 0.1)
        found = model.predict(x)
    expected.train_step(x, y, 0.1)
    assert torch.equal(found, expected.predict(x))


def test_fit_leaves_no_momentum_behind(module: ModuleType) -> None:
    x, y = batch(module)
    model = module.Model()
    model.fit(x, y)
    fresh = module.Model()
    fresh.load_state_dict(model.state_dict())
    for m in (model, fresh):
        m.train_step(x, y, 0.1)
    assert torch.equal(model.flat_parameters, fresh.flat_parameters)


def test_a_loaded_state_starts_without_momentum(module: ModuleType) -> None:
    x, y = batch(module)
    model, fresh = module.Model(), module.Model()
    start = model.state_dict()
    for _ in range(3):
        model.train_step(x, y, 0.1)
    model.load_state_dict(start)
    for m in (model, fresh):
        m.train_step(x, y, 0.1)
    assert torch.equal(model.flat_parameters, fresh.flat_parameters)


def test_a_state_of_own_views_is_taken_at_once() -> None:
    """Two parameters of a shape change places, which copies in turn would lose."""
    module = module_of_spec(SMALL.replace("linear(2) }", "linear(5) tanh linear(2) }"))
    model = module.Model()
    model.flat_parameters.normal_()
    before = model.state_dict()
    mixed = dict(model.parameters)
    mixed["linear1.bias"], mixed["linear2.bias"] = (
        mixed["linear2.bias"],
        mixed["linear1.bias"],
    )
    model.load_state_dict(mixed)
    assert torch.equal(model.parameters["linear1.bias"], before["linear2.bias"])
    assert torch.equal(model.parameters["linear2.bias"], before["linear1.bias"])


@pytest.mark.parametrize(
    "made", [lambda p: p.to("meta"), lambda p: p.to_sparse(), lambda p: p.to_mkldnn()]
)
def test_a_tensor_without_its_numbers_changes_nothing(made: Any) -> None:
    model = module_of_spec(SMALL).Model()
    before = model.flat_parameters.clone()
    state = {name: p + 1 for name, p in model.state_dict().items()}
    state["linear2.weight"] = made(state["linear2.weight"])
    with pytest.raises(ValueError, match="'linear2.weight': expected a dense tensor"):
        model.load_state_dict(state)
    assert torch.equal(model.flat_parameters, before)


WRONG = {
    "epochs: expected an integer from 1, found 2.5": {"epochs": 2.5},
    "epochs: expected an integer from 1, found nan": {"epochs": float("nan")},
    "epochs: expected an integer from 1, found '3'": {"epochs": "3"},
    "checkpoint: no folder '/not/there'": {"checkpoint": "/not/there/run"},
}


@pytest.mark.parametrize("message", WRONG)
def test_an_argument_of_fit_that_does_not_fit_changes_nothing(message: str) -> None:
    module = module_of_spec(SMALL)
    model = module.Model()
    before = model.flat_parameters.clone()
    with pytest.raises(ValueError, match=message):
        model.fit(*batch(module), **WRONG[message])
    assert torch.equal(model.flat_parameters, before)


@pytest.mark.parametrize("seed", [1.5, "1", None])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ValueError, match="seed: expected an integer"):
        module_of_spec(SMALL).Model(seed=seed)


def test_a_seed_of_numpy_is_one_of_python() -> None:
    module = module_of_spec(SMALL)
    expected = module.Model(seed=2**40).flat_parameters
    assert torch.equal(module.Model(seed=np.int64(2**40)).flat_parameters, expected)


@pytest.mark.parametrize(
    "schedule", ["exponential_decay(gamma=10)", "step_decay(10, 1)"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_rate_that_would_leave_all_numbers_is_refused(
    schedule: str, dtype: torch.dtype
) -> None:
    """More epochs than the spec's, for which the checker has answered."""
    module = module_of_spec(f"{SMALL}schedule {schedule}\n")
    x, y = samples(module, 20, dtype)
    with pytest.raises(ValueError, match="epochs: the rate grows beyond"):
        module.Model(dtype=dtype).fit(x, y, epochs=400)
    module.Model(dtype=dtype).fit(x, y)


def test_only_a_rate_that_grows_is_looked_at() -> None:
    for schedule in ("constant", "time_decay(0.5)", "exponential_decay(gamma=0.9)"):
        text = Path(str(module_of_spec(f"{SMALL}schedule {schedule}\n").__file__))
        assert "the rate grows" not in text.read_text()


DAMAGE = {
    "a missing tensor": lambda t, m: (t.pop("best"), None),
    "another shape": lambda t, m: t.update(parameters=torch.zeros(1)),
    "no JSON": lambda t, m: m.update(run="{"),
    "no facts": lambda t, m: m.update(run="{}"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused_and_changes_nothing(
    damage: str, tmp_path: Path
) -> None:
    module = module_of_spec(SMALL)
    x, y = batch(module)
    place = tmp_path / "run.safetensors"
    module.Model().fit(x, y, epochs=2, checkpoint=place)
    tensors = load_file(place)
    with safe_open(place, framework="pt") as file:
        metadata = dict(file.metadata())
    assert json.loads(metadata["run"])
    DAMAGE[damage](tensors, metadata)
    save_file(tensors, place, metadata)
    model = module.Model(seed=0)
    before = model.flat_parameters.clone()
    with pytest.raises(ValueError, match="no whole checkpoint|damaged"):
        model.fit(x, y, checkpoint=place, resume=True)
    assert torch.equal(model.flat_parameters, before)


def test_accuracy_of_logits_is_that_of_probabilities() -> None:
    """A logit of 0.3 is a probability of 0.57."""
    text = SMALL.replace("real[2]", "real[1]").replace("linear(2)", "linear(1)")
    text = text.replace("loss mse", "loss binary_cross_entropy\nmetric accuracy")
    module = module_of_spec(text)
    model = module.Model()
    model.flat_parameters.zero_()
    model.parameters["linear2.bias"].fill_(0.3)
    x = torch.zeros(6, 4)
    assert model.evaluate(x, torch.ones(6, 1))["accuracy"] == 1
    assert model.evaluate(x, torch.zeros(6, 1))["accuracy"] == 0
