"""The metrics: what emitted modules give, against scikit-learn, over several blocks."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error

from tests.modules import compiled, module_of_spec

TEXT = """model net
input x: real[3]
target y: real[2]
layers { linear(6) tanh linear(2) }
loss LOSS
optimizer sgd(lr=0.01)
metric mae
metric mse
train(epochs=1, batch_size=2500)
early_stopping(monitor=train_mse)
"""


@pytest.mark.parametrize("loss", ["mse(half=true)", "binary_cross_entropy"])
def test_errors_are_those_of_sklearn(loss: str, target: str) -> None:
    """Logits are compared as the probabilities that they stand for."""
    module = module_of_spec(TEXT.replace("LOSS", loss), target=target)
    model = module.Model(dtype=torch.float64)
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(2500, 3, dtype=torch.float64, generator=draw)
    y = torch.rand(2500, 2, dtype=torch.float64, generator=draw)
    prediction = model.predict(x)
    if loss == "binary_cross_entropy":
        prediction = torch.sigmoid(model.forward(x))
    expected = {
        "mae": mean_absolute_error(y, prediction),
        "mse": mean_squared_error(y, prediction),
    }
    figures = model.evaluate(x, y)
    history = model.fit(x, y)
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, rel=1e-12)
        assert history[0][f"train_{name}"] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("mode", ["auto", "min"])
def test_less_of_an_error_is_better(mode: str) -> None:
    text = TEXT.replace("LOSS", "mse")
    chosen = text.replace("train_mse", f"train_mse, mode={mode}")
    assert "value < self.best_value" in compiled(chosen)
