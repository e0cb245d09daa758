"""Each schedule of the library against torch's, by epoch and by update, on every target."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from specc.verify.reference.network import samples
from tests.cases.modules import checked, module_of_spec
from tests.cases.schedules import BY_PERIOD, PLATEAUS, RATE, Scheduler
from tests.cases.specs import codes
from tests.cases.specs import spec as statements

TEXT = """
model net
input x: real[4]
target y: real[2]
layers {{ linear(5) tanh linear(2) }}
loss mse
optimizer sgd(lr={lr}, momentum={momentum})
schedule {schedule}
train(epochs={epochs}, batch_size=3{more})
"""
COUNT = 200


def text_of(schedule: str, **changes: Any) -> str:
    given = {"lr": RATE, "momentum": 0, "epochs": COUNT, "more": "", **changes}
    return TEXT.format(schedule=schedule, **given)


def of_torch(make: Callable[[Any, int], Any], warmup: int, total: int) -> list[float]:
    """The 200 values that torch's scheduler gives, which starts after the warmup."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = make(optimizer, total - warmup)
    found = [RATE * (t + 1) / warmup for t in range(warmup)]
    while len(found) < COUNT:
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("warmup", [0, 1, 12])
@pytest.mark.parametrize("schedule", BY_PERIOD)
def test_rates_by_epoch_are_those_of_torch(
    schedule: str, warmup: int, target: str
) -> None:
    written = schedule.replace(")", f", warmup={warmup})").replace("(,", "(")
    module = module_of_spec(text_of(written), target=target)
    found = [module.learning_rate(t) for t in range(COUNT)]
    expected = of_torch(BY_PERIOD[schedule], warmup, COUNT)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-15)


def by_step(schedule: str, warmup: int = 0) -> str:
    return schedule.replace(")", f", per=step, warmup={warmup})").replace("(,", "(")


@pytest.mark.parametrize("warmup", [0, 12])
@pytest.mark.parametrize("schedule", BY_PERIOD)
def test_rates_by_update_are_those_of_torch(
    schedule: str, warmup: int, target: str
) -> None:
    """Of 50 epochs of 4 updates, all of which `learning_rates` gives an epoch at a time."""
    text = text_of(by_step(schedule, warmup), epochs=50)
    module = module_of_spec(text, target=target)
    found = [rate for epoch in range(50) for rate in module.learning_rates(epoch, 10)]
    expected = of_torch(BY_PERIOD[schedule], warmup, COUNT)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-15)


def test_warmup_is_that_of_a_linear_scheduler(target: str) -> None:
    """Before the rest of a SequentialLR: LinearLR from lr / 5 on."""
    text = text_of("cosine(warmup=5)", epochs=COUNT)
    module = module_of_spec(text, target=target)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=RATE)
    parts = [
        Scheduler.LinearLR(optimizer, start_factor=1 / 5, total_iters=4),
        Scheduler.CosineAnnealingLR(optimizer, COUNT - 5),
    ]
    whole = Scheduler.SequentialLR(optimizer, parts, milestones=[5])
    for t in range(COUNT):
        expected = whole.get_last_lr()[0]
        assert module.learning_rate(t) == pytest.approx(expected, rel=1e-9, abs=1e-15)
        optimizer.step()
        whole.step()


@pytest.mark.parametrize("warmup", [5, 6])
def test_a_warmup_may_take_all_epochs(warmup: int, target: str) -> None:
    text = text_of(f"cosine(warmup={warmup})", epochs=5)
    module = module_of_spec(text, target=target)
    found = [module.learning_rate(t) for t in range(5)]
    assert found == pytest.approx([RATE * (t + 1) / warmup for t in range(5)])
    assert math.isfinite(module.learning_rate(9))


STEPPED = ["cosine()", "step_decay(0.5, 3)", "multi_step([2, 9], 0.5)"]


@pytest.mark.parametrize("momentum", [0, 0.8])
@pytest.mark.parametrize("schedule", STEPPED)
@pytest.mark.parametrize("per", ["step", "epoch"])
def test_fit_asks_for_the_rate_of_every_update(
    schedule: str, momentum: float, per: str, target: str
) -> None:
    """The history has the rate of the last update of each epoch."""
    written = by_step(schedule, 2).replace("per=step", f"per={per}")
    more = ", shuffle=false"
    text = text_of(written, epochs=4, momentum=momentum, more=more)
    module = module_of_spec(text, target=target)
    x, y = samples(checked(text), 10)
    whole, single = (module.Model(dtype=torch.float64) for _ in range(2))
    history = whole.fit(x, y)
    for epoch in range(4):
        rates = [module.learning_rate(epoch)] * 4 if per == "epoch" else None
        rates = rates or module.learning_rates(epoch, 10)
        for start, rate in zip(range(0, 10, 3), rates, strict=True):
            batch = slice(start, start + 3)
            single.train_step(x[batch], y[batch], rate)
        assert history[epoch]["lr"] == pytest.approx(rates[-1], rel=1e-15)
    torch.testing.assert_close(
        whole.flat_parameters, single.flat_parameters, rtol=0, atol=1e-14
    )


def test_updates_without_a_last_short_batch_are_counted(target: str) -> None:
    text = text_of("cosine(per=step)", epochs=4, more=", drop_last=true")
    module = module_of_spec(text, target=target)
    x, y = samples(checked(text), 10)
    history = module.Model(dtype=torch.float64).fit(x, y)
    cosine = [RATE * (1 + math.cos(math.pi * t / 12)) / 2 for t in (2, 5, 8, 11)]
    assert [logs["lr"] for logs in history] == pytest.approx(cosine)


@pytest.mark.parametrize("schedule", STEPPED)
def test_fit_goes_on_where_it_was(schedule: str, target: str, tmp_path: Path) -> None:
    text = text_of(by_step(schedule, 2), epochs=6, momentum=0.5)
    module = module_of_spec(text, target=target)
    x, y = samples(checked(text), 10)
    whole, part, other = (module.Model(dtype=torch.float64) for _ in range(3))
    history = whole.fit(x, y)
    part.fit(x, y, epochs=6, until=2, checkpoint=tmp_path / "run")
    resumed = other.fit(x, y, checkpoint=tmp_path / "run", resume=True)
    assert torch.equal(other.flat_parameters, whole.flat_parameters)
    assert [logs["lr"] for logs in resumed] == [logs["lr"] for logs in history]


LENGTHS = ["cosine()", "polynomial()", "cosine(end=0.001)"]


@pytest.mark.parametrize("per", ["epoch", "step"])
@pytest.mark.parametrize("schedule", LENGTHS)
def test_a_shorter_run_anneals_over_its_own_length(
    schedule: str, per: str, target: str, tmp_path: Path
) -> None:
    """A spec of 100 epochs, trained for 6, is that of 6."""
    written = by_step(schedule, 2).replace("per=step", f"per={per}")
    module = module_of_spec(text_of(written, epochs=100), target=target)
    short = module_of_spec(text_of(written, epochs=6), target=target)
    x, y = samples(checked(text_of(written)), 10)
    model, expected = (each.Model(dtype=torch.float64) for each in (module, short))
    history, wanted = model.fit(x, y, epochs=6), expected.fit(x, y)
    assert [logs["lr"] for logs in history] == [logs["lr"] for logs in wanted]
    assert torch.equal(model.flat_parameters, expected.flat_parameters)
    if per == "epoch":
        assert [logs["lr"] for logs in history] == [
            module.learning_rate(t, epochs=6) for t in range(6)
        ]
    part, other = (module.Model(dtype=torch.float64) for _ in range(2))
    part.fit(x, y, epochs=6, until=2, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="resume with epochs=6"):
        other.fit(x, y, checkpoint=tmp_path / "run", resume=True)
    other.fit(x, y, epochs=6, checkpoint=tmp_path / "run", resume=True)
    assert torch.equal(other.flat_parameters, model.flat_parameters)


@pytest.mark.parametrize("until", [0, 4, 1.5])
def test_a_part_lies_within_the_run(until: float, target: str) -> None:
    text = text_of("constant", epochs=3)
    x, y = samples(checked(text), 10)
    with pytest.raises(ValueError, match="until: expected 1 to 3 epochs, found"):
        module_of_spec(text, target=target).Model(dtype=torch.float64).fit(
            x, y, until=until
        )


@pytest.mark.parametrize("milestones", ["[]", "[4, 2]", "[2, 2]", "[-1]"])
def test_milestones_rise(milestones: str) -> None:
    assert codes(statements(schedule=f"schedule multi_step({milestones}, 0.5)")) != []


PLATEAU = """model net
input x: real[2]
target y: real[1]
layers {{ linear(8) relu linear(1) }}
loss binary_cross_entropy
optimizer sgd(lr=2)
schedule {schedule}
metric accuracy
train(epochs=40, batch_size=8)
"""


@pytest.mark.parametrize("schedule", PLATEAUS)
def test_a_plateau_reduces_the_rate_as_torch_does(schedule: str, target: str) -> None:
    """Forty epochs of a rate that is too high: every rate is that of ReduceLROnPlateau."""
    module = module_of_spec(PLATEAU.format(schedule=schedule), target=target)
    model = module.Model(dtype=torch.float64)
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(60, 2, dtype=torch.float64, generator=draw)
    y = (x.sum(dim=1, keepdim=True) > 1).double()
    for _ in range(2):  # the second fit knows nothing of the first
        history = model.fit(x[:40], y[:40], x[40:], y[40:])
        own = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
        arguments = {"threshold": 0.0, "threshold_mode": "abs", "eps": 0.0} | PLATEAUS[
            schedule
        ]
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(own, **arguments)
        monitor = schedule.partition("monitor=")[2].strip(")").split(",")[0]
        rates = []
        for logs in history:
            rates.append(own.param_groups[0]["lr"])
            scheduler.step(logs[monitor or "val_loss"])
        assert [logs["lr"] for logs in history] == pytest.approx(rates, rel=1e-12)
    assert len(set(rates)) > 2


def test_a_plateau_warms_up_first(target: str) -> None:
    schedule = "plateau(factor=0.5, patience=2, warmup=4)"
    module = module_of_spec(PLATEAU.format(schedule=schedule), target=target)
    assert [module.learning_rate(t) for t in range(5)] == [0.5, 1, 1.5, 2, 2]
    assert module.learning_rate(9, 3) == 0.25


def test_a_plateau_asks_for_what_it_watches(target: str) -> None:
    schedule = "plateau(factor=0.5, patience=2)"
    module = module_of_spec(PLATEAU.format(schedule=schedule), target=target)
    x = torch.rand(9, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match="depends on val_loss: give x_val and y_val"):
        module.Model(dtype=torch.float64).fit(x, x[:, :1].round())
