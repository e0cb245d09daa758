"""Early stopping of the emitted `fit` against its rule, callbacks and interrupts.

Faults are planted into the emitted text at the end: the checks above have to see each of them.
"""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.cases.fits import (
    Fault,
    broken,
    spec,
    state,
)
from tests.cases.modules import IN_PYTHON, changed, module_of_spec
from tests.cases.samples import samples
from tests.cases.traces import INF, NAN, TRACES, VARIANTS, ruled

# Early stopping.


GIVEN = "m, w, validation->x, validation->y, validation->n"
TOLD = f"if (validation)\n      now.validation = tiny_evaluate({GIVEN});"
"""What a fit in C does for the figures of validation."""


def told(
    text: str, target: str, name: str = "loss", *changes: tuple[str, str, str]
) -> Any:
    """Import a module in which validation may say a trace: in C it is made to read it."""
    if target == "c":
        said = f"now.validation.{name} = (double)validation->x[TINY_INPUT * epoch];"
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


MEASURED = """model net
input x: real[2]
target y: real[1]
layers { linear(6) LAYER tanh linear(1) }
loss mse
metric r2
optimizer sgd(lr=0.5, momentum=0.9)
early_stopping(monitor=MONITOR, patience=4)
train(epochs=20, batch_size=8, drop_last=true)
"""


@pytest.mark.parametrize("monitor", ["train_loss", "train_r2"])
@pytest.mark.parametrize("layer", ["batch_norm", "dropout(0.3)", "identity"])
def test_the_best_parameters_have_the_training_metrics_that_chose_them(
    layer: str, monitor: str, target: str
) -> None:
    """They are measured after the updates, as the network predicts, on all samples."""
    text = MEASURED.replace("LAYER", layer).replace("MONITOR", monitor)
    module = module_of_spec(text, target=target)
    model = module.Model(dtype=torch.float64)
    x, y = samples(module, 30)
    history = model.fit(x, y)
    best = history[history.best_epoch]
    found = {name: best[f"train_{name}"] for name in ("loss", "r2")}
    assert found == model.evaluate(x, y)


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


# Faults that the checks above have to see.

BEST = {
    "torch": "self.best.copy_(self.model.flat_parameters)",
    "numpy": "self.best[:] = self.model.flat_parameters",
}
RESTORED = {
    "torch": "self.model.flat_parameters.copy_(self.best)",
    "numpy": "self.model.flat_parameters[:] = self.best",
}


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
