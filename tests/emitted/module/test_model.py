"""The emitted module's public names, point by point against what they promise."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import specc
from tests.cases.models import (
    DOUBLE,
    PLAIN,
    TENSORS_ALONE,
    in_words_of,
    model_of,
    state,
)
from tests.cases.modules import (
    EXAMPLES,
    STATELESS,
    checked,
    example,
    module_of_example,
)
from tests.cases.modules import module_of_spec as module_of
from tests.cases.samples import samples, sequential, takes_classes


def lies_in(part: Tensor, whole: Tensor) -> bool:
    """Whether a tensor begins in the memory of another."""
    offset = part.data_ptr() - whole.data_ptr()
    return 0 <= offset < whole.numel() * whole.element_size()


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
    assert len(vars(model._workspaces)) == module.KEPT_WORKSPACES
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
