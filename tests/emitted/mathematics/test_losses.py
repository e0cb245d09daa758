"""The arguments of the losses: what emitted modules give, against torch.nn.functional."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
)

from tests.cases.modules import module_of_spec

TEXT = """model net
input x: real[3]
target y: int[]
layers {{ linear(6) tanh linear(4) {last} }}
loss cross_entropy(label_smoothing={smoothing})
optimizer sgd(lr=0.1)
train(epochs=2, batch_size=8)
"""


def differentiated(model: Any, x: Tensor, y: Tensor, **arguments: Any) -> Any:
    """Give the loss and dL/d(parameter) by autograd, of tanh between two layers."""
    p = {n: v.clone().requires_grad_() for n, v in model.state_dict().items()}
    hidden = torch.tanh(x @ p["linear1.weight"].T + p["linear1.bias"])
    logits = hidden @ p["linear2.weight"].T + p["linear2.bias"]
    loss = cross_entropy(logits, y, **arguments)
    loss.backward()
    return loss.item(), {name: value.grad for name, value in p.items()}


@pytest.mark.parametrize("last", ["", "softmax"])
@pytest.mark.parametrize("smoothing", [0.1, 0.35, 1])
def test_label_smoothing_is_that_of_torch(
    smoothing: float, last: str, target: str
) -> None:
    module = module_of_spec(TEXT.format(smoothing=smoothing, last=last), target=target)
    model = module.Model(dtype=torch.float64)
    draw = torch.Generator().manual_seed(3)
    x = torch.randn(37, 3, dtype=torch.float64, generator=draw)
    y = torch.randint(4, (37,), generator=draw)
    expected, gradients = differentiated(model, x, y, label_smoothing=smoothing)
    loss, found = model.loss_and_gradients(x, y)
    assert float(loss) == pytest.approx(expected, rel=1e-12)
    assert model.evaluate(x, y)["loss"] == pytest.approx(expected, rel=1e-12)
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-14)


def test_label_smoothing_is_stable(target: str) -> None:
    """Logits of a thousand overflow no exponential."""
    module = module_of_spec(TEXT.format(smoothing=0.1, last=""), target=target)
    model = module.Model(dtype=torch.float64)
    state = {name: 1e3 * value for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    x = torch.ones(5, 3, dtype=torch.float64)
    y = torch.arange(5) % 4
    expected, gradients = differentiated(model, x, y, label_smoothing=0.1)
    loss, found = model.loss_and_gradients(x, y)
    assert float(loss) == pytest.approx(expected, rel=1e-12)
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-14)


REDUCED = """model net
input x: real[5, 3]
target y: {target}
layers {{ linear(6) tanh linear(4) {last} }}
loss {loss}
optimizer sgd(lr=0.1)
train(epochs=1, batch_size=1100)
"""

LOSSES = {
    "mse(reduction=batch_mean)": ("real[5, 4]", "", mse_loss),
    "binary_cross_entropy(reduction=batch_mean)": (
        "real[5, 4]",
        "",
        binary_cross_entropy_with_logits,
    ),
    "cross_entropy(reduction=batch_mean)": ("int[5]", "softmax", cross_entropy),
    "cross_entropy(reduction=batch_mean, label_smoothing=0.2)": (
        "int[5]",
        "",
        lambda z, t, reduction: cross_entropy(
            z, t, reduction=reduction, label_smoothing=0.2
        ),
    ),
}
"""A loss: the target, the last activation, what torch calls it."""


@pytest.mark.parametrize("loss", LOSSES)
def test_batch_mean_sums_over_a_sample(loss: str, target: str) -> None:
    """Torch's sum by the samples, of more of them than a block or a part holds."""
    declared, last, compare = LOSSES[loss]
    text = REDUCED.format(target=declared, last=last, loss=loss)
    module = module_of_spec(text, target=target)
    model = module.Model(dtype=torch.float64)
    draw = torch.Generator().manual_seed(5)
    x = torch.randn(1100, 5, 3, dtype=torch.float64, generator=draw)
    y = torch.rand(1100, 5, 4, dtype=torch.float64, generator=draw)
    if declared == "int[5]":
        y = torch.randint(4, (1100, 5), generator=draw)
    p = {n: v.clone().requires_grad_() for n, v in model.state_dict().items()}
    hidden = torch.tanh(x @ p["linear1.weight"].T + p["linear1.bias"])
    logits = hidden @ p["linear2.weight"].T + p["linear2.bias"]
    if declared == "int[5]":
        summed = compare(logits.flatten(0, 1), y.flatten(), reduction="sum")
    else:
        summed = compare(logits, y, reduction="sum")
    expected = summed / 1100
    expected.backward()
    loss_of_all, found = model.loss_and_gradients(x, y)
    wanted = pytest.approx(expected.item(), rel=1e-12)
    assert float(loss_of_all) == wanted
    assert model.evaluate(x, y)["loss"] == wanted
    for name, value in p.items():
        torch.testing.assert_close(found[name], value.grad, rtol=1e-10, atol=1e-13)
    assert model.fit(x, y)[0]["train_loss"] == wanted


SUMMED = {
    "mse": ("real[5, 4]", "", mse_loss),
    "mse(half=true)": (
        "real[5, 4]",
        "tanh",
        lambda p, t, **of: mse_loss(p, t, **of) / 2,
    ),
    "mae": ("real[5, 4]", "", l1_loss),
    "huber(delta=0.5)": (
        "real[5, 4]",
        "",
        lambda p, t, **of: huber_loss(p, t, delta=0.5, **of),
    ),
    "binary_cross_entropy": ("real[5, 4]", "sigmoid", binary_cross_entropy_with_logits),
    "cross_entropy": ("int[5]", "softmax", cross_entropy),
    "cross_entropy(label_smoothing=0.2)": (
        "int[5]",
        "",
        lambda z, t, **of: cross_entropy(z, t, label_smoothing=0.2, **of),
    ),
    "cube": ("real[5, 4]", "", lambda p, t, reduction: ((p - t).abs() ** 3).sum()),
}
"""A loss -> the target, the last activation, what torch has for it."""


@pytest.mark.parametrize("loss", SUMMED)
def test_a_sum_is_that_of_torch(loss: str, target: str) -> None:
    """Value, gradients, updates, and figures over several blocks and batches."""
    y_type, last, function = SUMMED[loss]
    word, _, rest = loss.partition("(")
    inside = f"{rest.removesuffix(')')}, reduction=sum" if rest else "reduction=sum"
    text = f"""model net
input x: real[5, 3]
target y: {y_type}
def loss cube(p, t) = abs(p - t)^3
layers {{ linear(6) tanh linear(4) {last} }}
loss {word}({inside})
optimizer sgd(lr=0.001)
metric accuracy
train(epochs=2, batch_size=300)
"""
    if word != "cube":
        text = text.replace("def loss cube(p, t) = abs(p - t)^3\n", "")
    module = module_of_spec(text, target=target)
    model = module.Model(dtype=torch.float64)
    draw = torch.Generator().manual_seed(7)
    x = torch.randn(700, 5, 3, dtype=torch.float64, generator=draw)
    if y_type.startswith("int"):
        y = torch.randint(4, (700, 5), generator=draw)
    else:
        y = torch.rand(700, 5, 4, dtype=torch.float64, generator=draw)
    p = {n: v.clone().requires_grad_() for n, v in model.state_dict().items()}
    hidden = torch.tanh(x @ p["linear1.weight"].T + p["linear1.bias"])
    z = hidden @ p["linear2.weight"].T + p["linear2.bias"]
    z = torch.tanh(z) if last == "tanh" else z
    z, t = (z.reshape(-1, 4), y.reshape(-1)) if y.dtype == torch.int64 else (z, y)
    expected = function(z, t, reduction="sum")
    expected.backward()
    value = expected.item()
    assert model.loss(x, y) == pytest.approx(value, rel=1e-12)
    found, gradients = model.loss_and_gradients(x, y)
    assert found == pytest.approx(value, rel=1e-12)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, p[name].grad, rtol=1e-10, atol=1e-12)
    assert model.evaluate(x, y)["loss"] == pytest.approx(value, rel=1e-12)
    other = module.Model(dtype=torch.float64)
    assert float(other.train_step(x, y, 0.0)) == pytest.approx(value, rel=1e-12)
    history = other.fit(x[:300], y[:300], x, y, epochs=1)
    before = model.evaluate(x[:300], y[:300])
    assert history[0]["train_loss"] == pytest.approx(before["loss"], rel=1e-12)
    after = other.evaluate(x, y)
    assert history[0]["val_loss"] == pytest.approx(after["loss"], rel=1e-12)
    assert history[0]["val_accuracy"] == pytest.approx(after["accuracy"], rel=1e-12)
