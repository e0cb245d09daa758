"""`fit` of the emitted module against torch.nn and torch.optim, in the order of the streams."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cases.fits import (
    GROWING,
    MOMENTUM,
    Fault,
    spec,
    state,
    without_seconds,
)
from tests.cases.modules import changed, module_of_spec
from tests.cases.samples import samples, sequential
from tests.cases.streams import order


def taught(
    text: str,
    data: tuple[Tensor, Tensor],
    *,
    rates: list[float],
    batch: int,
    shuffle: bool = True,
    drop: bool = False,
    **sgd: Any,
) -> tuple[list[Tensor], list[float]]:
    """Train with torch alone; give the parameters and the train_loss of every epoch."""
    module = module_of_spec(text)
    net = sequential(text)
    net.load_state_dict(module.Model(dtype=torch.float64).state_dict())
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0, **sgd)
    x, y = data
    states, losses = [], []
    for epoch, rate in enumerate(rates):
        optimizer.param_groups[0]["lr"] = rate
        turn = order(0, f"shuffle/{epoch}", len(x)) if shuffle else list(range(len(x)))
        total, seen = 0.0, 0
        for first in range(0, len(x), batch):
            chosen = turn[first : first + batch]
            if drop and len(chosen) < batch:
                continue
            loss = (net(x[chosen]) - y[chosen]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
            seen += len(chosen)
        losses.append(total / seen)
        states.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    return states, losses


def in_order(model: Any) -> Tensor:
    """Give all parameters one after another, as torch's state_dict has them."""
    return torch.cat([p.flatten() for p in model.state_dict().values()])


LOOPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({"batch_size": 4}, {"batch": 4}),
    "one by one": ({"batch_size": 1}, {"batch": 1}),
    "all at once": ({"batch_size": 100}, {"batch": 100}),
    "in order": (
        {"batch_size": 4, "shuffle": "false"},
        {"batch": 4, "shuffle": False},
    ),
    "whole batches": (
        {"batch_size": 4, "drop_last": "true"},
        {"batch": 4, "drop": True},
    ),
    "momentum": (
        {"batch_size": 4, "sgd": "lr=0.1, momentum=0.8, weight_decay=0.01"},
        {"batch": 4, "momentum": 0.8, "weight_decay": 0.01},
    ),
    "nesterov": (
        {"batch_size": 4, "sgd": "lr=0.1, momentum=0.8, nesterov=true"},
        {"batch": 4, "momentum": 0.8, "nesterov": True},
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_training_is_that_of_torch(name: str, target: str) -> None:
    written, said = LOOPS[name]
    text = spec(epochs=5, more="schedule time_decay(0.5)", **written)
    module = module_of_spec(text, target=target)
    x, y = samples(module, 11)
    rates = [0.1 / (1 + 0.5 * t) for t in range(5)]
    states, losses = taught(text, (x, y), rates=rates, **said)
    model = module.Model(dtype=torch.float64)
    found: list[Tensor] = []
    evaluated: list[float] = []

    def watch(epoch: int, logs: dict[str, float]) -> None:
        found.append(in_order(model))
        evaluated.append(model.evaluate(x[:6], y[:6])["loss"])

    history = model.fit(x, y, x[:6], y[:6], callback=watch)
    for mine, theirs in zip(found, states, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-13)
    assert [logs["train_loss"] for logs in history] == pytest.approx(losses, rel=1e-12)
    assert [logs["val_loss"] for logs in history] == evaluated
    assert [logs["lr"] for logs in history] == pytest.approx(rates, rel=1e-15)
    assert [logs["epoch"] for logs in history] == [0, 1, 2, 3, 4]
    assert all(logs["seconds"] > 0 for logs in history)
    assert history.seconds >= sum(logs["seconds"] for logs in history)
    assert (history.stopped_by, history.stopped_epoch) == ("epochs", 4)


def test_history_has_metrics_and_no_validation_where_there_is_none(target: str) -> None:
    text = spec(epochs=2, batch_size=4, more="metric accuracy")
    module = module_of_spec(text, target=target)
    data = samples(module, 11)
    model = module.Model(dtype=torch.float64)
    first, _ = model.fit(*data)
    names = ["epoch", "lr", "train_loss", "train_accuracy", "seconds"]
    assert list(first) == names
    first, _ = model.fit(*data, *data)
    assert set(first) == {*names, "val_loss", "val_accuracy"}


@pytest.mark.parametrize("count", [1, 3])
def test_few_samples_and_one_epoch(count: int, target: str) -> None:
    module = module_of_spec(spec(epochs=50, batch_size=8), target=target)
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, count)
    loss, gradients = model.loss_and_gradients(x, y)
    start = {name: p.clone() for name, p in model.parameters.items()}
    history = model.fit(x, y, epochs=1)
    assert [logs["train_loss"] for logs in history] == pytest.approx([loss])
    for name, p in model.parameters.items():
        torch.testing.assert_close(p, start[name] - 0.1 * gradients[name])


def test_less_than_a_batch_is_refused_where_short_ones_are_dropped(target: str) -> None:
    module = module_of_spec(
        spec(epochs=1, batch_size=8, drop_last="true"), target=target
    )
    with pytest.raises(ValueError, match="x: less than one batch of 8, found 7"):
        module.Model(dtype=torch.float64).fit(*samples(module, 7))


@pytest.mark.parametrize("epochs", [0, -1])
def test_fit_needs_an_epoch(epochs: int, target: str) -> None:
    module = module_of_spec(MOMENTUM, target=target)
    x, y = samples(module, 10)
    with pytest.raises(ValueError, match=f"expected an integer from 1, found {epochs}"):
        module.Model(dtype=torch.float64).fit(x, y, x, y, epochs=epochs)


def check_fits_are_apart(module: ModuleType) -> None:
    """See that a second fit knows nothing of the first."""
    x, y = samples(module, 10)
    model, fresh = (module.Model(dtype=torch.float64) for _ in range(2))
    start = model.state_dict()
    first = model.fit(x, y, x[:4], y[:4])
    end = state(model)
    model.train_step(x, y, 0.1)
    model.load_state_dict(start)
    second = model.fit(x, y, x[:4], y[:4])
    assert torch.equal(state(model), end) and first is not second
    assert without_seconds(first) == without_seconds(second)
    assert vars(first) | {"seconds": 0} == vars(second) | {"seconds": 0}
    fresh.fit(x, y, x[:4], y[:4])
    assert torch.equal(state(fresh), end)


def test_nothing_leaks_from_one_fit_into_the_next(target: str) -> None:
    check_fits_are_apart(module_of_spec(MOMENTUM, target=target))


# A loss that is not finite.


def exploded(
    model: Any, x: Tensor, y: Tensor, batch: int, rate: float
) -> tuple[int, int, list[Tensor]]:
    """Step until a loss is not finite: epoch, update, the parameters before each update."""
    states = []
    for epoch in range(300):
        turn = torch.tensor(order(0, f"shuffle/{epoch}", len(x)))
        for update, chosen in enumerate(turn.split(batch)):
            states.append(state(model))
            if not math.isfinite(float(model.train_step(x[chosen], y[chosen], rate))):
                return epoch, update, states
    raise AssertionError("the loss stays finite")


@pytest.mark.filterwarnings("ignore:overflow encountered")  # of steps outside fit
@pytest.mark.parametrize("batch", [2, 6, 50])
@pytest.mark.parametrize("sgd", ["lr=1e3", "lr=1e30", "lr=1e2, momentum=0.9"])
def test_a_loss_that_is_not_finite_ends_training(
    sgd: str, batch: int, target: str
) -> None:
    module = module_of_spec(GROWING.format(sgd=sgd, batch=batch), target=target)
    model, again = (module.Model(dtype=torch.float64) for _ in range(2))
    x, y = samples(module, 12)
    history = model.fit(x, y)
    assert history.stopped_by == "non_finite"
    assert model.flat_parameters.isfinite().all()
    assert math.isfinite(model.loss(x, y))
    epoch, update, states = exploded(again, x, y, batch, module.learning_rate(0))
    assert len(history) == epoch == history.stopped_epoch + 1
    assert f"not finite at epoch {epoch}, update {update};" in history.note
    torch.testing.assert_close(state(model), states[-2], rtol=1e-9, atol=0)


def test_early_stopping_gives_the_best_where_the_loss_explodes(target: str) -> None:
    text = GROWING.format(sgd="lr=3", batch=6) + "early_stopping(patience=300)"
    module = module_of_spec(text, target=target)
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 12)
    history = model.fit(x, y, x, y)
    assert history.stopped_by == "non_finite" and history.note
    best = min(logs["val_loss"] for logs in history)
    assert model.evaluate(x, y)["loss"] == best


FORGOTTEN = {
    "torch": "            vector.zero_()\n",
    "numpy": "            vector[:] = 0\n",
    "c": "            vector[:] = 0\n",
}


LEAKS: dict[str, Fault] = {
    "velocity": lambda target: (FORGOTTEN[target], "            pass\n"),
    "history": lambda _: (
        "        self.history = History()\n",
        '        self.history = vars(model).setdefault("kept", History())\n',
    ),
}


@pytest.mark.parametrize("fault", LEAKS)
def test_a_leak_is_seen(fault: str, target: str) -> None:
    changes = [(".py", *LEAKS[fault](target))]
    if fault == "velocity" and target == "c":
        changes.append((".c", "  memset(&m->velocity, 0, sizeof m->velocity);\n", ""))
    module = changed(MOMENTUM, target, *changes)
    with pytest.raises(AssertionError):
        check_fits_are_apart(module)
