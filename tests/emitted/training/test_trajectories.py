"""Emitted modules against trajectories that an independent float64 implementation recorded.

`trajectories/*.npz` hold samples, the order and the rate of each epoch, the loss before each
update, and the parameters at the start and after 1, 10, 100 and all updates, one sample each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.cases.modules import IN_PYTHON, module_of_spec

BOUND = 1e-12
IN_TURN = pytest.mark.parametrize("target", IN_PYTHON)
TAIL = """
loss mse
optimizer sgd(lr={lr})
schedule {schedule}
train(epochs=3, batch_size=1)
"""
HEAD = "model net\ninput x: real[2]\ntarget y: real[1]\n"
SPECS = {
    "disk_time_decay": HEAD
    + "layers { repeat(3) { linear(25) relu } linear(1) tanh }"
    + TAIL.format(lr=0.1, schedule="time_decay(decay=0.5)"),
    "tanh_constant": HEAD
    + "layers { linear(8) tanh linear(8) tanh linear(1) tanh }"
    + TAIL.format(lr=0.05, schedule="constant"),
}


class Oracle:
    """One recorded run."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in file}
        self.x: Tensor = arrays.pop("x")
        self.y: Tensor = arrays.pop("y")
        self.orders: Tensor = arrays.pop("orders")
        self.losses: Tensor = arrays.pop("losses")
        self.rates: list[float] = arrays.pop("lrs").tolist()
        self.states: dict[int, dict[str, Tensor]] = {}
        for key, array in arrays.items():
            step, name = key.removeprefix("step").split("/")
            self.states.setdefault(int(step), {})[name] = array


def oracle(name: str) -> Oracle:
    return Oracle(Path(__file__).parent / "trajectories" / f"{name}.npz")


def differences(module: ModuleType, recorded: Oracle) -> dict[str, float]:
    """Take the recorded steps; give how far each state and the losses are."""
    net = module.Model(dtype=torch.float64)
    net.load_state_dict(recorded.states[0])
    losses: list[float] = []
    found = {}
    for epoch, order in enumerate(recorded.orders.tolist()):
        for i in order:
            x, y = recorded.x[i : i + 1], recorded.y[i : i + 1]
            loss = net.train_step(x, y, module.learning_rate(epoch))
            losses.append(float(loss))
            if len(losses) in recorded.states:
                found[f"step{len(losses)}"] = apart(net, recorded, len(losses))
    assert len(losses) == len(recorded.losses)
    apart_losses = torch.tensor(losses, dtype=torch.float64) - recorded.losses
    found["losses"] = float(apart_losses.abs().max())
    return found


def apart(net: Any, recorded: Oracle, step: int) -> float:
    state = recorded.states[step]
    assert state.keys() == net.parameters.keys()
    return max(float((net.parameters[n] - p).abs().max()) for n, p in state.items())


@pytest.mark.parametrize("name", SPECS)
def test_the_record_holds_what_it_should(name: str) -> None:
    """States at the start and after 1, 10, 100 and all updates, three epochs."""
    recorded = oracle(name)
    assert sorted(recorded.states) == [0, 1, 10, 100, 600]
    assert recorded.orders.shape == (3, 200) and len(recorded.losses) == 600
    for order in recorded.orders:
        assert sorted(order.tolist()) == list(range(len(recorded.x)))
    moved = (
        recorded.states[600]["linear1.weight"] - recorded.states[0]["linear1.weight"]
    )
    assert float(moved.abs().max()) > 1e-2


@pytest.mark.parametrize("name", SPECS)
def test_rates_are_the_recorded_ones(name: str, target: str) -> None:
    module = module_of_spec(SPECS[name], target=target)
    found = [module.learning_rate(t) for t in range(3)]
    assert found == pytest.approx(oracle(name).rates, rel=1e-15)


@pytest.mark.parametrize("name", SPECS)
def test_steps_follow_the_recorded_trajectory(name: str, target: str) -> None:
    """Every recorded state and every loss agrees to 1e-12."""
    found = differences(module_of_spec(SPECS[name], target=target), oracle(name))
    assert found.keys() == {"step1", "step10", "step100", "step600", "losses"}
    assert {what: d for what, d in found.items() if not d <= BOUND} == {}


@IN_TURN
@pytest.mark.parametrize("name", SPECS)
def test_fit_follows_the_recorded_trajectory(
    name: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`fit`, given the recorded orders, ends in the recorded state with the recorded losses."""
    recorded = oracle(name)
    module = module_of_spec(SPECS[name], target=target)

    def ordered(seed: int, stream: str, count: int) -> Tensor:
        kind, epoch = stream.split("/")
        assert (kind, count) == ("shuffle", len(recorded.x))
        return recorded.orders[int(epoch)]

    monkeypatch.setattr(module, "permutation", ordered)
    net = module.Model(dtype=torch.float64)
    net.load_state_dict(recorded.states[0])
    history = net.fit(recorded.x, recorded.y)
    assert apart(net, recorded, 600) <= BOUND
    means = recorded.losses.view(3, 200).mean(dim=1).tolist()
    found = [logs["train_loss"] for logs in history]
    assert found == pytest.approx(means, rel=0, abs=BOUND)
    assert [logs["lr"] for logs in history] == pytest.approx(recorded.rates, rel=1e-15)


Change = Callable[[ModuleType, pytest.MonkeyPatch], None]


def _rate_off(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    rate = module.learning_rate
    patch.setattr(module, "learning_rate", lambda t: rate(t) * (1 + 1e-9))


def _rate_late(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    rate = module.learning_rate
    patch.setattr(module, "learning_rate", lambda t: rate(max(t - 1, 0)))


def _bias_dropped(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    backward = module.backward

    def without(p: Any, g: Any, *rest: Any) -> None:
        backward(p, g, *rest)
        g.named["linear2.bias"][:] = 0

    patch.setattr(module, "backward", without)


def _gradient_rounded(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    update = module.update

    def rounded(theta: Tensor, gradient: Tensor, lr: float) -> None:
        update(theta, gradient.float().double(), lr)

    patch.setattr(module, "update", rounded)


def _last_twice(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    backward = module.backward

    def twice(p: Any, g: Any, *rest: Any) -> None:
        backward(p, g, *rest)
        last = list(g.named)[-1]
        g.named[last][:] *= 1 + 1e-9

    patch.setattr(module, "backward", twice)


FAULTS: dict[str, Change] = {
    "rate off by 1e-9": _rate_off,
    "bias not updated": _bias_dropped,
    "gradient rounded to float32": _gradient_rounded,
    "last bias off by 1e-9": _last_twice,
}


@IN_TURN
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SPECS)
def test_a_planted_fault_leaves_the_trajectory(
    name: str, fault: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The smallest faults are far outside the bound."""
    module = module_of_spec(SPECS[name], target=target)
    FAULTS[fault](module, monkeypatch)
    assert max(differences(module, oracle(name)).values()) > 2 * BOUND


def test_a_schedule_one_epoch_late_leaves_the_trajectory(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of_spec(SPECS["disk_time_decay"], target=target)
    _rate_late(module, monkeypatch)
    found = differences(module, oracle("disk_time_decay"))
    assert found["step100"] <= BOUND < 1e-3 < found["step600"]
