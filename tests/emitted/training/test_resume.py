"""`fit` that goes on from a checkpoint ends where one that was never stopped does.

Faults are planted into the emitted text at the end: the checks above have to see each of them.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import safetensors
import torch

from tests.cases.fits import (
    GROWING,
    MOMENTUM,
    Fault,
    broken,
    spec,
    state,
    without_seconds,
)
from tests.cases.modules import ROOT, module_of_spec, write_module
from tests.cases.samples import samples

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
            "dtype is float64, not float32",
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
from specc.verify.compare.adapter import Adapted
from tests.cases.modules import build_quickly
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


CRAFTED: dict[str, Any] = {
    "columns": [None, {}, [], ["epoch"], ["epoch", *["lr"] * 9], [[]], "epoch", [1, 2]],
    "ended": ["yes", None],
    "outcome": [[], {"seconds": "x"}, {"no": 1}, {"best_epoch": 99}, {"append": 1}],
    "waited": [1.5, 10**30, None],
    "best_value": ["x", []],
    "reference": [{}],
    "reduced": [[], [0], [0, "x", 0], [0, -1, 0], {}],
    "target": ["matlab"],
    "samples_sha256": ["", None],
    "overrides": [[[[]]]],
}


def rewritten(
    module: ModuleType, file: Path, to: Path, run: str, **changed: torch.Tensor
) -> None:
    """Write a checkpoint with other facts or tensors, and the right hash of them."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(file, framework="pt") as old:
        tensors = {name: old.get_tensor(name) for name in list(old.keys())} | changed
    found = module.fingerprint(tensors, {"run": run})
    save_file(tensors, to, {"run": run, "sha256": found})


def test_crafted_facts_are_refused_by_name(tmp_path: Path, target: str) -> None:
    text = MOMENTUM + "schedule plateau(factor=0.6, patience=2, monitor=train_loss)\n"
    module, hashing = (module_of_spec(text, target=t) for t in (target, "torch"))
    x, y = samples(module, 10)
    file, bent = tmp_path / "run", tmp_path / "bent"
    module.Model(dtype=torch.float64).fit(x, y, x, y, until=2, checkpoint=file)
    with safetensors.safe_open(file, framework="pt") as old:
        facts = json.loads(old.metadata()["run"])
    runs = [
        json.dumps(facts | {name: value})
        for name, values in CRAFTED.items()
        for value in values
    ]
    runs += [json.dumps({k: facts[k] for k in facts if k != name}) for name in facts]
    runs += ["[" * 100_000, "[]", "null", "3", "{"]
    model = module.Model(dtype=torch.float64)
    before = state(model)
    for run in runs:
        rewritten(hashing, file, bent, run)
        with pytest.raises(ValueError, match=f"^{bent}: "):
            model.fit(x, y, x, y, checkpoint=bent, resume=True)
        assert torch.equal(state(model), before), run[:200]
    with safetensors.safe_open(file, framework="pt") as old:
        table = old.get_tensor("history")
    for wrong in (table.float(), table[0], table[:, 1:], table + 1, table[:0, :0]):
        rewritten(hashing, file, bent, json.dumps(facts), history=wrong.contiguous())
        with pytest.raises(ValueError, match="its history does not fit"):
            model.fit(x, y, x, y, checkpoint=bent, resume=True)
    rewritten(
        hashing, file, bent, json.dumps(facts | {"columns": []}), history=table[:0, :0]
    )
    with pytest.raises(ValueError, match="its history does not fit"):
        model.fit(x, y, x, y, checkpoint=bent, resume=True)
    rewritten(hashing, file, bent, json.dumps(facts))
    model.fit(x, y, x, y, checkpoint=bent, resume=True)


# Faults that the checks above have to see.

VELOCITY = {
    "torch": (" | self.model._state\n", "\n"),
    "numpy": (" | self.model._state\n", "\n"),
    "c": (" | self.model._state\n", "\n"),
}


RESUME_FAULTS: dict[str, Fault] = {
    "counter": lambda _: ('        self.waited = facts["waited"]\n', ""),
    "reference": lambda _: ('        self.reference = facts["reference"]\n', ""),
    "best value": lambda _: ('        self.best_value = facts["best_value"]\n', ""),
    "best parameters": lambda _: (' | {"best": self.best}', ""),
    "velocity": lambda target: VELOCITY[target],
    "history": lambda _: (
        '            self.history.append(logs | {"epoch": epoch})\n',
        "            pass\n",
    ),
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
