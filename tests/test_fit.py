"""`fit` of the emitted module against the definitions of semantics.md, written out again here.

Faults are planted into the emitted text at the end: the checks above have to see each of them.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.modules import IN_PYTHON, ROOT, changed, module_of_spec, write_module
from tests.samples import samples, sequential

SPEC = """
model tiny
input point: real[2]
target label: real[1]
layers { linear(5, weight=he_normal) tanh linear(1) }
loss mse
"""

NAN, INF = math.nan, math.inf


def spec(
    sgd: str = "lr=0.1", early: str | None = None, more: str = "", **train: object
) -> str:
    """Write a small spec: `early` are the arguments of early_stopping, None is without."""
    settings = ", ".join(f"{name}={value}" for name, value in train.items())
    lines = [SPEC, f"optimizer sgd({sgd})", more, f"train({settings})"]
    lines += [] if early is None else [f"early_stopping({early})"]
    return "\n".join(lines)


def state(model: Any) -> Tensor:
    """Copy the parameters, and the buffers where there are any."""
    parts = (model.flat_parameters, getattr(model, "flat_buffers", torch.zeros(0)))
    return torch.cat([part.to(parts[0].dtype) for part in parts])


def without_seconds(history: Any) -> list[dict[str, float]]:
    return [{k: v for k, v in logs.items() if k != "seconds"} for logs in history]


# Random numbers, in Python's own integers.

WORD, GOLDEN = 2**64, 0x9E3779B97F4A7C15


def mixed(value: int) -> int:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % WORD
    return value ^ (value >> 31)


def drawn(seed: int, stream: str, count: int) -> list[int]:
    name = 14695981039346656037
    for byte in stream.encode("utf-8"):
        name = (name ^ byte) * 1099511628211 % WORD
    key = mixed((seed + GOLDEN * name) % WORD)
    return [mixed((key + (i + 1) * GOLDEN) % WORD) for i in range(count)]


def uniforms(seed: int, stream: str, count: int) -> list[float]:
    return [(word >> 11) * 2.0**-53 for word in drawn(seed, stream, count)]


def normals(seed: int, stream: str, count: int) -> list[float]:
    u = uniforms(seed, stream, 2 * count)
    pairs = zip(u[::2], u[1::2], strict=True)
    return [
        math.sqrt(-2 * math.log(1 - a)) * math.cos(2 * math.pi * b) for a, b in pairs
    ]


def order(seed: int, stream: str, count: int) -> list[int]:
    keys = [word >> 1 for word in drawn(seed, stream, count)]
    return sorted(range(count), key=keys.__getitem__)


def cut_normals(seed: int, stream: str, count: int) -> list[float]:
    """What lies beyond two is drawn again, at the same index of the stream `…/1`, `…/2`."""
    z = normals(seed, stream, count)
    for attempt in itertools.count(1):
        if max(map(abs, z)) <= 2:
            return z
        again = normals(seed, f"{stream}/{attempt}", count)
        z = [new if abs(old) > 2 else old for old, new in zip(z, again, strict=True)]
    raise AssertionError


Start = Callable[[int, str, int, int], list[float]]
"""(seed, stream, fan in, fan out) to the numbers of a weight."""


def scaled(low: Callable[[int, int], float]) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        return [low(fi, fo) * (2 * u - 1) for u in uniforms(seed, stream, fi * fo)]

    return start


def spread(std: Callable[[int, int], float], mean: float = 0.0) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        return [mean + std(fi, fo) * z for z in normals(seed, stream, fi * fo)]

    return start


def cut(std: Callable[[int, int], float], mean: float = 0.0) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        unit = std(fi, fo) / 0.87962566103423978
        return [mean + unit * z for z in cut_normals(seed, stream, fi * fo)]

    return start


def between(low: float, high: float) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        return [low + (high - low) * u for u in uniforms(seed, stream, fi * fo)]

    return start


def orthonormal(gain: float) -> Start:
    def start(seed: int, stream: str, fi: int, fo: int) -> list[float]:
        tall = np.array(normals(seed, stream, fi * fo)).reshape(
            max(fi, fo), min(fi, fo)
        )
        q, r = np.linalg.qr(tall)
        q = q * np.sign(np.diag(r))
        found = gain * (q if fo >= fi else q.T)
        assert isinstance(found, np.ndarray)
        return [float(number) for number in found.ravel()]

    return start


def all_of(value: float) -> Start:
    return lambda seed, stream, fi, fo: [value] * (fi * fo)


STARTS: dict[str, Start] = {
    "xavier_uniform": scaled(lambda fi, fo: math.sqrt(6 / (fi + fo))),
    "xavier_uniform(gain=3)": scaled(lambda fi, fo: 3 * math.sqrt(6 / (fi + fo))),
    "xavier_normal": spread(lambda fi, fo: math.sqrt(2 / (fi + fo))),
    "xavier_normal(gain=2, truncated=true)": cut(
        lambda fi, fo: 2 * math.sqrt(2 / (fi + fo))
    ),
    "he_uniform": scaled(lambda fi, fo: math.sqrt(6 / fi)),
    "he_uniform(mode=fan_out)": scaled(lambda fi, fo: math.sqrt(6 / fo)),
    "he_normal": spread(lambda fi, fo: math.sqrt(2 / fi)),
    "he_normal(mode=fan_out)": spread(lambda fi, fo: math.sqrt(2 / fo)),
    "he_normal(truncated=true)": cut(lambda fi, fo: math.sqrt(2 / fi)),
    "uniform": between(-0.05, 0.05),
    "uniform(low=-1, high=3)": between(-1.0, 3.0),
    "uniform(low=1, high=3)": between(1.0, 3.0),
    "normal": spread(lambda fi, fo: 0.05),
    "normal(mean=-1, std=0.2)": spread(lambda fi, fo: 0.2, -1.0),
    "normal(mean=1, std=2, truncated=true)": cut(lambda fi, fo: 2.0, 1.0),
    "constant(0.25)": all_of(0.25),
    "zeros": all_of(0.0),
    "ones": all_of(1.0),
    "torch_default": scaled(lambda fi, fo: 1 / math.sqrt(fi)),
    "orthogonal": orthonormal(1.0),
    "orthogonal(gain=0.5)": orthonormal(0.5),
}

FANS = ((17, 12), (12, 17))
"""Fan-in and fan-out of the layers that each initializer starts."""

BIASES: dict[str, Start] = {
    "uniform(low=-1, high=3)": between(-1.0, 3.0),
    "normal(mean=-1, std=0.2)": spread(lambda fi, fo: 0.2, -1.0),
    "constant(0.25)": all_of(0.25),
    "zeros": all_of(0.0),
    "ones": all_of(1.0),
    "torch_default": scaled(lambda fi, fo: 1 / math.sqrt(17)),
}


@pytest.fixture(scope="module")
def started(target: str) -> ModuleType:
    """Give a net with a layer for each initializer, 17 to 12 and 12 to 17 in turn."""
    layers = [
        f"linear({units}, weight={name})"
        for name in STARTS
        for units in (12, 17)  # wide, then tall
    ]
    layers += [f"linear(17, bias={name})" for name in BIASES]
    text = "model net input point: real[17] target goal: real[17] loss mse\n"
    text += f"layers {{ {' '.join(layers)} }} optimizer sgd(lr=0.1)"
    return module_of_spec(text, target=target)


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_starts_equal_their_formulas(started: ModuleType, seed: int) -> None:
    found = started.Model(seed=seed, dtype=torch.float64).parameters
    cases = [(start, fi, fo) for start in STARTS.values() for fi, fo in FANS]
    for number, (start, fi, fo) in enumerate(cases, 1):
        name = f"linear{number}.weight"
        expected = torch.tensor(
            start(seed, f"init/{name}", fi, fo), dtype=torch.float64
        )
        torch.testing.assert_close(
            found[name], expected.view(fo, fi), rtol=1e-12, atol=1e-14
        )
    for number, start in enumerate(BIASES.values(), len(cases) + 1):
        name = f"linear{number}.bias"
        numbers = start(seed, f"init/{name}", 1, 17)
        expected = torch.tensor(numbers, dtype=torch.float64)
        torch.testing.assert_close(found[name], expected, rtol=1e-12, atol=1e-14)


def test_a_float32_start_is_the_float64_one_rounded(started: ModuleType) -> None:
    double = started.Model(dtype=torch.float64).flat_parameters
    assert torch.equal(started.Model().flat_parameters, double.float())


@pytest.mark.parametrize("target", IN_PYTHON, scope="session")
@pytest.mark.parametrize("seed", [0, 1, 2**63])
@pytest.mark.parametrize("stream", ["shuffle/0", "shuffle/17", ""])
def test_streams_equal_their_definition(
    started: ModuleType, seed: int, stream: str, target: str
) -> None:
    signed = [
        word - WORD if word >= 2**63 else word for word in drawn(seed, stream, 50)
    ]
    assert started.bits(seed, stream, 50).tolist() == signed
    found = started.uniform(seed, stream, (5, 10))
    assert found.dtype == torch.float64
    assert found.flatten().tolist() == uniforms(seed, stream, 50)
    assert started.normal(seed, stream, (50,)).tolist() == pytest.approx(
        normals(seed, stream, 50), rel=1e-12, abs=1e-15
    )
    for count in (1, 2, 257):
        made = started.permutation(seed, stream, count).tolist()
        assert made == order(seed, stream, count)


# Training, against torch.nn, torch.optim and autograd in the order of the streams.


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


# Early stopping.


TOLD = "if (x_val) now.validation = tiny_evaluate(m, x_val, y_val, n_val);"
"""What a fit in C does for the figures of validation."""


def told(
    text: str, target: str, name: str = "loss", *changes: tuple[str, str, str]
) -> Any:
    """Import a module in which validation may say a trace: in C it is made to read it."""
    if target == "c":
        said = f"now.validation.{name} = (double)x_val[TINY_INPUT * epoch];"
        others = "now.validation.loss = 1; "
        changes = ((".c", TOLD, others + said), *changes)
    if not changes:
        return module_of_spec(text, target=target)
    module = changed(text, target, *changes)
    if target == "c":
        module.check_finite = lambda value, name: None
        module.reads_traces = True
    return module


def followed(
    module: Any, trace: list[float], name: str = "loss"
) -> tuple[Any, list[Tensor], Any]:
    """Fit while validation says `trace`: the history, every epoch's parameters, the model."""
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 3)
    x_val, y_val = x, y
    if getattr(module, "reads_traces", False):
        x_val, y_val = samples(module, len(trace))
        x_val[:, 0] = torch.tensor(trace)
    else:
        saying = iter(trace)
        model._evaluate = lambda x, y: {"loss": 1.0, name: next(saying)}
    states: list[Tensor] = []

    def remember(epoch: int, logs: dict[str, float]) -> None:
        states.append(state(model))

    history = model.fit(x, y, x_val, y_val, epochs=len(trace), callback=remember)
    return history, states, model


TRACES = {
    "worse again": ([0.2, 0.15, 0.1, 0.11, 0.12], 4, 2),
    "up and down": ([10, 9, 8, 9, 8.9, 8.8], 4, 2),
    "nan": ([NAN, 3, 2, NAN, NAN], 4, 2),
    "ties": ([5, 4, 4, 4, 3], 3, 1),
    "infinity": ([INF, 3, -INF, 2, INF, INF], 5, 3),
    "never better": ([NAN, NAN, 1], 1, -1),
    "better to the end": ([5, 4, 3, 2], 3, 3),
    "last moment": ([5, 6, 4, 5, 3, 3.5], 5, 4),
}


def check_trace(module: ModuleType, trace: list[float], stop: int, best: int) -> None:
    """See that a fit stops after epoch `stop` and gives the parameters of epoch `best`."""
    history, states, model = followed(module, trace)
    assert (history.stopped_epoch, history.best_epoch) == (stop, best)
    assert len(history) == len(states) == stop + 1
    assert torch.equal(state(model), states[best])
    assert len({tuple(s.tolist()) for s in states}) == len(states)  # epochs differ
    early = len(trace) > stop + 1 or history.stopped_by == "early_stopping"
    assert history.stopped_by == ("early_stopping" if early else "epochs")


PATIENT = spec(epochs=9, early="patience=2", batch_size=2)


@pytest.mark.parametrize("name", TRACES)
def test_traces_hold(name: str, target: str) -> None:
    check_trace(told(PATIENT, target), *TRACES[name])


def ruled(
    trace: list[float], patience: int, delta: float, sign: int, start: int
) -> tuple[int, int]:
    """The rule of semantics.md: (last epoch, best epoch)."""
    best_epoch, best, reference, waited = -1, INF, INF, 0
    for epoch, raw in enumerate(trace):
        value = sign * raw
        if epoch < start:
            continue
        if math.isfinite(value) and value < best:
            best_epoch, best = epoch, value
        if math.isfinite(value) and value < reference - delta:
            reference, waited = value, 0
        else:
            waited += 1
        if waited == patience:
            return epoch, best_epoch
    return len(trace) - 1, best_epoch


VARIANTS: dict[str, tuple[str, tuple[int, float, int, int]]] = {
    "patience=2": ("val_loss", (2, 0, 1, 0)),
    "patience=1": ("val_loss", (1, 0, 1, 0)),
    "patience=3, min_delta=1": ("val_loss", (3, 1, 1, 0)),
    "patience=2, min_delta=0.5, start=2": ("val_loss", (2, 0.5, 1, 2)),
    "patience=2, mode=max": ("val_loss", (2, 0, -1, 0)),
    "patience=2, min_delta=1, mode=max": ("val_loss", (2, 1, -1, 0)),
    "monitor=val_accuracy, patience=2": ("val_accuracy", (2, 0, -1, 0)),
    "monitor=val_accuracy, patience=2, mode=min": ("val_accuracy", (2, 0, 1, 0)),
}

VALUES = st.sampled_from([0.0, 0.5, 1.0, 1.25, 2.0, 3.0, NAN, INF, -INF])


@pytest.mark.parametrize("variant", VARIANTS)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(trace=st.lists(VALUES, min_size=1, max_size=9))
def test_any_trace_follows_the_rule(
    variant: str, trace: list[float], target: str
) -> None:
    monitor, rule = VARIANTS[variant]
    text = spec(epochs=9, early=variant, batch_size=3, more="metric accuracy")
    name = monitor.removeprefix("val_")
    history, states, model = followed(told(text, target, name), trace, name)
    stop, best = ruled(trace, *rule)
    assert (history.stopped_epoch, history.best_epoch) == (stop, best)
    assert torch.equal(state(model), states[best])


def test_the_reference_and_the_best_are_two_things(target: str) -> None:
    """Small gains move the best parameters and do not buy more time."""
    text = spec(epochs=9, early="patience=3, min_delta=1", batch_size=2)
    check_trace(told(text, target), [5, 4.5, 4.4, 4.3, 1], 3, 3)


def test_without_restore_the_last_parameters_stay(target: str) -> None:
    early = "patience=2, restore_best=false"
    history, states, model = followed(
        told(spec(epochs=9, early=early), target), [3, 1, 2, 2, 2]
    )
    assert (history.best_epoch, history.stopped_epoch) == (1, 3)
    assert torch.equal(state(model), states[3])


def test_training_figures_can_be_monitored_without_validation(target: str) -> None:
    text = spec(epochs=30, early="monitor=train_loss, patience=3")
    model = module_of_spec(text, target=target).Model(dtype=torch.float64)
    history = model.fit(*samples(module_of_spec(text, target=target), 20))
    losses = [logs["train_loss"] for logs in history]
    assert history.best_epoch == losses.index(min(losses))


def test_final_figures_are_those_of_the_best_parameters(target: str) -> None:
    module = module_of_spec(
        spec(sgd="lr=1.5", epochs=30, early="patience=30"), target=target
    )
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 9)
    history = model.fit(x, y, x, y)
    assert history.best_epoch < 29
    best = history[history.best_epoch]["val_loss"]
    assert best == min(logs["val_loss"] for logs in history)
    assert model.evaluate(x, y)["loss"] == best


MOMENTUM = spec(sgd="lr=0.3, momentum=0.9", epochs=12, early="patience=3", batch_size=3)


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


# Callbacks and interrupts.


def test_a_callback_sees_the_logs_and_may_stop(target: str) -> None:
    module = module_of_spec(spec(epochs=9, early="patience=9"), target=target)
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 5)
    seen: list[tuple[int, dict[str, float]]] = []

    def stop(epoch: int, logs: dict[str, float]) -> bool:
        seen.append((epoch, logs))
        return epoch == 3

    history = model.fit(x, y, x, y, callback=stop)
    assert [epoch for epoch, _ in seen] == [0, 1, 2, 3]
    assert [logs for _, logs in seen] == list(history)
    assert (history.stopped_by, history.stopped_epoch) == ("callback", 3)


@pytest.mark.parametrize("target", IN_PYTHON)
@pytest.mark.parametrize("where", ["callback", "update"])
def test_an_interrupt_keeps_the_best(
    where: str, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    module = module_of_spec(
        spec(epochs=9, early="patience=9", batch_size=2), target=target
    )
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 6)
    saying = iter([3.0, 1.0, 2.0, 4.0])
    model._evaluate = lambda x, y: {"loss": next(saying)}
    states: list[Tensor] = []
    update, counter = module.update, itertools.count(1)

    def slow(*arguments: Any) -> None:
        if where == "update" and next(counter) == 3 * 3 + 2:
            raise KeyboardInterrupt
        update(*arguments)

    def remember(epoch: int, logs: dict[str, float]) -> None:
        states.append(state(model))
        if where == "callback" and epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "update", slow)
    history = model.fit(x, y, x, y, callback=remember)
    assert history.stopped_by == "interrupted"
    assert (history.stopped_epoch, history.best_epoch) == (2, 1)
    assert torch.equal(state(model), states[1])


@pytest.mark.parametrize("error", [LookupError("mine"), KeyboardInterrupt()])
def test_an_error_in_a_callback_keeps_the_best(
    error: BaseException, target: str
) -> None:
    module = told(spec(epochs=9, early="patience=9"), target)
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 6)
    trace = [3.0, 1.0, 2.0]
    x_val, y_val = samples(module, 3)
    x_val[:, 0] = torch.tensor(trace)
    saying = iter(trace)
    if target in IN_PYTHON:
        model._evaluate = lambda x, y: {"loss": next(saying)}
    states: list[Tensor] = []

    def fail(epoch: int, logs: dict[str, float]) -> None:
        states.append(state(model))
        if epoch == 2:
            raise error

    if isinstance(error, KeyboardInterrupt):
        history = model.fit(x, y, x_val, y_val, callback=fail)
        assert history.stopped_by == "interrupted"
    else:
        with pytest.raises(LookupError, match="mine"):
            model.fit(x, y, x_val, y_val, callback=fail)
    assert torch.equal(state(model), states[1])


def test_validation_is_asked_for(target: str) -> None:
    module = module_of_spec(PATIENT, target=target)
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 5)
    before = state(model)
    with pytest.raises(ValueError, match="val_loss: give x_val and y_val"):
        model.fit(x, y)
    for half in ({"x_val": x}, {"y_val": y}):
        with pytest.raises(ValueError, match="x_val and y_val"):
            model.fit(x, y, **half)
    with pytest.raises(ValueError, match="x_val"):
        module_of_spec(spec(), target=target).Model(dtype=torch.float64).fit(
            x, y, x_val=x
        )
    assert torch.equal(state(model), before)


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


GROWING = """
model growing
input point: real[2]
target label: real[1]
layers {{ linear(3) linear(1) }}
loss mse
optimizer sgd({sgd})
train(epochs=300, batch_size={batch})
"""


def test_early_stopping_gives_the_best_where_the_loss_explodes(target: str) -> None:
    text = GROWING.format(sgd="lr=3", batch=6) + "early_stopping(patience=300)"
    module = module_of_spec(text, target=target)
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 12)
    history = model.fit(x, y, x, y)
    assert history.stopped_by == "non_finite" and history.note
    best = min(logs["val_loss"] for logs in history)
    assert model.evaluate(x, y)["loss"] == best


# Going on from a checkpoint.

WITH_STATE = """
model stateful
input point: real[2]
target label: real[1]
layers {{
  standardize linear(5, bias=none) batch_norm relu dropout(0.3) linear(4) dropout(0.2)
  linear(1)
}}
loss mse
optimizer sgd(lr={rate}, momentum=0.5)
train(epochs=9, batch_size=4)
{early}
"""

RESUMED = {
    "sgd": spec(sgd="lr=0.3", epochs=7, batch_size=3),
    "patient": spec(sgd="lr=1.2", epochs=14, batch_size=3, early="patience=3"),
    "slow to believe": spec(
        sgd="lr=1.2, momentum=0.5",
        epochs=14,
        batch_size=3,
        early="patience=4, min_delta=0.02, start=1",
    ),
    "momentum": MOMENTUM,
    "nesterov": spec(
        sgd="lr=0.2, momentum=0.9, nesterov=true, weight_decay=0.01",
        epochs=12,
        batch_size=3,
        early="patience=3, restore_best=false",
        more="schedule time_decay(0.1)",
    ),
    "adam": MOMENTUM.replace("sgd(lr=0.3, momentum=0.9)", "adam(lr=0.1)"),
    "plateau": spec(
        sgd="lr=1.2, momentum=0.5",
        epochs=14,
        batch_size=3,
        more="schedule plateau(factor=0.6, patience=2, monitor=train_loss)",
    ),
    "plateau, exploding": GROWING.format(sgd="lr=0.9, momentum=0.5", batch=5)
    + "schedule plateau(factor=0.9, patience=1, monitor=train_loss)",
    "state of layers": WITH_STATE.format(
        rate="0.1", early="early_stopping(patience=5)"
    ),
    "state of layers, exploding": WITH_STATE.format(rate="0.16", early=""),
    "exploding": GROWING.format(sgd="lr=1e3", batch=50),
    "exploding in batches": GROWING.format(sgd="lr=0.9, momentum=0.5", batch=5),
}


def check_resume(module: ModuleType, folder: Path) -> None:
    """Go on from every epoch of a run, with other parameters at first."""
    x, y = samples(module, 10)
    data = (x, y, x[:5], y[:5])
    file = folder / "run.safetensors"

    def keep(epoch: int, logs: dict[str, float]) -> None:
        shutil.copy(file, folder / f"after{epoch}")

    whole = module.Model(dtype=torch.float64)
    history = whole.fit(*data, checkpoint=file, callback=keep)
    assert len(history) > 2
    for epoch in range(len(history)):
        model = module.Model(dtype=torch.float64)
        model.flat_parameters.fill_(9.0)
        copy = shutil.copy(folder / f"after{epoch}", folder / "copy")
        resumed = model.fit(*data, checkpoint=copy, resume=True)
        logged = [repr(without_seconds(h)) for h in (resumed, history)]  # nan is nan
        assert logged[0] == logged[1], epoch
        ends = [vars(h) | {"seconds": 0.0} for h in (resumed, history)]
        assert ends[0] == ends[1], epoch
        assert repr(resumed[: epoch + 1]) == repr(history[: epoch + 1])
        assert torch.equal(state(model), state(whole)), epoch
        assert resumed.seconds > 0


@pytest.mark.parametrize("name", RESUMED)
def test_going_on_equals_not_stopping(name: str, tmp_path: Path, target: str) -> None:
    check_resume(module_of_spec(RESUMED[name], target=target), tmp_path)


def test_going_on_after_an_interrupt(tmp_path: Path, target: str) -> None:
    module = module_of_spec(MOMENTUM, target=target)
    x, y = samples(module, 10)
    whole, model = (module.Model(dtype=torch.float64) for _ in range(2))
    history = whole.fit(x, y, x, y)

    def interrupt(epoch: int, logs: dict[str, float]) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    file = tmp_path / "run"
    model.fit(x, y, x, y, checkpoint=file, callback=interrupt)
    resumed = model.fit(x, y, x, y, checkpoint=file, resume=True)
    assert torch.equal(state(model), state(whole))
    assert without_seconds(resumed) == without_seconds(history)
    assert resumed.stopped_by == history.stopped_by != "interrupted"


def test_a_later_run_may_be_longer(tmp_path: Path, target: str) -> None:
    module = module_of_spec(spec(epochs=3, batch_size=3), target=target)
    data = samples(module, 10)
    whole, model = (module.Model(dtype=torch.float64) for _ in range(2))
    whole.fit(*data, epochs=6)
    model.fit(*data, checkpoint=tmp_path / "run")
    model.fit(*data, epochs=6, checkpoint=tmp_path / "run", resume=True)
    assert torch.equal(state(model), state(whole))


def test_the_first_run_needs_no_checkpoint_to_resume(
    tmp_path: Path, target: str
) -> None:
    module = module_of_spec(spec(epochs=2), target=target)
    model = module.Model(dtype=torch.float64)
    history = model.fit(*samples(module, 4), checkpoint=tmp_path / "run", resume=True)
    assert len(history) == 2 and (tmp_path / "run").is_file()
    with pytest.raises(ValueError, match="resume needs the checkpoint"):
        model.fit(*samples(module, 4), resume=True)


def test_another_run_is_not_taken_for_this_one(tmp_path: Path, target: str) -> None:
    module = module_of_spec(MOMENTUM, target=target)
    other = module_of_spec(MOMENTUM.replace("lr=0.3", "lr=0.2"), target=target)
    x, y = samples(module, 10)
    file, parameters = tmp_path / "run", tmp_path / "parameters"
    model = module.Model(dtype=torch.float64)
    model.fit(x, y, x, y, epochs=2, checkpoint=file)
    model.save(parameters)
    broken = tmp_path / "broken"
    broken.write_bytes(file.read_bytes()[:-8])
    x32, y32 = x.float(), y.float()
    double = {"dtype": torch.float64}
    cases: list[tuple[Any, Any, Path, str]] = [
        (module.Model(seed=1, **double), (x, y, x, y), file, "seed is 0, not 1"),
        (
            module.Model(**double),
            (x[1:], y[1:], x, y),
            file,
            "samples is 10, not 9",
        ),
        (
            module.Model(),
            (x32, y32, x32, y32),
            file,
            r"float64, expected (torch\.)?float32",
        ),
        (other.Model(**double), (x, y, x, y), file, "spec_sha256"),
        (module.Model(**double), (x, y, x, y), parameters, "no checkpoint"),
        (module.Model(**double), (x, y, x, y), broken, "not a whole safetensors file"),
    ]
    for model, data, path, message in cases:
        before = state(model)
        with pytest.raises(ValueError, match=message):
            model.fit(*data, checkpoint=path, resume=True)
        assert torch.equal(state(model), before), message


KILLED = """
import importlib.util, sys, time, torch
from specc.proof.adapter import Adapted
from tests.modules import build_quickly
found = importlib.util.spec_from_file_location("emitted", sys.argv[1])
module = importlib.util.module_from_spec(found)
found.loader.exec_module(module)
build_quickly(module)
if sys.argv[4] != "torch":
    module = Adapted(module)
data = torch.load(sys.argv[2])
torch.set_num_threads(1)

def tell(epoch, logs):
    print(epoch, flush=True)
    time.sleep(0.002)

module.Model(dtype=torch.float64).fit(*data, checkpoint=sys.argv[3], callback=tell)
"""


def test_a_killed_run_goes_on(tmp_path: Path, target: str) -> None:
    text = spec(
        sgd="lr=0.02, momentum=0.5", epochs=3000, batch_size=5, early="patience=50"
    )
    module = module_of_spec(text, target=target)
    x, y = samples(module, 10)
    write_module(tmp_path, text, target)
    torch.save((x, y, x, y), tmp_path / "data")
    names = [str(tmp_path / name) for name in ("net.py", "data", "run")]
    names.append(target)
    command = [sys.executable, "-B", "-c", KILLED, *names]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == 20:
                break
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    whole, model = (module.Model(dtype=torch.float64) for _ in range(2))
    with one_thread():
        whole.fit(x, y, x, y, epochs=60)
        model.fit(x, y, x, y, epochs=60, checkpoint=tmp_path / "run", resume=True)
    assert torch.equal(state(model), state(whole))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# Faults that the checks above have to see.

BEST = {
    "torch": "self.best.copy_(self.model.flat_parameters)",
    "numpy": "self.best[:] = self.model.flat_parameters",
}
RESTORED = {
    "torch": "self.model.flat_parameters.copy_(self.best)",
    "numpy": "self.model.flat_parameters[:] = self.best",
}
VELOCITY = {
    "torch": (" | self.model._state\n", "\n"),
    "numpy": (" | self.model._state\n", "\n"),
    "c": (" | self.model._state\n", "\n"),
}
FORGOTTEN = {
    "torch": "            vector.zero_()\n",
    "numpy": "            vector[:] = 0\n",
    "c": "            vector[:] = 0\n",
}

Fault = Callable[[str], tuple[str, str]]
"""From the name of a target to what a fault changes in its text, and how."""

TRACE_FAULTS: dict[str, Fault] = {
    "best by reference": lambda target: (
        BEST[target],
        "self.best = self.model.flat_parameters",
    ),
    "ties count": lambda _: ("value < self.best_value", "value <= self.best_value"),
    "ties reset": lambda _: ("value < self.reference", "value <= self.reference"),
    "one too late": lambda _: ("self.waited >= PATIENCE", "self.waited > PATIENCE"),
    "one too early": lambda _: (
        "self.waited >= PATIENCE",
        "self.waited >= PATIENCE - 1",
    ),
    "no reset": lambda _: ("            self.waited = 0\n", "            pass\n"),
    "nothing restored": lambda target: (RESTORED[target], "pass"),
    "the reference stays": lambda _: ("            self.reference = value\n", ""),
}


TRACE_FAULTS_IN_C: dict[str, tuple[str, str, str]] = {
    "best by reference": (".c", "    run->best = m->parameters;\n", ""),
    "ties count": (".c", "value < run->best_value", "value <= run->best_value"),
    "ties reset": (".c", "value < run->reference", "value <= run->reference"),
    "one too late": (".c", "waited >= TINY_PATIENCE", "waited > TINY_PATIENCE"),
    "one too early": (".c", "waited >= TINY_PATIENCE", "waited >= TINY_PATIENCE - 1"),
    "no reset": (".c", "    run->waited = 0;\n", ""),
    "nothing restored": (".py", RESTORED["numpy"], "pass"),
    "the reference stays": (".c", "    run->reference = value;\n", ""),
}


@pytest.mark.parametrize("fault", TRACE_FAULTS)
def test_a_fault_in_early_stopping_is_seen(fault: str, target: str) -> None:
    if target == "c":
        module = told(PATIENT, target, "loss", TRACE_FAULTS_IN_C[fault])
    else:
        module = broken(PATIENT, TRACE_FAULTS[fault], target)
    with pytest.raises(AssertionError):
        for trace in TRACES.values():
            check_trace(module, *trace)


RESUME_FAULTS: dict[str, Fault] = {
    "counter": lambda _: ('        self.waited = facts["waited"]\n', ""),
    "reference": lambda _: ('        self.reference = facts["reference"]\n', ""),
    "best value": lambda _: ('        self.best_value = facts["best_value"]\n', ""),
    "best parameters": lambda _: (' | {"best": self.best}', ""),
    "velocity": lambda target: VELOCITY[target],
    "history": lambda _: ('        self.history.extend(facts["history"])\n', ""),
    "outcome": lambda _: (
        '        self.history.__dict__.update(facts["outcome"])\n',
        "",
    ),
}


@pytest.mark.parametrize("fault", RESUME_FAULTS)
def test_a_fault_in_resuming_is_seen(fault: str, target: str, tmp_path: Path) -> None:
    module = broken(RESUMED["slow to believe"], RESUME_FAULTS[fault], target)
    with pytest.raises(AssertionError):
        check_resume(module, tmp_path)


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


def broken(text: str, fault: Fault, target: str) -> Any:
    """Import the module of a spec with a fault in its text."""
    return changed(text, target, (".py", *fault(target)))


def test_a_run_under_other_parameters_is_not_taken_for_this_one(
    tmp_path: Path, target: str
) -> None:
    text = MOMENTUM.replace("lr=0.3", "lr=rate")
    text = text.replace("model tiny\n", "model tiny\nparam rate = 0.3\n")
    module, other = module_of_spec(text, target=target), module_of_spec(
        text, {"rate": "0.2"}, target=target
    )
    x, y = samples(module, 10)
    file = tmp_path / "run"
    module.Model(dtype=torch.float64).fit(x, y, x, y, epochs=2, checkpoint=file)
    assert (module.OVERRIDES, other.OVERRIDES) == ({}, {"rate": "0.2"})
    model = other.Model(dtype=torch.float64)
    before = state(model)
    with pytest.raises(ValueError, match="whose overrides is {}, not {'rate': '0.2'}"):
        model.fit(x, y, x, y, checkpoint=file, resume=True)
    with pytest.raises(ValueError, match="checkpoint"):
        model.load(file)
    assert torch.equal(state(model), before)


@pytest.mark.parametrize("epochs", [0, -1])
def test_fit_needs_an_epoch(epochs: int, target: str) -> None:
    module = module_of_spec(MOMENTUM, target=target)
    x, y = samples(module, 10)
    with pytest.raises(
        ValueError, match=f"expected a whole number from 1, found {epochs}"
    ):
        module.Model(dtype=torch.float64).fit(x, y, x, y, epochs=epochs)
