"""`save` and `load` of the emitted module: whole files or none."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cases.models import (
    PLAIN,
    model_of,
    state,
)
from tests.cases.modules import (
    STATELESS,
    compiled,
    module_of_example,
)

# Files.


@pytest.mark.parametrize("name", STATELESS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_saved_is_loaded(
    name: str, dtype: torch.dtype, tmp_path: Path, target: str
) -> None:
    model, other = model_of(name, dtype, target=target), model_of(
        name, dtype, seed=1, target=target
    )
    model.save(tmp_path / "net.safetensors")
    other.load(str(tmp_path / "net.safetensors"))
    assert torch.equal(state(other), state(model))
    assert os.listdir(tmp_path) == ["net.safetensors"]
    from safetensors.torch import load_file

    for key, p in load_file(tmp_path / "net.safetensors").items():
        assert torch.equal(p, model.parameters[key])


def test_a_bare_name_is_saved_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    old = os.umask(0o022)
    try:
        model_of("disk", target=target).save("net")
    finally:
        os.umask(old)
    assert os.listdir() == ["net"]
    assert os.stat("net").st_mode & 0o777 == 0o644
    model_of("disk", seed=1, target=target).load("net")


def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, target: str) -> None:
    model, file = model_of("disk", target=target), tmp_path / "net"
    model.save(file)
    whole = file.read_bytes()
    torch.save(model.state_dict(), tmp_path / "pickle")
    contents = [whole[:size] for size in (0, 4, 8, 100, len(whole) - 1)]
    contents += [whole + b"\0", b"PK\x03\x04" * 99, b"\xff" * 99]
    contents.append((tmp_path / "pickle").read_bytes())
    for content in contents:
        file.write_bytes(content)
        other = model_of("disk", seed=1, target=target)
        before = state(other)
        with pytest.raises(ValueError, match=f"{file}: not a whole safetensors file"):
            other.load(file)
        assert torch.equal(state(other), before)


def test_a_file_of_another_kind_is_refused(tmp_path: Path, target: str) -> None:
    model = model_of("disk", target=target)
    model_of("iris", target=target).save(tmp_path / "iris")
    before = state(model)
    with pytest.raises(ValueError, match="expected shape|no parameter|missing"):
        model.load(tmp_path / "iris")
    with pytest.raises(FileNotFoundError):
        model.load(tmp_path / "nothing")
    assert torch.equal(state(model), before)


def refuse(number: int) -> Callable[..., Any]:
    """Make a function of the system that fails."""

    def failing(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return failing


REFUSALS = {
    "a full disk at fsync": ("os.fsync", errno.ENOSPC),
    "a full disk at the rename": ("os.replace", errno.ENOSPC),
    "a read-only folder": ("open", errno.EACCES),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_save_that_fails_leaves_the_old_file(
    refusal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    module, model, other = (
        module_of_example("disk", target=target),
        model_of("disk", target=target),
        model_of("disk", target=target),
    )
    model.save(tmp_path / "net")
    function, number = REFUSALS[refusal]
    if function == "open":
        monkeypatch.setattr(module, "open", refuse(number), raising=False)
    else:
        monkeypatch.setattr(function, refuse(number))
    other.flat_parameters.zero_()
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        other.save(tmp_path / "net")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["net"]
    other.load(tmp_path / "net")
    assert torch.equal(state(other), state(model))


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file of this process grow beyond a kilobyte, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
def test_a_write_that_fails_half_way_leaves_the_old_file(
    tmp_path: Path, target: str
) -> None:
    model, other = model_of("disk", target=target), model_of(
        "disk", seed=1, target=target
    )
    model.save(tmp_path / "net")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    with pytest.raises(OSError) as failure:
        other.save(tmp_path / "net")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert failure.value.errno == errno.EFBIG
    assert os.listdir(tmp_path) == ["net"]
    other.load(tmp_path / "net")
    assert torch.equal(state(other), state(model))


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path, target: str) -> None:
    with pytest.raises(FileNotFoundError):
        model_of("disk", target=target).save(tmp_path / "no" / "net")


KILLS = """
import importlib.util, os, random, signal, sys, time, torch
torch.set_num_threads(1)
found = importlib.util.spec_from_file_location("emitted", sys.argv[1])
module = importlib.util.module_from_spec(found)
found.loader.exec_module(module)
import safetensors.torch
path, seen = sys.argv[2], set()
random.seed(0)
model = module.Model()
model.flat_parameters.fill_(0.0)
model.save(path)
for attempt in range(20):
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        for number in range(1, 100_000):
            os.write(telling, b".")
            model.flat_parameters.fill_(float(number))
            model.save(path)
    for _ in range(random.randint(1, 8)):
        os.read(told, 1)
    time.sleep(random.uniform(0.0, 0.01))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    reader = module.Model(seed=1)
    reader.load(path)
    (value,) = set(reader.flat_parameters.tolist())
    seen.add(value)
print(len(seen))
"""


LARGE = PLAIN.replace("linear(3)", "linear(200000)")
"""A file of some megabytes, so that a kill meets it half written."""


def killed(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Kill saves twenty times in one process; each time the file has to be whole."""
    net = folder / "net.py"
    net.write_text(text)
    command = [sys.executable, "-B", "-c", KILLS, str(net), str(folder / "saved")]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_killed_save_leaves_a_whole_file(tmp_path: Path) -> None:
    done = killed(tmp_path, compiled(LARGE))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3  # the kills came at different moments


def test_a_save_in_place_would_be_seen(tmp_path: Path) -> None:
    text = compiled(LARGE)
    faults = (
        ('f"{place}.{os.getpid()}-{os.urandom(4).hex()}.tmp"', "place"),
        ('open(temporary, "xb")', 'open(temporary, "wb")'),
    )
    for old, new in faults:
        assert text.count(old) == 1
        text = text.replace(old, new)
    done = killed(tmp_path, text)
    assert done.returncode != 0 and "not a whole safetensors file" in done.stderr


def test_a_pipe_is_no_file_to_load(tmp_path: Path, target: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    model = model_of("disk", target=target)
    for path in (pipe, tmp_path):
        with pytest.raises(ValueError, match="expected a file, found something else"):
            model.load(path)
