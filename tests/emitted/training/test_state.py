"""State of layers: what training draws, tracks and measures, and where it goes.

Gradients in both modes and thirty steps beside torch are in test_gradients, equality of the targets
in test_conformance, resuming in test_resume.
"""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from specc.library.streams import uniform
from tests.cases.modules import module_of_spec
from tests.cases.samples import samples as drawn_samples

D = torch.float64
LAYERS = """
  standardize
  hidden = linear(6, bias=none)
  norm = batch_norm
  relu
  drop = dropout(0.25)
  linear(5)
  layer_norm
  linear(1)
"""


def spec(layers: str = LAYERS, more: str = "", optimizer: str = "sgd(lr=0.1)") -> str:
    return f"""model net
input x: real[3]
target y: real[1]
layers {{ {layers} }}
loss mse
optimizer {optimizer}
{more or "train(epochs=6, batch_size=8)"}
"""


def samples(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, dtype=D, generator=draw) * 4 + 7
    return x, x.sum(dim=1, keepdim=True).sin()


def made(target: str, layers: str = LAYERS, **given: Any) -> Any:
    return module_of_spec(spec(layers, **given), target=target).Model(dtype=D)


def test_the_state_has_the_names_and_shapes_of_torch(target: str) -> None:
    net = made(target)
    own = nn.ModuleDict({"norm": nn.BatchNorm1d(6), "layer_norm1": nn.LayerNorm(5)})
    expected = {k: v.shape for k, v in own.state_dict().items() if v.dim()}
    found = {k: v.shape for k, v in net.state_dict().items() if k in expected}
    assert found == expected
    assert set(net.buffers) == {
        "standardize1.mean",
        "standardize1.std",
        "standardize1.offset",
        "norm.running_mean",
        "norm.running_var",
    }
    own.double().load_state_dict({k: net.state_dict()[k] for k in expected})


def test_what_torch_counts_is_taken_and_left_out(target: str) -> None:
    net = made(target)
    state = net.state_dict()
    counted = state | {"norm.num_batches_tracked": torch.tensor(7)}
    net.load_state_dict(counted)
    assert net.state_dict().keys() == state.keys()
    for fault in ("drop.num_batches_tracked", "norm.running_median"):
        with pytest.raises(ValueError, match=fault):
            net.load_state_dict(state | {fault: torch.tensor(7.0)})
    del state["norm.running_var"]
    with pytest.raises(ValueError, match=r"'norm.running_var' is missing"):
        net.load_state_dict(state)


def test_fit_measures_the_training_samples_alone(target: str) -> None:
    """The mean and the biased deviation of each feature; a constant one divides by 1."""
    net = made(target)
    x, y = samples(21)
    x[:, 1] = 0.1
    x_val, y_val = samples(9, seed=1)
    net.fit(x, y, x_val, y_val, epochs=1)
    std = x.std(dim=0, unbiased=False)
    std[1] = 1
    torch.testing.assert_close(net.buffers["standardize1.mean"], x.mean(dim=0))
    torch.testing.assert_close(net.buffers["standardize1.std"], std, rtol=1e-14, atol=0)
    assert net.predict(x_val).isfinite().all()


def test_measures_survive_large_means(target: str) -> None:
    """Features near 1e6 with a deviation of 1, in float32: E[x^2] - E[x]^2 would be noise."""
    module = module_of_spec(spec("standardize linear(1)"), target=target)
    net = module.Model()
    x = (torch.randn(5000, 3, generator=torch.Generator().manual_seed(3)) + 1e6).float()
    net.fit(x, x[:, :1] * 0, epochs=1)
    exact = x.double()
    std = net.buffers["standardize1.std"].double()
    torch.testing.assert_close(std, exact.std(dim=0, unbiased=False), rtol=1e-6, atol=0)


def test_steps_leave_the_measures(target: str) -> None:
    net = made(target)
    net.train_step(*samples(8), 0.1)
    assert torch.equal(net.buffers["standardize1.mean"], torch.zeros(3, dtype=D))
    assert torch.equal(net.buffers["standardize1.std"], torch.ones(3, dtype=D))


def test_each_update_drops_what_its_stream_says(target: str) -> None:
    """A linear layer of ones on dropped ones gives the share that was kept."""
    layers = "drop = dropout(0.25) linear(1, weight=ones)"
    net = made(target, layers, optimizer="sgd(lr=1)")
    x, y = torch.ones(40, 3, dtype=D), torch.zeros(40, 1, dtype=D)
    for update in range(3):
        kept = uniform(0, f"dropout/drop/{update}", 120).reshape(40, 3) >= 0.25
        expected = float(np.mean((kept / 0.75).sum(axis=1) ** 2))
        assert math.isclose(net.loss(x, y, training=True), expected, rel_tol=1e-14)
        assert math.isclose(float(net.train_step(x, y, 0.0)), expected, rel_tol=1e-14)
    assert net.loss(x, y) == 9


def test_a_seed_drops_otherwise_and_fit_begins_anew(target: str) -> None:
    layers = "dropout(0.5) linear(4) dropout(0.5) linear(1)"
    module = module_of_spec(spec(layers), target=target)
    x, y = samples(16)
    first, again, other = (module.Model(seed=s, dtype=D) for s in (1, 1, 2))
    other.load_state_dict(first.state_dict())
    again.train_step(x, y, 0.0)  # an update before, of which fit knows nothing
    for net in (first, again, other):
        net.fit(x, y)
    assert torch.equal(first.flat_parameters, again.flat_parameters)
    assert not torch.equal(first.flat_parameters, other.flat_parameters)


def test_a_batch_of_one_moves_no_statistics(target: str) -> None:
    """It has no variance. The step is taken, and nothing becomes infinite."""
    net = made(target, "batch_norm linear(2) tanh linear(1)")
    before = {name: buffer.clone() for name, buffer in net.buffers.items()}
    x, y = samples(1)
    assert math.isfinite(float(net.train_step(x, y, 0.1)))
    assert all(torch.equal(net.buffers[k], v) for k, v in before.items())
    assert net.flat_parameters.isfinite().all()
    net.train_step(*samples(2), 0.1)
    assert not any(torch.equal(net.buffers[k], v) for k, v in before.items())


def test_the_best_epoch_has_its_statistics_too(target: str) -> None:
    """What is restored predicts as it did then: parameters and running statistics."""
    more = "train(epochs=30, batch_size=8)\nearly_stopping(patience=30)"
    net = made(target, more=more, optimizer="sgd(lr=0.05)")
    x, y = samples(40)
    x_val, y_val = samples(20, seed=1)
    history = net.fit(x, y, x_val, y_val)
    assert 0 <= history.best_epoch < len(history) - 1
    best = history[history.best_epoch]["val_loss"]
    assert net.evaluate(x_val, y_val)["loss"] == pytest.approx(best, rel=1e-14)


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value")
def test_the_last_good_state_is_found_again(target: str) -> None:
    """After a loss that is not finite: parameters, statistics, and the masks on the way."""
    layers = "batch_norm linear(4) dropout(0.4) linear(4) linear(1)"
    net = made(target, layers, optimizer="sgd(lr=20)")
    again = made(target, layers, optimizer="sgd(lr=20)")
    x, y = samples(24)
    x = x * 1e3
    history = net.fit(x, y, epochs=200)
    assert history.stopped_by == "non_finite"
    assert all(v.isfinite().all() for v in net.state_dict().values())
    words = history.note.split()
    epoch, update = (
        int(words[words.index(w) + 1].strip(",;")) for w in ("epoch", "update")
    )
    states = []
    from specc.library.streams import permutation

    for e in range(epoch + 1):
        turn = torch.tensor(permutation(0, f"shuffle/{e}", len(x)))
        for chosen in turn.split(8)[: update if e == epoch else None]:
            states.append(again.state_dict())
            again.train_step(x[chosen], y[chosen], 20.0)
    expected = states[-1]
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-9, atol=0)


@pytest.mark.parametrize("how", ["pickle", "copy"])
def test_a_copy_has_all_of_it_and_goes_on_alike(how: str, target: str) -> None:
    if target != "torch":
        net = made(target)._inner
        x, y = (t.numpy() for t in samples(8))
    else:
        net = made(target)
        x, y = samples(8)
    net.fit(x, y, epochs=2)
    net.train_step(x, y, 0.1)
    other = pickle.loads(pickle.dumps(net)) if how == "pickle" else copy.deepcopy(net)
    assert other.flat_buffers is not net.flat_buffers
    for _ in range(3):
        assert float(net.train_step(x, y, 0.1)) == float(other.train_step(x, y, 0.1))
    for name, value in net.state_dict().items():
        assert (value == other.state_dict()[name]).all(), name


def test_what_is_saved_has_the_buffers(target: str, tmp_path: Path) -> None:
    net, other = made(target), made(target)
    net.fit(*samples(20))
    net.save(tmp_path / "net.safetensors")
    other.load(tmp_path / "net.safetensors")
    x, y = samples(5, seed=2)
    assert other.evaluate(x, y) == net.evaluate(x, y)
    assert torch.equal(other.flat_buffers, net.flat_buffers)


def test_evaluation_looks_at_each_sample_alone(target: str) -> None:
    net = made(target)
    net.fit(*samples(30))
    x, y = samples(2000, seed=4)
    whole = net.predict(x)
    torch.testing.assert_close(net.predict(x[7:9]), whole[7:9], rtol=1e-12, atol=1e-13)
    assert net.evaluate(x, y) == pytest.approx(net.evaluate(x, y), rel=0)


def test_c_says_how_many_samples_a_norm_takes() -> None:
    """Nothing is allocated there, and the statistics are those of the whole batch."""
    net = made("c")
    x, y = samples(300)
    for ask in (
        lambda: net.train_step(x, y, 0.1),
        lambda: net.loss_and_gradients(x, y, training=True),
        lambda: net.loss(x, y, training=True),
    ):
        with pytest.raises(ValueError, match="expected 256 samples at most, found 300"):
            ask()
    loss, _ = net.loss_and_gradients(x, y)
    assert loss == pytest.approx(net.loss(x, y), rel=1e-13)


def test_large_batches_with_dropout_alone_go_in_parts() -> None:
    """The numbers of a mask go on from part to part, so that C draws what torch does."""
    layers = "linear(6) relu dropout(0.3) linear(1)"
    found = []
    for target in ("torch", "c"):
        net = made(target, layers)
        x, y = samples(700)
        losses = [float(net.train_step(x, y, 0.05)) for _ in range(3)]
        found.append((losses, net.flat_parameters.sum()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)


def test_as_module_counts_its_updates_and_keeps_copies_apart() -> None:
    net = made("torch")
    module = net.as_module()
    x, y = samples(8)
    twice = [module(x) for _ in range(2)]
    assert not torch.equal(twice[0], twice[1]), "another mask each time"
    module.eval()
    assert torch.equal(module(x), module(x))
    torch.testing.assert_close(module(x), net.forward(x))
    other = copy.deepcopy(module).train()
    before = net.flat_buffers.clone()
    other(x)
    assert torch.equal(net.flat_buffers, before)
    moved = dict(other.named_buffers())["norm.running_mean"]
    assert not torch.equal(moved, net.buffers["norm.running_mean"])


def test_as_module_is_trained_as_torch_trains_it() -> None:
    """Ten steps of Adam over batch statistics: those of a torch.nn network."""
    layers = "linear(6, bias=none) norm = batch_norm tanh linear(1)"
    net = made("torch", layers)
    module = net.as_module()
    own = nn.Sequential(
        nn.Linear(3, 6, bias=False), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 1)
    ).double()
    with torch.no_grad():
        for p, q in zip(own.parameters(), net.parameters.values(), strict=True):
            p.copy_(q)
    losses = []
    for network in (module, own):
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for step in range(10):
            x, y = samples(12, seed=step)
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(x), y)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    assert losses[:10] == pytest.approx(losses[10:], rel=1e-11)
    torch.testing.assert_close(net.buffers["norm.running_var"], own[1].running_var)


STANDARDIZED = spec(
    "standardize linear(4) tanh linear(1)", more="train(epochs=40, batch_size=4)"
)


def moved(module: Any) -> tuple[Any, Any, Any, Any]:
    """Give samples, and four others that lie elsewhere."""
    x, y = drawn_samples(module, 40)
    return x, y, x[:4] * 0.1 + 5, y[:4]


@pytest.mark.parametrize("by", ["fit", "pickle", "deepcopy", "load", "state_dict"])
def test_a_trained_model_keeps_what_it_measured(
    by: str, tmp_path: Path, target: str
) -> None:
    module = module_of_spec(STANDARDIZED, target=target)
    model = module.Model(dtype=torch.float64)
    x, y, x4, y4 = moved(module)
    model.fit(x, y)
    inner = getattr(model, "_inner", model)
    if by in ("pickle", "deepcopy"):
        copied = (
            pickle.loads(pickle.dumps(inner))
            if by == "pickle"
            else copy.deepcopy(inner)
        )
        model = copied if inner is model else type(model)(copied)
    elif by == "load":
        model.save(tmp_path / "weights")
        model = module.Model(dtype=torch.float64)
        model.load(tmp_path / "weights")
    elif by == "state_dict":
        numbers = model.state_dict()
        model = module.Model(dtype=torch.float64)
        model.load_state_dict(numbers)
    before = [b.clone() for b in model.buffers.values()]
    loss = model.loss(x, y)
    model.fit(x4, y4, epochs=1)
    assert all(map(torch.equal, before, model.buffers.values()))
    assert model.loss(x, y) < 30 * loss + 1
    model.fit(x4, y4, epochs=1, remeasure=True)
    assert not all(map(torch.equal, before, model.buffers.values()))
