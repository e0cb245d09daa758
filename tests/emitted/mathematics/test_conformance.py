"""Every target against the torch one: one meaning, whatever the language of the arithmetic.

From the same seed each has the same start, takes the samples in the same order, sees the same
losses and ends in the same place. The differences that were measured are far below the bounds:
after 100 steps 1.1e-15 in float64 and 1.1e-6 in float32 at most, on both targets.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from specc.model.model import Model
from specc.targets.registry import TARGETS as KNOWN
from specc.targets.registry import target_called
from specc.verify.reference.network import samples
from tests.cases.modules import (
    EXAMPLES,
    TARGETS,
    checked,
    compiled,
    load,
    module_of_spec,
)
from tests.cases.networks import CASES as ALL

STEPS, RATE = 100, 0.02
BOUND = 1e-12
"""How far a number of a target may be from torch's, in float64."""
BOUND_32 = 4e-6
"""How far one in float32, where rounding adds up over 100 steps, may be from float64's."""
OTHERS = [target for target in TARGETS if target != "torch"]
CASES = {
    name: text
    for i, (name, text) in enumerate(ALL.items())
    if name in EXAMPLES or i % 3 == 0
}
"""The examples and a third of the nets whose gradients are compared: a hundred steps take long."""
CALM = {name for name, t in CASES.items() if "_norm" not in t and "adam" not in t}
"""The cases that do not amplify roundings; of the others `sensitivity` says how much."""
IN_TURN = pytest.mark.parametrize("name", CASES)
BY_TARGET = pytest.mark.parametrize("other", OTHERS)


pytestmark = pytest.mark.usefixtures("one_thread")


def test_all_targets_are_here() -> None:
    assert TARGETS == KNOWN
    assert [target_called(name).name for name in KNOWN] == list(KNOWN)
    assert set(EXAMPLES) < set(CASES)


def flat(model: Any) -> Tensor:
    """Give all parameters in torch's order, in float64."""
    return torch.cat([p.flatten() for p in model.state_dict().values()]).double()


def apart(found: Any, expected: Any) -> float:
    """The largest difference of two vectors, infinite where one is not finite."""
    a, b = (torch.as_tensor(each, dtype=torch.float64) for each in (found, expected))
    worst = float((a - b).abs().max())
    return worst if math.isfinite(worst) else math.inf


@functools.cache
def model_of(name: str) -> Model:
    return checked(CASES[name])


def batch(
    name: str, count: int, seed: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    x, y = samples(model_of(name), count, seed)
    return x.to(dtype), y if y.dtype == torch.int64 else y.to(dtype)


@functools.cache
def sensitivity(name: str) -> float:
    """How far torch's module ends from itself where a parameter starts a rounding apart.

    A norm, and Adam's quotient of two small numbers, amplify roundings; no other target can then
    end nearer.
    """
    ends = []
    for factor in (1.0, 1 + 2**-51):
        model = module_of_spec(CASES[name]).Model(seed=3, dtype=torch.float64)
        model.flat_parameters.mul_(factor)
        ends.append(flat(stepped_from(model, name)[0]))
    return apart(*ends)


@functools.cache
def truth(name: str) -> tuple[Tensor, list[float]]:
    """Give what torch's module makes of `stepped` in float64."""
    return stepped(module_of_spec(CASES[name]), name)


def stepped(
    module: Any, name: str, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, list[float]]:
    """Take 100 steps on batches of 1 to 9 samples: the parameters, the losses before."""
    model, losses = stepped_from(module.Model(seed=3, dtype=dtype), name, dtype)
    return flat(model), losses


def stepped_from(
    model: Any, name: str, dtype: torch.dtype = torch.float64
) -> tuple[Any, list[float]]:
    """Do that with a model."""
    losses = []
    for step in range(STEPS):
        x, y = batch(name, 1 + step % 9, step, dtype)
        losses.append(float(model.train_step(x, y, RATE)))
    return model, losses


def trained(module: Any, name: str) -> dict[str, Any]:
    """Fit for three epochs with validation: everything that comes out, but the time."""
    model = module.Model(dtype=torch.float64)
    x, y = batch(name, 23, 1, torch.float64)
    history = model.fit(x, y, *batch(name, 9, 2, torch.float64), epochs=3)
    logs = [value for log in history for key, value in log.items() if key != "seconds"]
    return {
        "names": [list(log) for log in history],
        "ended": (history.best_epoch, history.stopped_epoch, history.stopped_by),
        "logs": logs,
        "parameters": flat(model),
        "prediction": model.predict(x).flatten(),
        "figures": list(model.evaluate(x, y).values()),
    }


@BY_TARGET
@pytest.mark.parametrize("seed", [0, 1, 2**63])
@IN_TURN
def test_the_start_is_the_same(name: str, seed: int, other: str) -> None:
    text = CASES[name]
    for dtype, bound in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
        found, expected = (
            module_of_spec(text, target=target).Model(seed=seed, dtype=dtype)
            for target in (other, "torch")
        )
        assert list(found.state_dict()) == list(expected.state_dict())
        assert apart(flat(found), flat(expected)) <= bound


@BY_TARGET
@IN_TURN
def test_a_hundred_steps_end_in_the_same_place(name: str, other: str) -> None:
    text = CASES[name]
    found = stepped(module_of_spec(text, target=other), name)
    expected = truth(name)
    bound = BOUND if name in CALM else max(BOUND, 100 * sensitivity(name))
    assert apart(found[0], expected[0]) <= bound
    assert apart(found[1], expected[1]) <= bound * max(1, *expected[1])


@BY_TARGET
@IN_TURN
def test_fit_is_the_same(name: str, other: str) -> None:
    """The order of the samples, every figure of every epoch, and what is kept at the end."""
    text = CASES[name]
    found = trained(module_of_spec(text, target=other), name)
    expected = trained(module_of_spec(text), name)
    bound = BOUND if name in CALM else 1e-9 * max(1, *map(abs, expected["logs"]))
    for exact in ("names", "ended"):
        assert found.pop(exact) == expected.pop(exact)
    assert {
        what: apart(found[what], value)
        for what, value in expected.items()
        if not apart(found[what], value) <= bound
    } == {}


@pytest.mark.parametrize("target", TARGETS)
@IN_TURN
def test_float32_is_near_the_truth(name: str, target: str) -> None:
    module = module_of_spec(CASES[name], target=target)
    found = stepped(module, name, torch.float32)
    expected = truth(name)
    bound = BOUND_32 if name in CALM else max(BOUND_32, 2**29 * 100 * sensitivity(name))
    assert apart(found[0], expected[0]) <= bound
    assert apart(found[1], expected[1]) <= bound * max(1, *expected[1])


FAULTS = {
    "the stream of a start": ('"init/linear2.weight"', '"init/linear3.weight"'),
    "the stream of an order": ('f"shuffle/{epoch}"', 'f"shuffle/{epoch + 1}"'),
    "the last bits of a rate": ("return 0.1 / (1", "return (0.1 + 1e-10) / (1"),
    "an update": ("theta -= lr * gradient", "theta -= lr * gradient * (1 + 1e-9)"),
    "a bias": ("d_linear2.sum(axis=0)", "d_linear2[:-1].sum(axis=0)"),
    "a metric": ("(prediction > 0.5)", "(prediction >= 0.6)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    right, wrong = FAULTS[fault]
    text = compiled(CASES["disk"], target="numpy")
    assert text.count(right) == 1
    broken = load(text.replace(right, wrong), "numpy")
    module = module_of_spec(CASES["disk"])
    expected, found = trained(module, "disk"), trained(broken, "disk")
    steps = zip(truth("disk"), stepped(broken, "disk"), strict=True)
    told = [apart(b, a) for a, b in steps]
    told += [apart(found[what], expected[what]) for what in list(expected)[2:]]
    assert max(told) > BOUND or found["ended"] != expected["ended"]
