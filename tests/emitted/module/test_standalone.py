"""Emitted modules alone: where specc is not installed and autograd must not be used.

One process does everything with every example and reports; the tests read what it says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cases.modules import EXAMPLES, compiled, example

BLOCKED = ("specc", "lark", "jinja2", "black", "click", "rich")

DRIVER = """
import contextlib, importlib, io, json, os, random, runpy, sys, traceback

blocked_names, examples, told = sys.argv[1:]
BLOCKED = set(blocked_names.split(","))

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)

sys.meta_path.insert(0, Refuse())
sys.dont_write_bytecode = True
sys.path.insert(0, os.getcwd())

import torch

def refused(*args, **kwargs):
    raise AssertionError("autograd was asked")

torch.autograd.grad = torch.autograd.backward = refused
torch.Tensor.backward = torch.Tensor.requires_grad_ = refused

def settings():
    return {
        "threads": torch.get_num_threads(),
        "interop": torch.get_num_interop_threads(),
        "random": torch.get_rng_state().tolist(),
        "python random": hash(random.getstate()),
        "dtype": str(torch.get_default_dtype()),
        "grad": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "files": sorted(os.listdir()),
    }

def samples(module, count):
    x = torch.rand(count, *module.INPUT_SHAPE)
    shape = (count, *module.TARGET_SHAPE)
    if hasattr(module, "check_classes"):
        return x, torch.randint(module.OUTPUT_SHAPE[-1], shape)
    return x, torch.rand(shape).round()

def same(a, b):
    assert torch.equal(a.flat_parameters, b.flat_parameters)

class Claims:
    def __init__(self, name):
        self.name = name

    def import_changes_nothing(self):
        before, said = settings(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            self.module = importlib.import_module(self.name)
        after = settings()
        assert said.getvalue() == "", said.getvalue()
        assert before == after, [k for k in before if before[k] != after[k]]

    def train(self):
        torch.manual_seed(0)
        self.x, self.y = samples(self.module, 23)
        self.model = self.module.Model()
        before = self.model.flat_parameters.clone()
        loss = self.model.train_step(self.x, self.y, 0.01)
        assert loss.grad_fn is None and not loss.requires_grad
        assert not torch.equal(before, self.model.flat_parameters)
        history = self.model.fit(self.x, self.y, *samples(self.module, 9), epochs=2)
        assert len(history) == 2
        assert not self.model.flat_parameters.requires_grad

    def use(self):
        prediction = self.model.predict(self.x)
        assert prediction.shape == (23, *self.module.OUTPUT_SHAPE)
        assert prediction.isfinite().all()
        figures = self.model.evaluate(self.x, self.y)
        assert abs(figures["loss"] - self.model.loss(self.x, self.y)) < 1e-6
        loss, found = self.model.loss_and_gradients(self.x, self.y, input_gradient=True)
        (name,) = found.keys() - self.module.PARAMETERS.keys()
        assert found[name].shape == self.x.shape and found[name].any()
        assert all(found[n].shape == s for n, s in self.module.PARAMETERS.items())

    def save_and_load(self):
        self.model.save("parameters.safetensors")
        other = self.module.Model(seed=99)
        other.load("parameters.safetensors")
        same(self.model, other)
        os.unlink("parameters.safetensors")

    def resume(self):
        data = (self.x, self.y, self.x, self.y)
        whole, half, rest = (self.module.Model() for _ in range(3))
        whole.fit(*data, epochs=2)
        half.fit(*data, epochs=2, until=1, checkpoint="run.safetensors")
        rest.fit(*data, epochs=2, checkpoint="run.safetensors", resume=True)
        same(whole, rest)
        os.unlink("run.safetensors")

    def command(self):
        for arguments in ([], ["--help"]):
            said, sys.argv = io.StringIO(), [f"{self.name}.py", *arguments]
            try:
                with contextlib.redirect_stdout(said):
                    runpy.run_path(f"{self.name}.py", run_name="__main__")
            except SystemExit as end:
                assert end.code in (0, None)
            text = said.getvalue()
            assert self.name in text
            listed = [n in text for n in self.module.PARAMETERS]
            assert arguments or all(listed)

    def without_safetensors(self):
        BLOCKED.add("safetensors")
        for loaded in [m for m in sys.modules if m.startswith("safetensors")]:
            del sys.modules[loaded]
        try:
            self.train()
            self.use()
            for action in (self.model.save, self.model.load):
                try:
                    action("parameters.safetensors")
                except ImportError as error:
                    assert "pip install safetensors" in str(error), str(error)
                else:
                    raise AssertionError(f"{action} did not say what to install")
            assert not os.path.exists("parameters.safetensors")
        finally:
            BLOCKED.discard("safetensors")

def blocked(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        return "blocked" in str(error)
    return False

def asks_autograd():
    try:
        torch.ones(1).requires_grad_()
    except AssertionError:
        return True
    return False

report = {"control": {name: blocked(name) for name in sorted(BLOCKED)}}
report["control"]["autograd"] = asks_autograd()
claims = [name for name in vars(Claims) if not name.startswith("_")]
for name in examples.split(","):
    tried = Claims(name)
    report[name] = {}
    for claim in claims:
        try:
            getattr(tried, claim)()
            report[name][claim] = "ok"
        except BaseException:
            report[name][claim] = traceback.format_exc()
report["files"] = sorted(os.listdir())
with open(told, "w") as file:
    json.dump(report, file)
"""

CLAIMS = (
    "import_changes_nothing",
    "train",
    "use",
    "save_and_load",
    "resume",
    "command",
    "without_safetensors",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write every example's module into a folder of its own."""
    place = tmp_path_factory.mktemp("standalone")
    for name in EXAMPLES:
        (place / f"{name}.py").write_text(compiled(example(name)))
    return place


@pytest.fixture(scope="module")
def report(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Run the driver once, in the folder of the modules."""
    told = tmp_path_factory.mktemp("report") / "report.json"
    command = [sys.executable, "-I", "-c", DRIVER]
    command += [",".join(BLOCKED), ",".join(EXAMPLES), str(told)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "", done.stdout
    yield json.loads(told.read_text())


def test_what_is_refused_is_refused(report: dict[str, Any]) -> None:
    assert report["control"] == dict.fromkeys((*BLOCKED, "autograd"), True)


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_alone_it_can(report: dict[str, Any], name: str, claim: str) -> None:
    assert report[name][claim] == "ok", report[name][claim]


def test_every_claim_is_read(report: dict[str, Any]) -> None:
    assert all(set(report[name]) == set(CLAIMS) for name in EXAMPLES)


def test_no_file_is_left(report: dict[str, Any]) -> None:
    assert report["files"] == sorted(f"{name}.py" for name in EXAMPLES)


@pytest.mark.parametrize("arguments", [[], ["--help"]], ids=["alone", "help"])
def test_it_is_a_command(folder: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-B", "iris.py", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "iris: 4 -> 16 -> 16 -> 3" in done.stdout
