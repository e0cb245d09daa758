"""Files that are damaged, or of something else: refused by name, changing nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.cases.models import DOUBLE, state
from tests.cases.modules import module_of_spec
from tests.cases.samples import samples

SPEC = """model net
input x: real[3]
target y: real[2]
layers { linear(4) relu linear(2) }
loss mse
optimizer sgd(lr=0.1, momentum=0.5)
early_stopping(monitor=val_loss, patience=9)
train(epochs=4, batch_size=5, seed=0)
"""
FLIPS = 60


def written(module: Any, folder: Path) -> tuple[Any, Path, Path]:
    """Train a model with a checkpoint and save its weights."""
    model, data = module.Model(dtype=DOUBLE), samples(module, 9)
    model.fit(*data, *data, epochs=2, checkpoint=folder / "run")
    model.save(folder / "weights")
    return data, folder / "run", folder / "weights"


def flipped(path: Path, draw: random.Random) -> bytes:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def test_a_flipped_bit_is_found(tmp_path: Path, target: str) -> None:
    module, draw = module_of_spec(SPEC, target=target), random.Random(1)
    data, run, weights = written(module, tmp_path)
    other = tmp_path / "flipped"
    for _ in range(FLIPS):
        model = module.Model(dtype=DOUBLE)
        before = state(model)
        other.write_bytes(flipped(weights, draw))
        with pytest.raises(ValueError, match="flipped: "):
            model.load(other)
        other.write_bytes(flipped(run, draw))
        with pytest.raises(ValueError, match="flipped: "):
            model.fit(*data, *data, checkpoint=other, resume=True)
        assert torch.equal(state(model), before)


def test_files_without_a_hash_are_loaded(tmp_path: Path, target: str) -> None:
    module = module_of_spec(SPEC, target=target)
    _, _, weights = written(module, tmp_path)
    save_file(load_file(weights), tmp_path / "foreign")
    model, own = module.Model(dtype=DOUBLE), module.Model(dtype=DOUBLE)
    model.load(tmp_path / "foreign")
    own.load(weights)
    assert torch.equal(state(model), state(own))


def test_the_weights_of_another_network_are_refused(
    tmp_path: Path, target: str
) -> None:
    _, _, weights = written(module_of_spec(SPEC, target=target), tmp_path)
    other = module_of_spec(SPEC.replace("relu", "tanh"), target=target)
    model = other.Model(dtype=DOUBLE)
    before = state(model)
    with pytest.raises(ValueError, match="weights: the parameters of another network"):
        model.load(weights)
    assert torch.equal(state(model), before)
    model.load_state_dict(load_file(weights))  # meant
    slower = module_of_spec(SPEC.replace("lr=0.1", "lr=0.2"), target=target)
    slower.Model(dtype=DOUBLE).load(weights)


@pytest.mark.parametrize("at", range(2))
def test_a_checkpoint_is_of_its_samples(tmp_path: Path, target: str, at: int) -> None:
    module = module_of_spec(SPEC, target=target)
    data, run, _ = written(module, tmp_path)
    other = [part.clone() for part in data]
    other[at][3, 1] += 1
    with pytest.raises(ValueError, match="run: of another run, whose samples_sha256"):
        module.Model(dtype=DOUBLE).fit(*other, *data, checkpoint=run, resume=True)


def test_a_checkpoint_is_of_its_target(tmp_path: Path) -> None:
    data, run, _ = written(module_of_spec(SPEC, target="numpy"), tmp_path)
    model = module_of_spec(SPEC).Model(dtype=DOUBLE)
    with pytest.raises(ValueError, match="whose target is numpy, not torch"):
        model.fit(*data, *data, checkpoint=run, resume=True)


def sealed(module: Any, tensors: Any, text: str) -> dict[str, str]:
    """Give crafted facts the right hash."""
    inner = getattr(module, "_inner", module)
    if inner is not module:
        tensors = {name: tensor.numpy() for name, tensor in tensors.items()}
    return {"sha256": inner.fingerprint(tensors, {"run": text})}


CRAFTED: list[Any] = [None, [], {}, "x", 1e999, -1, 10**400, True, [[]], {"a": 1}]


def test_crafted_facts_are_refused(tmp_path: Path, target: str) -> None:
    module, draw = module_of_spec(SPEC, target=target), random.Random(2)
    data, run, _ = written(module, tmp_path)
    with safe_open(run, framework="pt") as file:
        facts = json.loads(file.metadata()["run"])
    tensors, other = load_file(run), tmp_path / "crafted"
    texts = ["[" * 100_000, "{", "null", "[]", "1"]
    for name in facts:
        texts.append(json.dumps({k: v for k, v in facts.items() if k != name}))
        for value in draw.sample(CRAFTED, 4):
            if type(value) is not type(facts[name]):
                texts.append(json.dumps(facts | {name: value}))
    for text in texts:
        save_file(tensors, other, {"run": text} | sealed(module, tensors, text))
        model = module.Model(dtype=DOUBLE)
        before = state(model)
        try:
            model.fit(*data, *data, checkpoint=other, resume=True)
        except ValueError as error:
            assert "crafted: " in str(error)
            assert torch.equal(state(model), before)


def test_a_full_disk_does_not_end_a_run(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of_spec(SPEC, target=target)
    data, run, _ = written(module, tmp_path)
    whole, kept = module.Model(dtype=DOUBLE), run.read_bytes()
    expected = whole.fit(*data, *data)

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    model = module.Model(dtype=DOUBLE)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        history = model.fit(*data, *data, checkpoint=run)
    assert len(history) == len(expected)
    assert torch.equal(state(model), state(whole))
    assert run.read_bytes() == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "weights"]


def test_strays_of_killed_processes_are_swept(tmp_path: Path, target: str) -> None:
    module = module_of_spec(SPEC, target=target)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [f"weights.{dead.pid}-0a1b2c3d.tmp", f"weights.{os.getppid()}-0a1b2c3d.tmp"]
    names += ["weights.notes.tmp", f"other.{dead.pid}-0a1b2c3d.tmp"]
    for name in names:
        (tmp_path / name).write_text("")
    module.Model().save(tmp_path / "weights")
    data = samples(module, 9)
    model = module.Model(dtype=DOUBLE)
    model.fit(*data, *data, checkpoint=tmp_path / "run")
    (tmp_path / f"run.{dead.pid}-0a1b2c3d.tmp").write_text("")
    model.fit(*data, *data, checkpoint=tmp_path / "run", resume=True)  # nothing to do
    (tmp_path / "run").unlink()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"weights", *names[1:]}


def kept_by(model: Any) -> list[Any]:
    """Copy all that a model has: its numbers, and what its optimizer remembers."""
    inner = getattr(model, "_inner", model)
    numbers = [*model.state_dict().values(), *inner._state.values()]
    return [np.asarray(value).copy() for value in numbers]


def test_a_refused_checkpoint_leaves_the_optimizer(tmp_path: Path, target: str) -> None:
    module = module_of_spec(
        SPEC.replace("{ linear", "{ standardize linear"), target=target
    )
    data, run, _ = written(module, tmp_path)
    model = module.Model(dtype=DOUBLE)
    model.train_step(*data, 0.1)
    before = kept_by(model)
    assert any(value.any() for value in before[-2:])
    other = data[0] + 1, data[1]
    with pytest.raises(ValueError, match="run: of another run"):
        model.fit(*other, *data, checkpoint=run, resume=True)
    assert all(map(np.array_equal, before, kept_by(model)))
