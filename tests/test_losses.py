"""The arguments of the losses: what emitted modules give, against torch.nn.functional."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.modules import module_of_spec

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
