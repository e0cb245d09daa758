"""The emitted module's public names, point by point against what they promise."""

from __future__ import annotations

import copy
import errno
import hashlib
import math
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

import specc
from specc.verify.compare.adapter import Adapted, AdaptedModel
from tests.cases.modules import (
    EXAMPLES,
    ROOT,
    STATELESS,
    TARGETS,
    checked,
    compiled,
    example,
    module_of_example,
)
from tests.cases.modules import module_of_spec as module_of
from tests.cases.samples import samples, sequential, takes_classes

DOUBLE = torch.float64


def model_of(
    name: str, dtype: torch.dtype = DOUBLE, seed: int = 0, target: str = "torch"
) -> Any:
    """Make the Model of an example."""
    return module_of_example(name, target=target).Model(seed=seed, dtype=dtype)


def state(model: Any) -> Tensor:
    """Copy the parameters."""
    flat: Tensor = model.flat_parameters.clone()
    return flat


def lies_in(part: Tensor, whole: Tensor) -> bool:
    """Whether a tensor begins in the memory of another."""
    offset = part.data_ptr() - whole.data_ptr()
    return 0 <= offset < whole.numel() * whole.element_size()


def in_words_of(target: str, message: str) -> str:
    """Give the pattern of a message as the module of this target words it."""
    if target == "torch":
        return message
    return message.replace("torch.", "").replace("a Tensor", "an array")


# Constants.


@pytest.mark.parametrize("name", EXAMPLES)
def test_constants_are_those_of_the_spec(name: str, target: str) -> None:
    module, spec = module_of_example(name, target=target), checked(example(name))
    assert example(name) == module.SPEC
    assert hashlib.sha256(module.SPEC.encode()).hexdigest() == module.SPEC_SHA256
    assert specc.__version__ == module.SPECC_VERSION
    assert spec.input.shape == module.INPUT_SHAPE
    assert spec.target.shape == module.TARGET_SHAPE
    assert spec.output_shape == module.OUTPUT_SHAPE
    assert {n: p.shape for n, p in spec.parameters.items()} == module.PARAMETERS
    assert list(spec.parameters) == list(module.PARAMETERS)


SCHEDULES = {
    "constant": [0.1, 0.1, 0.1],
    "time_decay(0.5)": [0.1, 0.0666667, 0.05, 0.04],
    "exponential_decay(rate=0.2)": [0.1, 0.0818731, 0.0670320],
    "exponential_decay(gamma=0.5)": [0.1, 0.05, 0.025],
    "step_decay(0.5, 2)": [0.1, 0.1, 0.05, 0.05, 0.025],
}

PLAIN = """
model plain
input point: real[2]
target label: real[1]
layers { linear(3) tanh linear(1) }
loss mse
optimizer sgd(lr=0.1)
"""


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_learning_rate_is_a_float(schedule: str, target: str) -> None:
    module = module_of(f"{PLAIN} schedule {schedule}", target=target)
    rates = [module.learning_rate(t) for t in range(len(SCHEDULES[schedule]))]
    assert all(type(rate) is float for rate in rates)
    assert rates == pytest.approx(SCHEDULES[schedule], rel=1e-6)


# Parameters and gradients.


@pytest.mark.parametrize("name", EXAMPLES)
def test_parameters_and_gradients_are_views_of_flat_buffers(
    name: str, target: str
) -> None:
    module, model = module_of_example(name, target=target), model_of(
        name, target=target
    )
    for flat, named in (
        (model.flat_parameters, model.parameters),
        (model.flat_gradients, model.gradients),
    ):
        assert flat.dim() == 1 and flat.is_contiguous()
        assert {n: tuple(p.shape) for n, p in named.items()} == module.PARAMETERS
        assert all(lies_in(p, flat) for p in named.values())
        flat.copy_(torch.arange(len(flat)))  # each number is seen in one place
        seen = torch.cat([p.flatten() for p in named.values()])
        assert len(seen.unique()) == len(seen) == count_of(module)
        assert len(seen) == len(flat) or target == "c"  # whose rows are padded
    assert not lies_in(model.flat_parameters, model.flat_gradients)
    assert not lies_in(model.flat_gradients, model.flat_parameters)


def count_of(module: Any) -> int:
    return sum(math.prod(shape) for shape in module.PARAMETERS.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_gradients_leave_the_parameters_alone(name: str, target: str) -> None:
    module, model = module_of_example(name, target=target), model_of(
        name, target=target
    )
    x, y = samples(module, 7)
    before, given = state(model), (x.clone(), y.clone())
    loss, found = model.loss_and_gradients(x, y)
    assert torch.equal(state(model), before)
    assert torch.equal(x, given[0]) and torch.equal(y, given[1])
    assert type(loss) is float and loss == model.loss(x, y)
    assert list(found) == list(module.PARAMETERS)
    for parameter, gradient in found.items():
        assert torch.equal(gradient, model.gradients[parameter])
    kept = {n: g.clone() for n, g in found.items()}
    model.loss_and_gradients(x.flip(0) + 1, y)
    assert all(torch.equal(found[n], kept[n]) for n in found)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gradient_by_the_input_is_added_on_demand(name: str, target: str) -> None:
    module, model = module_of_example(name, target=target), model_of(
        name, target=target
    )
    x, y = samples(module, 7)
    loss, found = model.loss_and_gradients(x, y)
    again, more = model.loss_and_gradients(x, y, input_gradient=True)
    d_input = more.pop(checked(example(name)).input.name)
    assert loss == again and more.keys() == found.keys()
    step = torch.zeros_like(x)
    step.view(-1)[::5] = 1e-6
    slope = (model.loss(x + step, y) - model.loss(x - step, y)) / 2e-6
    assert float(d_input.flatten()[::5].sum()) == pytest.approx(
        slope, rel=1e-5, abs=1e-8
    )


@pytest.mark.parametrize("name", STATELESS)
def test_a_step_gives_the_loss_before_it(name: str, target: str) -> None:
    module, model = module_of_example(name, target=target), model_of(
        name, target=target
    )
    x, y = samples(module, 7)
    losses, expected = [], []
    for _ in range(3):
        expected.append(model.loss(x, y))
        losses.append(model.train_step(x, y, 0.05))
    kind = Tensor if target == "torch" else float
    assert all(isinstance(loss, kind) for loss in losses)
    assert all(torch.as_tensor(loss).numel() == 1 for loss in losses)
    # The same number, summed in another order: apart by no more than rounding.
    assert [float(loss) for loss in losses] == pytest.approx(expected, rel=1e-14, abs=0)
    assert len(set(expected)) == 3 and model.loss(x, y) < expected[0]


def test_a_step_of_sgd_is_that_of_torch(target: str) -> None:
    model = module_of(PLAIN, target=target).Model(dtype=DOUBLE)
    x, y = samples(module_of(PLAIN, target=target), 7)
    before = model.state_dict()
    _, gradients = model.loss_and_gradients(x, y)
    model.train_step(x, y, 0.3)
    for name, p in model.parameters.items():
        torch.testing.assert_close(p, before[name] - 0.3 * gradients[name])


def test_samples_may_be_single_numbers(target: str) -> None:
    text = PLAIN.replace("real[2]", "real[]").replace("linear(3)", "flatten linear(3)")
    module = module_of(text, target=target)
    model = module.Model()
    x, y = torch.linspace(-1, 1, 9), torch.linspace(-1, 1, 9)[:, None]
    model.fit(x, y, epochs=2)
    assert model.predict(x).shape == (9, 1)
    with pytest.raises(ValueError, match="sample 4 holds a number that is not finite"):
        model.fit(x / x * x, y, epochs=2)


# Prediction.


@pytest.mark.parametrize("name", EXAMPLES)
def test_predictions_do_not_depend_on_the_batch(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, model = module_of_example(name), model_of(name)
    x, y = samples(module, 23)
    whole = model.forward(x)
    assert whole.shape == (23, *module.OUTPUT_SHAPE)
    single = torch.cat([model.forward(sample[None]) for sample in x])
    torch.testing.assert_close(single, whole, rtol=1e-12, atol=1e-14)
    figures = model.evaluate(x, y)
    sizes: list[int] = []
    last = model._last
    model._last = lambda rows, *rest: sizes.append(len(rows)) or last(rows, *rest)
    monkeypatch.setattr(module, "BLOCK", 7)
    torch.testing.assert_close(model.predict(x), whole, rtol=1e-12, atol=1e-14)
    assert model.evaluate(x, y) == pytest.approx(figures, rel=1e-12)
    spec = checked(example(name))
    rows = math.prod(spec.row_shape[:-1])
    assert sizes == [7 * rows, 7 * rows, 7 * rows, 2 * rows] * 2


@pytest.mark.parametrize("name", EXAMPLES)
def test_evaluate_agrees_with_predict(name: str, target: str) -> None:
    module, model = module_of_example(name, target=target), model_of(
        name, target=target
    )
    x, y = samples(module, 50)
    figures, prediction = model.evaluate(x, y), model.predict(x)
    assert figures["loss"] == pytest.approx(model.loss(x, y), rel=1e-12)
    spec = checked(example(name))
    assert set(figures) == {"loss", *(m.use.entry.name for m in spec.metrics)}
    if "accuracy" in figures:
        classes = takes_classes(module)
        told = prediction.argmax(1) == y if classes else (prediction > 0.5) == (y > 0.5)
        assert figures["accuracy"] == pytest.approx(float(told.double().mean()))


def test_results_are_not_overwritten(target: str) -> None:
    for name in EXAMPLES:
        model, (x, _) = model_of(name, target=target), samples(
            module_of_example(name, target=target), 5
        )
        first = model.forward(x)
        kept = first.clone()
        model.forward(x + 1)
        assert torch.equal(first, kept), name


def test_only_some_workspaces_are_kept() -> None:
    module = module_of(PLAIN)
    model = module.Model(dtype=DOUBLE)
    expected = [model.forward(samples(module, n)[0]) for n in range(1, 40)]
    assert len(model._workspaces) <= module.KEPT_WORKSPACES
    again = [model.forward(samples(module, n)[0]) for n in range(1, 40)]
    assert all(torch.equal(a, b) for a, b in zip(expected, again, strict=True))


# The start.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_everything_has_the_dtype(dtype: torch.dtype, target: str) -> None:
    for name in EXAMPLES:
        model = model_of(name, dtype, target=target)
        x, y = samples(module_of_example(name, target=target), 5, dtype)
        found = [model.predict(x), model.forward(x)]
        loss = model.train_step(x, y, 0.1)
        found += [loss] if target == "torch" else []
        found += [*model.parameters.values(), *model.state_dict().values()]
        found += model.loss_and_gradients(x, y, input_gradient=True)[1].values()
        assert {t.dtype for t in found} == {dtype}, name


def test_float32_is_the_default_and_no_other_is_taken(target: str) -> None:
    module = module_of(PLAIN, target=target)
    assert module.Model().flat_parameters.dtype == torch.float32
    for dtype in (torch.float16, torch.bfloat16, torch.int64, torch.complex64):
        found = in_words_of(target, str(dtype))
        with pytest.raises(ValueError, match=f"found '?{found}"):
            module.Model(dtype=dtype)


def test_the_seed_makes_the_start(target: str) -> None:
    module = module_of_example("disk", target=target)
    starts = [state(module.Model(seed=seed)) for seed in (0, 0, 1, 2**63)]
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
    assert not torch.equal(starts[0], starts[3])
    assert torch.equal(starts[0], state(module.Model()))  # the spec says seed=0
    torch.manual_seed(5)
    before = torch.get_rng_state()
    module.Model(seed=3).fit(*samples(module, 4, torch.float32) * 2, epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


# state_dict.


@pytest.mark.parametrize("name", STATELESS)
def test_the_state_is_that_of_torch(name: str, target: str) -> None:
    model, net = model_of(name, target=target), sequential(example(name))
    mine, theirs = model.state_dict(), net.state_dict()
    assert {n: p.shape for n, p in mine.items()} == {
        n: p.shape for n, p in theirs.items()
    }
    assert list(mine) == list(theirs)
    x, _ = samples(module_of_example(name, target=target), 9)
    net.load_state_dict(mine)
    torch.testing.assert_close(model.predict(x), net(x).detach())
    other = sequential(example(name))
    model.load_state_dict(other.state_dict())
    torch.testing.assert_close(model.predict(x), other(x).detach())


def test_the_state_is_a_copy(target: str) -> None:
    model = model_of("disk", target=target)
    before, given = state(model), model.state_dict()
    assert all(p.is_contiguous() for p in given.values())
    for p in given.values():
        p.zero_()
    assert torch.equal(state(model), before)
    model.load_state_dict(given)
    for p in given.values():
        p.fill_(3)
    assert not state(model).any()


Change = Callable[[dict[str, Any]], object]

TENSORS_ALONE = ("an array", "array", "device")
"""Faults that what the other targets take cannot have."""

BAD_STATES: dict[str, tuple[Change, str]] = {
    "missing": (lambda d: d.pop("linear4.bias"), r"'linear4.bias' is missing"),
    "extra": (lambda d: d.update(more=torch.ones(1)), r"'more'"),
    "empty": (lambda d: d.clear(), r"'linear1.weight' is missing"),
    "transposed": (
        lambda d: d.update({"linear1.weight": d["linear1.weight"].t()}),
        r"'linear1.weight'.*\(25, 2\), found \(2, 25\)",
    ),
    "broadcast": (
        lambda d: d.update({"linear4.bias": torch.ones((), dtype=DOUBLE)}),
        r"'linear4.bias'.*\(1,\), found \(\)",
    ),
    "whole numbers": (
        lambda d: d.update({"linear2.bias": torch.ones(25, dtype=torch.int64)}),
        r"'linear2.bias': expected reals, found torch.int64",
    ),
    "an array": (
        lambda d: d.update({"linear4.bias": np.ones(1)}),
        r"'linear4.bias': expected a Tensor, found ndarray",
    ),
}


@pytest.mark.parametrize("fault", BAD_STATES)
def test_a_state_that_does_not_fit_changes_nothing(fault: str, target: str) -> None:
    model, given = (
        model_of("disk", target=target),
        model_of("disk", seed=1, target=target).state_dict(),
    )
    before = state(model)
    if target != "torch" and fault in TENSORS_ALONE:
        pytest.skip("torch alone has those")
    change, message = BAD_STATES[fault]
    change(given)
    with pytest.raises(ValueError, match=in_words_of(target, message)):
        model.load_state_dict(given)
    assert torch.equal(state(model), before)


def test_a_state_of_the_other_precision_is_converted(target: str) -> None:
    """As torch does: what torch.nn holds in float32 loads into a model in float64."""
    given = model_of("disk", torch.float32, seed=1, target=target).state_dict()
    model = model_of("disk", target=target)
    model.load_state_dict(given)
    assert torch.equal(
        model.parameters["linear2.weight"].float(), given["linear2.weight"]
    )
    assert model.flat_parameters.dtype == DOUBLE


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
        ('f"{place}.{os.urandom(4).hex()}.tmp"', "place"),
        ('open(temporary, "xb")', 'open(temporary, "wb")'),
    )
    for old, new in faults:
        assert text.count(old) == 1
        text = text.replace(old, new)
    done = killed(tmp_path, text)
    assert done.returncode != 0 and "not a whole safetensors file" in done.stderr


# What x and y must be.


def module_behind(model: Any) -> Any:
    """Give the module that a Model comes from."""
    if isinstance(model, AdaptedModel):
        return Adapted(sys.modules[type(model._inner).__module__])
    return sys.modules[type(model).__module__]


ENTRIES: dict[str, Callable[[Any, Any, Any], object]] = {
    "forward": lambda model, x, y: model.forward(x),
    "predict": lambda model, x, y: model.predict(x),
    "loss": lambda model, x, y: model.loss(x, y),
    "evaluate": lambda model, x, y: model.evaluate(x, y),
    "loss_and_gradients": lambda model, x, y: model.loss_and_gradients(x, y),
    "train_step": lambda model, x, y: model.train_step(x, y, 0.1),
    "fit": lambda model, x, y: model.fit(x, y, *samples(module_behind(model), 3)),
    "as_module": lambda model, x, y: model.as_module()(x),
}

BAD_X: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "rank": (lambda x: x[0], r"x: expected shape \(n, {shape}\), found \({shape},?\)"),
    "more axes": (
        lambda x: x[None],
        r"x: expected shape \(n, {shape}\), found \(1, 5, ",
    ),
    "number": (lambda x: x.sum(), r"x: expected shape \(n, {shape}\), found \(\)"),
    "trailing": (lambda x: x[:, 1:], r"x: expected shape \(n, {shape}\), found \(5, "),
    "dtype": (lambda x: x.float(), "x: expected torch.float64, found torch.float32"),
    "whole": (lambda x: x.long(), "x: expected torch.float64, found torch.int64"),
    "none": (lambda x: x[:0], "x: expected at least one sample, found none"),
    "array": (lambda x: x.numpy(), "x: expected a Tensor, found ndarray"),
    "list": (lambda x: x.tolist(), "x: expected a Tensor, found list"),
    "device": (lambda x: x.to("meta"), "x: expected it on cpu, found meta"),
}

BAD_Y: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "rank": (lambda y: y[None], r"y: expected shape \(n.*\), found \(1, 5"),
    "trailing": (lambda y: torch.stack([y, y], 1), r"y: expected shape .*found \(5, 2"),
    "dtype": (lambda y: y.float(), r"y: expected torch.\w+, found torch.float32"),
    "lengths": (lambda y: y[:3], "y has 3 samples, x has 5"),
    "none": (lambda y: y[:0], "y: expected at least one sample, found none"),
    "array": (lambda y: y.numpy(), "y: expected a Tensor, found ndarray"),
    "device": (lambda y: y.to("meta"), "y: expected it on cpu, found meta"),
}

BAD_CLASSES: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "above": (lambda y: y.clone().index_fill_(0, torch.tensor([2]), 3), "found 3"),
    "below": (lambda y: y.clone().index_fill_(0, torch.tensor([2]), -1), "found -1"),
}


def refused(name: str, entry: str, x: Any, y: Any, message: str, target: str) -> None:
    """See that an entry refuses x and y, and that nothing changes."""
    model = model_of(name, target=target)
    before = state(model)
    with pytest.raises(ValueError, match=in_words_of(target, message)):
        ENTRIES[entry](model, x, y)
    assert torch.equal(state(model), before)
    good = samples(module_of_example(name), 5)
    assert np.isfinite(model.evaluate(*good)["loss"])


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("fault", BAD_X)
def test_an_x_that_does_not_fit_is_refused(entry: str, fault: str, target: str) -> None:
    if target != "torch" and (fault in TENSORS_ALONE or entry == "as_module"):
        pytest.skip("torch alone has those")
    change, message = BAD_X[fault]
    for name in ("disk", "iris"):
        module = module_of_example(name, target=target)
        x, y = samples(module, 5)
        shape = str(module.INPUT_SHAPE[0])
        refused(
            name, entry, change(x), y, message.replace("{shape}", shape), target=target
        )


@pytest.mark.parametrize(
    "entry", ["loss", "evaluate", "loss_and_gradients", "train_step", "fit"]
)
def test_a_y_that_does_not_fit_is_refused(entry: str, target: str) -> None:
    for name in ("disk", "iris"):
        x, y = samples(module_of_example(name, target=target), 5)
        for fault, (change, message) in BAD_Y.items():
            if target != "torch" and fault in TENSORS_ALONE:
                continue
            refused(name, entry, x, change(y), message, target=target)
    for change, found in BAD_CLASSES.values():
        message = f"y: expected classes 0 to 2, {found}"
        refused("iris", entry, x, change(y), message, target=target)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", ["x", "y", "x_val", "y_val"])
def test_fit_refuses_numbers_that_are_not_finite(
    place: str, value: float, target: str
) -> None:
    module, model = module_of_example("disk", target=target), model_of(
        "disk", target=target
    )
    given = dict(zip(("x", "y"), samples(module, 5), strict=True))
    given |= dict(zip(("x_val", "y_val"), samples(module, 4), strict=True))
    given[place][3, 0] = value
    before = state(model)
    with pytest.raises(ValueError, match=f"{place}: sample 3 .* not finite"):
        model.fit(**given)
    assert torch.equal(state(model), before)


@pytest.mark.parametrize("place", ["x_val", "y_val"])
def test_validation_samples_are_checked_by_name(place: str, target: str) -> None:
    module, model = module_of_example("iris", target=target), model_of(
        "iris", target=target
    )
    given = dict(zip(("x", "y"), samples(module, 5), strict=True))
    given |= dict(zip(("x_val", "y_val"), samples(module, 4), strict=True))
    given[place] = given[place].float()
    with pytest.raises(
        ValueError, match=f"{place}: expected .* found (torch.)?float32"
    ):
        model.fit(**given)


def test_what_carries_a_graph_is_taken_without_it() -> None:
    module, model = module_of_example("disk"), model_of("disk")
    x, y = samples(module, 5)
    x.requires_grad_()
    assert not model.predict(x).requires_grad
    assert not model.train_step(x * 1, y, 0.1).requires_grad


# as_module.


@pytest.mark.parametrize("name", STATELESS)
def test_as_module_is_the_network_of_torch(name: str) -> None:
    model, net = model_of(name), sequential(example(name))
    net.load_state_dict(model.state_dict())
    module = model.as_module()
    assert list(module.state_dict()) == list(net.state_dict())
    x, _ = samples(module_of_example(name), 6)
    weights = torch.randn(net(x).shape, dtype=DOUBLE)
    found = []
    for network in (module, net):
        given = x.clone().requires_grad_()
        prediction = network(given)
        (prediction * weights).sum().backward(retain_graph=True)
        first = [given.grad, *(p.grad for p in network.parameters())]
        first = [g.clone() for g in first if g is not None]
        (prediction * weights).sum().backward()  # once more: gradients add up
        twice = [given.grad, *(p.grad for p in network.parameters())]
        found.append([prediction.detach(), *first, *twice])
    assert len(found[0]) == len(found[1]) == 2 * len(list(net.parameters())) + 3
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", STATELESS)
def test_as_module_is_trained_by_torch(name: str) -> None:
    model, net = model_of(name), sequential(example(name))
    net.load_state_dict(model.state_dict())
    module = model.as_module()
    x, y = samples(module_of_example(name), 12)
    for network in (module, net):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
        for _ in range(20):
            optimizer.zero_grad()
            prediction = network(x)
            if takes_classes(module_of_example(name)):
                loss = nn.functional.nll_loss(prediction.log(), y)
            else:
                loss = nn.functional.mse_loss(prediction, y)
            loss.backward()
            optimizer.step()
    for key, p in net.state_dict().items():
        torch.testing.assert_close(model.parameters[key], p, rtol=1e-9, atol=1e-11)


def as_module() -> tuple[Any, nn.Module, Tensor]:
    model = model_of("disk")
    return model, model.as_module(), samples(module_of_example("disk"), 5)[0]


def test_as_module_shares_the_parameters() -> None:
    model, module, x = as_module()
    for name, p in module.named_parameters():
        assert p.data_ptr() == model.parameters[name].data_ptr()
        assert p.requires_grad and not model.parameters[name].requires_grad
    torch.testing.assert_close(module(x).detach(), model.predict(x))
    model.flat_parameters.mul_(0.5)
    torch.testing.assert_close(module(x).detach(), model.predict(x))
    module.load_state_dict(model_of("disk", seed=4).state_dict())
    assert torch.equal(state(model), state(model_of("disk", seed=4)))
    with torch.no_grad():
        assert not module(x).requires_grad


def test_as_module_keeps_forward_passes_apart() -> None:
    model, module, x = as_module()
    first, second = module(x), module(2 * x)
    module(3 * x)
    model.predict(x + 1)
    second.sum().backward()
    first.sum().backward()
    found = {name: p.grad.clone() for name, p in module.named_parameters()}
    module.zero_grad()
    (module(torch.cat([x, 2 * x]))).sum().backward()
    for name, p in module.named_parameters():
        torch.testing.assert_close(found[name], p.grad)


def test_a_step_between_forward_and_backward_is_an_error() -> None:
    _, module, x = as_module()
    prediction = module(x).sum()
    with torch.no_grad():
        next(module.parameters()).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        prediction.backward()


def test_as_module_has_no_second_derivative() -> None:
    _, module, x = as_module()
    given = x.requires_grad_()
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(module(given).sum(), given, create_graph=True)


def test_a_copy_of_the_module_has_its_own_parameters() -> None:
    """As weight averaging makes one: it predicts by its own and changes no other's."""
    model, module, x = as_module()
    before, averaged = state(model), copy.deepcopy(module)
    with torch.no_grad():
        for p in averaged.parameters():
            p.mul_(2)
    net = sequential(example("disk"))
    net.load_state_dict(averaged.state_dict())
    prediction = averaged(x)
    torch.testing.assert_close(prediction, net(x))
    module(x)
    prediction.sum().backward()
    net(x).sum().backward()
    for mine, theirs in zip(averaged.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)
    assert torch.equal(state(model), before)


def test_functional_call_takes_other_parameters() -> None:
    model, module, x = as_module()
    before = state(model)
    net = sequential(example("disk"))
    outer = []
    for network in (module, net):
        given = {
            name: (2 * p).requires_grad_() for name, p in model.state_dict().items()
        }
        prediction = functional_call(network, given, (x,))
        functional_call(network, model.state_dict(), (x,))
        outer.append(
            [prediction, *torch.autograd.grad(prediction.sum(), given.values())]
        )
    for mine, theirs in zip(*outer, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert torch.equal(state(model), before)


def test_transforms_of_torch_func_are_refused_and_change_nothing() -> None:
    """`torch.func.grad` always asks for a graph of the derivative; vmap needs a rule."""
    model, module, x = as_module()
    before, given = state(model), model.state_dict()
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.func.grad(lambda p: functional_call(module, p, (x,)).sum())(given)
    with pytest.raises(RuntimeError, match="vmap"):
        torch.func.vmap(lambda sample: module(sample[None]))(x)
    assert torch.equal(state(model), before)


# The text.


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, target: str) -> list[str]:
    """Write every example's module to disk."""
    folder = tmp_path_factory.mktemp("emitted")
    for name, text in TEXTS.items():
        (folder / f"{name}.py").write_text(compiled(text, target=target))
    return [str(folder / f"{name}.py") for name in TEXTS]


ODD = {
    "odd_wide": """
model odd_wide
input x: real[2, 2]
target y: real[2, 1]
layers { linear(150, weight=orthogonal) relu linear(130, bias=none) tanh linear(1) }
loss binary_cross_entropy
optimizer sgd(lr=0.1, momentum=0.5)
schedule step_decay(factor=1/3, every=1)
metric accuracy(threshold=0.3)
""",
    "odd_small": """
model odd_small
input image: real[2, 2, 2, 2]
target y: real[2, 2, 2, 1]
layers {
  linear(3, weight=orthogonal(gain=2))
  repeat(9) { linear(2, weight=he_normal(truncated=true), bias=normal) softmax }
  linear(1, weight=torch_default, bias=torch_default)
  sigmoid
}
loss mse(half=true)
optimizer sgd(lr=0.1, momentum=0.5, nesterov=true, weight_decay=0.1)
schedule exponential_decay(gamma=1.1)
early_stopping(monitor=train_loss, start=2, restore_best=false)
train(epochs=5, shuffle=false, drop_last=true, batch_size=3)
""",
}
"""Words that no example uses."""
TEXTS = {name: example(name) for name in EXAMPLES} | ODD


TOOLS = {
    "ruff": ["check", "--isolated", "--quiet", "--select", "F,B,I,E7,E9,D402"],
    "black": ["--check", "--quiet", "--diff", "--config", os.devnull],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_text_is_clean(tool: str, files: list[str]) -> None:
    """As its user would look at it, with the rules for docstrings of this project too."""
    command = [sys.executable, "-m", tool, *TOOLS[tool], *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_right(tmp_path: Path) -> None:
    """As `mypy --strict` has it; what it knows of torch serves `make lint` too."""
    for target in TARGETS:
        for name, text in TEXTS.items():
            module = compiled(text, target=target)
            (tmp_path / f"{name}_{target}.py").write_text(module)
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unreachable"]
    command += ["--config-file", os.devnull, "--cache-dir", str(ROOT / ".mypy_cache")]
    command += map(str, sorted(tmp_path.glob("*.py")))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_line_is_longer_than_black_has_them(files: list[str]) -> None:
    lines = [line for file in files for line in Path(file).read_text().splitlines()]
    assert [line for line in lines if len(line) > 88] == []
