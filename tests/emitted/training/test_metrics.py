"""The metrics: what emitted modules give, against scikit-learn, over several blocks."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
)

from tests.cases import specs
from tests.cases.modules import compiled, module_of_spec

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
    best = history[history.best_epoch]
    assert {name: best[f"train_{name}"] for name in figures} == model.evaluate(x, y)


@pytest.mark.parametrize("mode", ["auto", "min"])
def test_less_of_an_error_is_better(mode: str) -> None:
    text = TEXT.replace("LOSS", "mse")
    chosen = text.replace("train_mse", f"train_mse, mode={mode}")
    assert "value < self.best_value" in compiled(chosen)


BINARY = """model net
input x: real[3]
target y: real[1]
layers { linear(6) tanh linear(1) sigmoid }
loss binary_cross_entropy
optimizer sgd(lr=0.3)
metric precision
metric recall(threshold=0.4)
metric f1
metric r2
metric accuracy
train(epochs=2, batch_size=2500)
early_stopping(monitor=val_f1)
"""
TWO_CLASSES = (
    BINARY.replace("real[1]", "int[]")
    .replace("linear(1) sigmoid", "linear(2) softmax")
    .replace("binary_cross_entropy", "cross_entropy")
    .replace("recall(threshold=0.4)", "recall")
    .replace("metric r2\n", "")
)


def binary(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(count)
    x = torch.randn(count, 3, dtype=torch.float64, generator=draw)
    noise = torch.randn(count, 1, dtype=torch.float64, generator=draw)
    return x, (x[:, :1] + noise > 0.4).double()


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("count", [1, 37, 2500])
def test_shares_of_positives_are_those_of_sklearn(
    count: int, classes: bool, target: str
) -> None:
    """Over several blocks, and in an epoch as figures before each update."""
    module = module_of_spec(TWO_CLASSES if classes else BINARY, target=target)
    model = module.Model(seed=4, dtype=torch.float64)
    x, y = binary(count)
    said = model.predict(x)
    if classes:
        y = y.long().flatten()
        above = {0.5: said.argmax(dim=1), 0.4: said.argmax(dim=1)}
    else:
        above = {t: (said > t).flatten() for t in (0.5, 0.4)}
    truth = y.flatten() > 0
    expected = {
        "precision": precision_score(truth, above[0.5], zero_division=0),
        "recall": recall_score(truth, above[0.4], zero_division=0),
        "f1": f1_score(truth, above[0.5], zero_division=0),
        "accuracy": accuracy_score(truth, above[0.5]),
    }
    figures = model.evaluate(x, y)
    assert list(figures)[0] == "loss" and set(figures) - {"loss", "r2"} == set(expected)
    history = model.fit(x, y, x, y)
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, rel=1e-12), name
        assert history[0][f"train_{name}"] == pytest.approx(value, rel=1e-12), name
    assert set(history[0]) == {"epoch", "lr", "seconds"} | {
        f"{part}_{name}" for part in ("train", "val") for name in figures
    }


REGRESSION = """model net
input x: real[3]
target y: real[1]
layers { linear(6) tanh linear(1) }
loss mse
optimizer sgd(lr=0.01)
metric r2
train(epochs=1, batch_size=700)
"""


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_r2_is_that_of_sklearn(dtype: torch.dtype, target: str) -> None:
    """Targets far from 0 too: sums of squares are in float64 whatever the model has."""
    model = module_of_spec(REGRESSION, target=target).Model(dtype=dtype)
    draw = torch.Generator().manual_seed(2)
    x = torch.randn(2500, 3, generator=draw).to(dtype)
    for mean in (0.0, 1e4):
        y = (torch.randn(2500, 1, generator=draw) + mean).to(dtype)
        expected = r2_score(y.double(), model.predict(x).double())
        assert model.evaluate(x, y)["r2"] == pytest.approx(expected, rel=1e-6)
    history = model.fit(x[:700], y[:700])
    expected = r2_score(y[:700].double(), model_before(target, dtype, x[:700]).double())
    assert history[0]["train_r2"] == pytest.approx(expected, rel=1e-6)


def model_before(target: str, dtype: torch.dtype, x: torch.Tensor) -> torch.Tensor:
    model = module_of_spec(REGRESSION, target=target).Model(dtype=dtype)
    prediction: torch.Tensor = model.predict(x)
    return prediction


def test_r2_of_constant_targets(target: str) -> None:
    """As scikit-learn has it: 1 where all are predicted, else 0."""
    text = REGRESSION.replace("linear(6) tanh linear(1)", "linear(1, weight=zeros)")
    model = module_of_spec(text, target=target).Model(dtype=torch.float64)
    x = torch.ones(9, 3, dtype=torch.float64)
    for y in (0.0, 0.1, -3e5):
        constant = torch.full((9, 1), y, dtype=torch.float64)
        expected = r2_score(constant, model.predict(x))
        assert model.evaluate(x, constant)["r2"] == expected == float(y == 0)


@pytest.mark.parametrize("metric", ["r2", "precision", "recall", "f1"])
def test_more_of_a_share_is_better(metric: str, target: str) -> None:
    """Early stopping keeps the epoch with the largest; ties are no gain."""
    more = f"early_stopping(monitor=val_{metric}, patience=3)\ntrain(epochs=12)"
    text = BINARY.partition("train(")[0] + more
    model = module_of_spec(text, target=target).Model(dtype=torch.float64)
    x, y = binary(60)
    history = model.fit(x, y, x, y)
    values = [logs[f"val_{metric}"] for logs in history]
    assert history.best_epoch == values.index(max(values))
    assert model.evaluate(x, y)[metric] == max(values)


@pytest.mark.parametrize(
    ("metric", "changes", "says"),
    [
        ("r2", {"target": "real[2]", "last": "linear(2)"}, "r2 needs one output"),
        ("f1", {"target": "real[2]", "last": "linear(2)"}, "needs 1 output, found [2]"),
        (
            "recall",
            {"target": "int[]", "last": "linear(3)", "loss": "cross_entropy"},
            "needs 2 outputs, found [3]",
        ),
        (
            "r2",
            {"target": "int[]", "last": "linear(2)", "loss": "cross_entropy"},
            "r2 needs a real target",
        ),
    ],
)
def test_what_a_metric_cannot_measure_is_refused(
    metric: str, changes: dict[str, str], says: str
) -> None:
    text = specs.spec(
        target=f"target y: {changes['target']}",
        layers=f"layers {{ {changes['last']} }}",
        loss=f"loss {changes.get('loss', 'mse')}",
        metric=f"metric {metric}",
    )
    _, (finding,) = specs.checked(text)
    assert finding.code == "E031" and says in finding.message
