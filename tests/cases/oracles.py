"""Which test says that a word of the language computes what it should: one for each entry.

`ORACLES` is made of the tables that the tests go through, so that a case is what puts a word
there. Words of which there are few of a kind, and no table, name their test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from specc.verify.reference.network import ACTIVATIONS
from tests.cases.modules import checked
from tests.cases.networks import CASES
from tests.cases.optimizers import OPTIMIZERS
from tests.cases.schedules import BY_PERIOD


@dataclass(frozen=True)
class Start:
    """How torch starts a weight of shape (fan_out, fan_in)."""

    fill: Callable[[Tensor], object]
    """Draws into the tensor in place, by torch's global generator."""
    bounded: bool = True
    """Whether the smallest and the largest number are sharp."""


def _truncated(fill: Callable[[Tensor], object], mean: float = 0.0) -> Start:
    """Cut at two standard deviations, and rescale to the deviation that `fill` draws."""
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    unit = math.sqrt(1 - 4 * density / math.erf(math.sqrt(2)))

    def cut(weight: Tensor) -> None:
        fill(weight)
        std = float((weight - mean).square().mean().sqrt())
        nn.init.trunc_normal_(weight, 0.0, 1.0, -2.0, 2.0)
        weight.mul_(std / unit).add_(mean)

    return Start(cut)


def _linear(weight: Tensor) -> None:
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    weight.copy_(layer.weight)


init = nn.init

INITIALIZERS: dict[str, Start] = {
    "xavier_uniform": Start(init.xavier_uniform_),
    "xavier_uniform(gain=3)": Start(lambda w: init.xavier_uniform_(w, 3.0)),
    "xavier_normal": Start(init.xavier_normal_, False),
    "xavier_normal(gain=2)": Start(lambda w: init.xavier_normal_(w, 2.0), False),
    "xavier_normal(truncated=true)": _truncated(init.xavier_normal_),
    "he_uniform": Start(lambda w: init.kaiming_uniform_(w, nonlinearity="relu")),
    "he_uniform(mode=fan_out)": Start(
        lambda w: init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu")
    ),
    "he_normal": Start(lambda w: init.kaiming_normal_(w, nonlinearity="relu"), False),
    "he_normal(mode=fan_out)": Start(
        lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"), False
    ),
    "he_normal(truncated=true)": _truncated(
        lambda w: init.kaiming_normal_(w, nonlinearity="relu")
    ),
    "uniform": Start(lambda w: init.uniform_(w, -0.05, 0.05)),
    "uniform(low=-1, high=3)": Start(lambda w: init.uniform_(w, -1.0, 3.0)),
    "normal": Start(lambda w: init.normal_(w, 0.0, 0.05), False),
    "normal(mean=1, std=2)": Start(lambda w: init.normal_(w, 1.0, 2.0), False),
    "normal(mean=1, std=2, truncated=true)": _truncated(
        lambda w: init.normal_(w, 1.0, 2.0), 1.0
    ),
    "constant(0.25)": Start(lambda w: init.constant_(w, 0.25)),
    "zeros": Start(init.zeros_),
    "ones": Start(init.ones_),
    "torch_default": Start(_linear),
    "orthogonal": Start(init.orthogonal_, False),
    "orthogonal(gain=0.5)": Start(lambda w: init.orthogonal_(w, 0.5), False),
}
"""An initializer as a spec writes it -> what torch draws."""


def _words(cases: Iterable[str]) -> set[str]:
    return {case.partition("(")[0] for case in cases}


_MODELS = [checked(text) for text in CASES.values()]
_LAYERS = {
    node.use.entry.name
    for model in _MODELS
    for node in model.nodes
    if not node.use.entry.defined
}
_LOSSES = {model.loss.use.entry.name for model in _MODELS}
_GRADIENTS = (
    "emitted/mathematics/test_gradients.py"
    "::test_values_and_gradients_are_those_of_autograd"
)

TABLES: tuple[tuple[str, str, set[str]], ...] = (
    ("activation", _GRADIENTS, set(ACTIVATIONS)),
    ("layer", _GRADIENTS, _LAYERS - ACTIVATIONS.keys()),
    ("loss", _GRADIENTS, _LOSSES),
    (
        "schedule",
        "emitted/training/test_schedules.py::test_rates_by_epoch_are_those_of_torch",
        _words(BY_PERIOD),
    ),
    (
        "optimizer",
        "emitted/training/test_optimizers.py::test_updates_are_those_of_torch_optim",
        {uses.partition("(")[0] for uses, _, _ in OPTIMIZERS.values()} | {"sgd"},
    ),
    (
        "initializer",
        "library/test_oracles.py::test_starts_are_distributed_as_those_of_torch",
        _words(INITIALIZERS),
    ),
)
"""(kind, test, words of the table that the test goes through)."""

NAMED: dict[tuple[str, str], str] = {
    ("schedule", "plateau"): (
        "emitted/training/test_schedules.py::test_a_plateau_reduces_the_rate_as_torch_does"
    ),
    (
        "metric",
        "accuracy",
    ): "emitted/module/test_model.py::test_evaluate_agrees_with_predict",
    (
        "metric",
        "mae",
    ): "emitted/training/test_metrics.py::test_errors_are_those_of_sklearn",
    (
        "metric",
        "mse",
    ): "emitted/training/test_metrics.py::test_errors_are_those_of_sklearn",
    ("metric", "r2"): "emitted/training/test_metrics.py::test_r2_is_that_of_sklearn",
    **{
        ("metric", word): (
            "emitted/training/test_metrics.py::test_shares_of_positives_are_those_of_sklearn"
        )
        for word in ("precision", "recall", "f1")
    },
    ("data", "disk"): "library/test_data.py::test_disk_draws_the_stream_in_order",
    (
        "data",
        "xor",
    ): "library/test_synthetic.py::test_xor_is_one_coordinate_alone_above_a_half",
    ("data", "spiral"): (
        "library/test_synthetic.py::test_three_turns_are_the_spirals_of_lang_and_witbrock"
    ),
    ("data", "moons"): (
        "library/test_synthetic.py::test_moons_lie_on_the_curves_of_scikit_learn"
    ),
    **{
        (
            "data",
            word,
        ): "library/test_bundled.py::test_the_facts_are_those_of_scikit_learn"
        for word in ("digits", "iris", "wine", "breast_cancer", "diabetes")
    },
    ("data", "csv"): "library/test_data.py::test_csv_loads_numbers_as_they_are",
    ("data", "npz"): "library/test_data.py::test_npz_loads_any_real_type",
    (
        "setting",
        "train",
    ): "emitted/training/test_fit.py::test_training_is_that_of_torch",
    (
        "setting",
        "early_stopping",
    ): "emitted/training/test_early_stopping.py::test_any_trace_follows_the_rule",
}
"""(kind, word) -> its test, where no table says it."""

ORACLES: dict[tuple[str, str], str] = {
    (kind, word): test for kind, test, words in TABLES for word in words
} | NAMED
"""(kind, word) -> the test that holds it against something else than specc."""
