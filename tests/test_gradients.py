"""Emitted modules in float64 against torch.nn and autograd: values, gradients, updates, rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from specc.library import VOCABULARY
from specc.model.model import Model
from specc.verify.reference.network import (
    ACTIVATIONS,
    Reference,
    distance,
    parameters,
    samples,
)
from tests.drift import drift
from tests.modules import EXAMPLES, checked, compiled, example, load, module_of_spec

BATCHES = (1, 2, 7, 32)
BOUND = 1e-10


pytestmark = pytest.mark.usefixtures("one_thread")


def spec(
    layers: str,
    loss: str = "mse",
    target: str = "real[3]",
    shape: str = "real[4]",
    optimizer: str = "sgd(lr=0.1)",
    schedule: str = "constant",
) -> str:
    return f"""model net
input x: {shape}
target y: {target}
layers {{ {layers} }}
loss {loss}
optimizer {optimizer}
schedule {schedule}
"""


SPECS = {
    "relu": spec("linear(6) relu linear(3)"),
    "tanh": spec("linear(6) tanh linear(3)"),
    "sigmoid": spec("linear(6) sigmoid linear(3)"),
    "identity": spec("linear(6) identity linear(3)"),
    "leaky_relu": spec("linear(6) leaky_relu(0.1) linear(3) leaky_relu(-0.2)"),
    "elu": spec("linear(6) elu linear(5) elu(alpha=0.5) linear(3)"),
    "selu": spec("linear(6) selu linear(3) selu"),
    "gelu": spec("linear(6) gelu linear(3)"),
    "gelu_tanh": spec("linear(6) gelu(approximate=tanh) linear(3)"),
    "silu": spec("linear(6) silu linear(5) silu linear(3)"),
    "mish": spec("linear(6) mish linear(3)"),
    "softplus": spec("linear(6) softplus linear(3) softplus"),
    "hard_tanh": spec("linear(6) hard_tanh linear(3)"),
    "hard_sigmoid": spec("linear(6) hard_sigmoid linear(3) hard_sigmoid"),
    "hard_swish": spec("linear(6) hard_swish linear(3) hard_swish"),
    "softsign": spec("linear(6) softsign linear(3)"),
    "log_softmax": spec(
        "linear(6) log_softmax linear(3) log_softmax", optimizer="sgd(lr=0.001)"
    ),
    "mae": spec("linear(6) tanh linear(3)", loss="mae"),
    "huber": spec("linear(6) tanh linear(3)", loss="huber"),
    "huber_delta": spec("linear(6) tanh linear(3) silu", loss="huber(delta=0.3)"),
    "wide_silu": spec("linear(150) silu linear(140) gelu linear(3) mish"),
    "activations_of_activations": spec("silu gelu elu linear(4) mish mish linear(3)"),
    "axes_silu": spec(
        "linear(6) silu linear(2) elu",
        loss="mae",
        shape="real[4, 3]",
        target="real[4, 2]",
    ),
    "softmax_between": spec("linear(6) softmax linear(3)"),
    "softmax_last": spec("linear(6) tanh linear(3) softmax"),
    "half": spec("linear(6) tanh linear(3) sigmoid", loss="mse(half=true)"),
    "activation_last": spec("linear(3) relu"),
    "activation_first": spec("tanh linear(5) relu linear(3)"),
    "softmax_first": spec("softmax linear(3)"),
    "no_hidden_layer": spec("linear(3)"),
    "chain": spec("linear(5) linear(6) linear(3)"),
    "two_activations": spec("linear(5) tanh sigmoid linear(3) relu tanh"),
    "activation_twice": spec("linear(5) relu relu tanh tanh linear(3)"),
    "no_bias": spec("linear(6, bias=none) relu linear(5, bias=none) linear(3)"),
    "no_bias_anywhere": spec("linear(6, bias=none) tanh linear(3, bias=none)"),
    "one_unit": spec("linear(1) tanh linear(1)", target="real[1]", shape="real[1]"),
    "bce_fused": spec("linear(6) relu linear(3) sigmoid", loss="binary_cross_entropy"),
    "bce_logits": spec("linear(6) tanh linear(3)", loss="binary_cross_entropy"),
    "bce_on_relu": spec("linear(3) relu", loss="binary_cross_entropy"),
    "classes_fused": spec(
        "linear(6) relu linear(5) softmax", loss="cross_entropy", target="int[]"
    ),
    "classes_logits": spec(
        "linear(6) sigmoid linear(5)", loss="cross_entropy", target="int[]"
    ),
    "classes_no_hidden": spec(
        "linear(5) softmax", loss="cross_entropy", target="int[]"
    ),
    "classes_no_bias": spec(
        "linear(5, bias=none) softmax", loss="cross_entropy", target="int[]"
    ),
    "axes": spec(
        "linear(6) relu linear(2) tanh", shape="real[4, 3]", target="real[4, 2]"
    ),
    "axes_softmax": spec(
        "linear(6) softmax linear(2)", shape="real[2, 3, 4]", target="real[2, 3, 2]"
    ),
    "axes_classes": spec(
        "linear(6) tanh linear(3) softmax",
        loss="cross_entropy",
        shape="real[5, 4]",
        target="int[5]",
    ),
    "axes_class_logits": spec(
        "linear(6) tanh linear(3)",
        loss="cross_entropy",
        shape="real[5, 4]",
        target="int[5]",
    ),
    "axes_bce": spec(
        "linear(6) tanh linear(2) sigmoid",
        loss="binary_cross_entropy",
        shape="real[5, 4]",
        target="real[5, 2]",
    ),
    "block": spec("a = b(5) hidden = linear(4) relu b(3)").replace(
        "layers", "block b(n) { linear(n) tanh }\nlayers", 1
    ),
    "repeat": spec("repeat(4) { h = linear(5) relu } linear(3)"),
    "columns_wide": spec("linear(100) relu linear(90) tanh linear(3)"),
    "columns_wide_no_bias": spec(
        "linear(100, bias=none) relu linear(90, bias=none) linear(3)"
    ),
    "wide": spec("linear(160) relu linear(150) tanh linear(3)"),
    "wide_no_bias": spec(
        "linear(160, bias=none) relu linear(150, bias=none) linear(3)"
    ),
    "wide_between": spec(
        "linear(160) linear(150) sigmoid linear(140) softmax linear(3)"
    ),
    "wide_last": spec(
        "linear(130) tanh linear(130) sigmoid",
        loss="binary_cross_entropy",
        target="real[130]",
    ),
    "wide_input": spec(
        "linear(70) relu linear(70) relu linear(4) softmax",
        loss="cross_entropy",
        shape="real[300]",
        target="int[]",
    ),
    "wide_axes": spec(
        "linear(140) tanh linear(130) relu linear(2)",
        shape="real[3, 4]",
        target="real[3, 2]",
    ),
    "wide_activation_first": spec("relu linear(140) relu tanh linear(130) linear(3)"),
    "wide_last_tanh": spec("linear(200) tanh", shape="real[100]", target="real[200]"),
    "wide_last_no_bias": spec(
        "linear(200, bias=none)", shape="real[100]", target="real[200]"
    ),
    "wide_last_softmax": spec(
        "linear(200, bias=none) softmax",
        loss="cross_entropy",
        shape="real[100]",
        target="int[]",
    ),
    "activations_first": spec("tanh relu sigmoid linear(3)"),
    "names_like_matrices": spec(
        "a_matrix = linear(4, bias=none) a_t = linear(4, bias=none) linear(3, bias=none)"
    ),
    "names_like_rows_of_ones": spec(
        "h_ones = linear(4) tanh g_ones_t = linear(4) linear(3)"
    ),
    "flatten": spec("flatten linear(5) tanh linear(3)", shape="real[2, 3]"),
    "flatten_relu": spec(
        "flatten relu residual { linear(6) } linear(3)", shape="real[2, 3]"
    ),
    "flatten_no_bias": spec("flatten linear(3, bias=none)", shape="real[2, 1, 3]"),
    "reshape": spec(
        "reshape([3, 2]) linear(4) tanh linear(2)", shape="real[6]", target="real[3, 2]"
    ),
    "narrow_axes": spec(
        "linear(4) tanh linear(2)", shape="real[3, 2]", target="real[3, 2]"
    ),
    "reshape_flatten": spec("reshape([2, 2]) flatten linear(3)"),
    "wide_flatten": spec(
        "flatten linear(160) relu linear(110) linear(3)", shape="real[5, 9]"
    ),
    "residual": spec("linear(5) residual { linear(6) relu linear(5) } linear(3)"),
    "residual_first": spec("residual { linear(4) tanh } linear(3)"),
    "residual_last": spec("linear(3) residual { linear(3) }"),
    "residual_all": spec("residual { linear(4) }", target="real[4]"),
    "residual_lone_activation": spec(
        "linear(5) residual { relu } linear(5) residual { tanh } linear(3)"
    ),
    "residual_lone_softmax": spec("linear(5) residual { softmax } linear(3)"),
    "residual_identity": spec("linear(5) residual { identity } linear(3)"),
    "residual_on_input": spec("residual { sigmoid } residual { relu } linear(3)"),
    "residual_in_residual": spec(
        "linear(5) tanh residual { linear(5) residual { linear(5) tanh } relu } linear(3)"
    ),
    "residual_at_once": spec(
        "linear(5) residual { residual { residual { linear(5) tanh } } } linear(3)"
    ),
    "residual_five_users": spec(
        "linear(5) residual { residual { relu } residual { tanh linear(5) } } linear(3)"
    ),
    "residual_repeated": spec(
        "linear(5) repeat(3) { residual { linear(5) tanh } } linear(3)"
    ),
    "residual_blocks": spec("linear(5) b(5) c = b(5, bias=none) linear(3)").replace(
        "layers",
        "block b(n, bias=zeros) { residual { linear(n, bias=bias) relu } }\nlayers",
        1,
    ),
    "residual_narrow": spec(
        "residual { linear(4) residual { relu linear(4) } } linear(3)"
        " residual { linear(2) tanh linear(3) }"
    ),
    "residual_axes": spec(
        "residual { linear(3) relu } linear(2)", shape="real[4, 3]", target="real[4, 2]"
    ),
    "residual_bce_fused": spec(
        "linear(3) residual { relu linear(3) } sigmoid", loss="binary_cross_entropy"
    ),
    "residual_bce_logits": spec(
        "linear(3) residual { linear(3) tanh }", loss="binary_cross_entropy"
    ),
    "residual_classes_fused": spec(
        "linear(5) residual { linear(5) relu } softmax",
        loss="cross_entropy",
        target="int[]",
    ),
    "residual_classes_logits": spec(
        "linear(5) residual { linear(5) relu }", loss="cross_entropy", target="int[]"
    ),
    "residual_softmax_last": spec("linear(3) residual { softmax }"),
    "wide_residual": spec(
        "linear(140) residual { linear(130) relu linear(140) } relu"
        " residual { linear(140) residual { tanh } } linear(3)"
    ),
    "wide_residual_first": spec(
        "residual { linear(150) tanh } linear(140) residual { linear(140) relu }"
        " linear(3)",
        shape="real[150]",
        optimizer="sgd(lr=0.001)",
    ),
    "concat": spec("concat { linear(4) relu } { linear(2) tanh } linear(3)"),
    "concat_skip": spec(
        "concat { identity } { linear(5) relu } concat { identity } { linear(4) tanh }"
        " linear(3)"
    ),
    "concat_last": spec("linear(5) relu concat { linear(1) } { linear(2) tanh }"),
    "concat_of_three": spec(
        "linear(5) concat { relu } { linear(20) tanh } { linear(1) } sigmoid linear(3)"
    ),
    "concat_same_twice": spec(
        "linear(5) tanh concat { identity } { identity } linear(3)"
    ),
    "concat_in_residual": spec(
        "linear(6) residual { concat { linear(2) relu } { linear(4) } tanh } linear(3)"
    ),
    "residual_in_concat": spec(
        "linear(6) concat { residual { linear(6) relu } } { residual { tanh } linear(2) }"
        " linear(3)"
    ),
    "concat_in_concat": spec(
        "concat { linear(3) concat { relu } { tanh linear(2) } } { identity } linear(3)"
    ),
    "concat_of_blocks": spec(
        "a = concat { b(3) } { c = b(5) } linear(3) concat { b(2) } { linear(1) }"
    ).replace(
        "layers", "block b(n) { linear(n) residual { linear(n) silu } }\nlayers", 1
    ),
    "concat_repeated": spec(
        "linear(3) repeat(2) { grown = concat { identity } { linear(2) relu } } linear(3)"
    ),
    "concat_defined": spec(
        "linear(4) concat { wave } { linear(3) wave(k=2) } linear(3)"
    ).replace("layers", "def activation wave(x, k=1.0) = x + sin(k * x)^2\nlayers", 1),
    "defined_in_blocks": spec(
        "b(4) residual { b(4) concat { wave(k=0.5) } { b(2) } tanh linear(4) } c = b(3)"
    ).replace(
        "layers",
        "def activation wave(x, k=1.0) = x + sin(k * x)^2\n"
        "block b(n, k=0.3) { linear(n) wave(k) concat { identity } { wave(k=0.7) } tanh linear(n) }"
        "\nlayers",
        1,
    ),
    "concat_axes": spec(
        "concat(axis=1) { linear(2) relu } { identity } linear(2)",
        shape="real[4, 3]",
        target="real[4, 2]",
    ),
    "concat_state": spec(
        "standardize concat { linear(4, bias=none) batch_norm relu }"
        " { dropout(0.2) linear(3) layer_norm } dropout(0.1) linear(3)"
    ),
    "concat_classes": spec(
        "concat { linear(2) relu } { linear(3) } softmax",
        loss="cross_entropy",
        target="int[]",
    ),
    "wide_concat": spec(
        "concat { linear(150) relu } { linear(130) tanh } linear(120)"
        " concat { identity } { linear(40) } linear(3)"
    ),
    "layer_norm": spec("linear(6) layer_norm relu linear(3)"),
    "layer_norm_first": spec("layer_norm linear(5) tanh linear(3) layer_norm"),
    "layer_norm_bare": spec(
        "linear(6) layer_norm(weight=none, bias=none) tanh"
        " layer_norm(eps=0.1, weight=none) layer_norm(bias=none) linear(3)"
    ),
    "layer_norm_axes": spec(
        "linear(5) layer_norm relu linear(2)", shape="real[4, 3]", target="real[4, 2]"
    ),
    "layer_norm_residual": spec(
        "linear(5) residual { layer_norm linear(7) silu linear(5) } layer_norm linear(3)"
    ),
    "layer_norm_classes": spec(
        "linear(6) layer_norm relu linear(5) softmax",
        loss="cross_entropy",
        target="int[]",
    ),
    "rms_norm": spec(
        "rms_norm linear(6) rms_norm(eps=0.1, weight=none) relu linear(3)"
    ),
    "batch_norm": spec("linear(6, bias=none) batch_norm relu linear(3)"),
    "batch_norm_first": spec("batch_norm linear(5) tanh linear(3) batch_norm"),
    "batch_norm_bare": spec(
        "linear(6) batch_norm(momentum=0.3, weight=none, bias=none) tanh"
        " batch_norm(eps=0.1, weight=none) batch_norm(bias=none) linear(3)"
    ),
    "batch_norm_residual": spec(
        "linear(5, bias=none) residual { batch_norm relu linear(5) dropout(0.2) }"
        " linear(3)"
    ),
    "dropout": spec("linear(6) relu dropout(0.5) linear(3)"),
    "dropout_first_and_last": spec(
        "dropout(0.1) linear(6) tanh dropout(0.3) dropout(0.4) linear(3) dropout(0.2)"
    ),
    "dropout_never": spec("linear(6) tanh dropout(0) linear(3)"),
    "dropout_axes": spec(
        "linear(5) dropout(0.25) tanh linear(2)",
        shape="real[4, 3]",
        target="real[4, 2]",
    ),
    "dropout_repeated": spec(
        "repeat(2) { h = linear(5) relu drop = dropout(0.2) } linear(2) sigmoid",
        loss="binary_cross_entropy",
        target="real[2]",
    ),
    "standardize": spec("standardize linear(6) tanh linear(3)"),
    "standardize_flatten": spec(
        "flatten standardize linear(6) relu linear(3)", shape="real[2, 3]"
    ),
    "standardize_axes": spec(
        "standardize linear(6) tanh linear(2)", shape="real[4, 3]", target="real[4, 2]"
    ),
    "standardize_no_bias": spec("standardize linear(3, bias=none)"),
    "standardize_then_activation": spec("standardize tanh linear(3)"),
    "all_states": spec(
        "standardize linear(8, bias=none) batch_norm relu dropout(0.25)"
        " residual { layer_norm linear(8) dropout(0.5) } linear(3)",
        optimizer="adam(lr=0.01)",
    ),
    "wide_states": spec(
        "standardize linear(160, bias=none) batch_norm relu dropout(0.25)"
        " linear(130) layer_norm tanh linear(3)"
    ),
    "wide_dropout": spec("linear(160) relu dropout(0.25) linear(130) tanh linear(3)"),
    "flatten_rows": spec("linear(5) relu flatten linear(3)", shape="real[4, 6]"),
    "flatten_first_and_last": spec(
        "flatten linear(6) tanh reshape([3, 2]) linear(2) sigmoid flatten",
        shape="real[2, 3]",
        target="real[6]",
        loss="binary_cross_entropy",
    ),
    "reshape_rows": spec(
        "linear(12) relu reshape([4, 3]) linear(2) tanh flatten linear(3)"
    ),
    "reshape_last": spec("linear(6) tanh reshape([3, 2])", target="real[3, 2]"),
    "reshape_classes": spec(
        "linear(4) relu reshape([2, 8]) linear(3) softmax",
        shape="real[4, 3]",
        target="int[2]",
        loss="cross_entropy",
    ),
    "reshape_logits": spec(
        "linear(15) tanh reshape([5, 3])", target="int[5]", loss="cross_entropy"
    ),
    "reshape_same": spec("linear(6) reshape([6]) flatten relu linear(3)"),
    "reshape_groups": spec(
        "linear(6) reshape([3, 4, 3]) tanh reshape([12, 3]) linear(2) flatten linear(3)",
        shape="real[2, 3, 4]",
    ),
    "views_in_residual": spec(
        "residual { flatten linear(20) tanh reshape([4, 5]) } linear(5)",
        shape="real[4, 5]",
        target="real[4, 5]",
    ),
    "views_in_concat": spec(
        "concat(axis=0) { reshape([2, 12]) linear(6) } { linear(6) relu } flatten"
        " linear(3)",
        shape="real[4, 6]",
    ),
    "views_of_one_value": spec(
        "linear(4) tanh concat(axis=0) { flatten } { reshape([4, 3]) linear(2) flatten }"
        " linear(3)",
        shape="real[3, 2]",
    ),
    "mixing": spec(
        "repeat(2) { residual { layer_norm linear(8) gelu linear(3) } }"
        " softmax(axis=0) flatten linear(3)",
        shape="real[4, 3]",
    ),
    "concat_rows": spec(
        "concat { linear(3) relu } { linear(6) reshape([2, 12]) linear(3) }",
        shape="real[4, 3]",
        target="real[6, 3]",
    ),
    "concat_middle": spec(
        "concat(axis=1) { linear(4) relu } { linear(4) } flatten linear(3)",
        shape="real[2, 3, 4]",
    ),
    "softmax_first_axis": spec(
        "linear(3) softmax(axis=0)", shape="real[4, 3]", target="real[4, 3]"
    ),
    "softmax_middle_axis": spec(
        "linear(4) softmax(axis=1) log_softmax(axis=-3) flatten linear(3)",
        shape="real[2, 3, 4]",
    ),
    "softmax_not_fused": spec(
        "linear(8) reshape([2, 4]) softmax(axis=0)",
        target="int[2]",
        loss="cross_entropy",
    ),
    "channels": spec(
        "linear(7, bias=none) batch_norm relu linear(3)",
        shape="real[3, 5]",
        target="real[3, 3]",
    ),
    "channels_of_images": spec(
        "batch_norm(momentum=0.3) linear(4) tanh batch_norm(weight=none) flatten linear(3)",
        shape="real[2, 3, 4]",
    ),
    "channels_of_one_number": spec(
        "batch_norm flatten batch_norm linear(3)", shape="real[4, 1]"
    ),
    "axes_of_one_number": spec(
        "softmax(axis=1) batch_norm concat(axis=-2) { linear(1) } { identity } flatten"
        " linear(3)",
        shape="real[3, 1, 1]",
    ),
    "channels_bare": spec(
        "linear(4) batch_norm(weight=none, bias=none) relu flatten linear(3)",
        shape="real[3, 5]",
    ),
    "rows_with_state": spec(
        "standardize linear(4) batch_norm relu dropout(0.25) reshape([8, 2])"
        " dropout(0.5) linear(3) layer_norm flatten linear(6, bias=none) batch_norm"
        " linear(3)",
        shape="real[4, 6]",
    ),
    "rows_standardized_first": spec(
        "reshape([4, 5]) standardize linear(3) relu flatten linear(3)",
        shape="real[20]",
    ),
    "rows_in_blocks": spec(
        "mix(6) residual { flatten linear(12) reshape([4, 3]) } m = mix(5) flatten linear(3)",
        shape="real[4, 3]",
    ).replace(
        "layers",
        "block mix(n) { linear(n) silu concat(axis=1) { identity } { softmax(axis=0) } linear(3) }"
        "\nlayers",
        1,
    ),
    "wide_rows": spec(
        "linear(80) relu flatten linear(70) relu reshape([2, 35]) linear(66) linear(3)",
        shape="real[8, 90]",
        target="real[2, 3]",
    ),
    "wide_rows_dropped": spec(
        "linear(80) dropout(0.5) reshape([4, 160]) relu dropout(0.2) flatten linear(70)"
        " relu linear(3)",
        shape="real[8, 90]",
        optimizer="adam(lr=0.01)",
    ),
    "input_read_again": spec(
        "standardize concat { identity } { softplus } { linear(2) sigmoid } linear(3)"
    ),
    "input_read_again_by_rows": spec(
        "mish concat(axis=2) { elu } { linear(2) } linear(1)",
        shape="real[4, 2, 3]",
        target="real[4, 2, 1]",
    ),
    "single_numbers": spec(
        "dropout(0.2) residual { tanh } flatten linear(4) relu reshape([2, 2]) batch_norm"
        " flatten linear(3)",
        shape="real[]",
    ),
    "names_like_inputs": spec("x = linear(3)").replace("input x", "input point"),
}
CASES = {**{name: example(name) for name in EXAMPLES}, **SPECS}
WIDE = [name for name in SPECS if name.startswith("wide")]


def prepared(text: str, target: str = "torch") -> tuple[Any, Reference, Model]:
    """Give the emitted model and the reference, both with the same drawn parameters."""
    model = checked(text)
    state = parameters(model)
    net = module_of_spec(text, target=target).Model(dtype=torch.float64)
    net.load_state_dict(state)
    reference = Reference(model)
    reference.load(state)
    return net, reference, model


def errors(
    net: Any, reference: Reference, model: Model, batch: int
) -> dict[str, float]:
    """How far values and gradients of one batch are from the reference's."""
    x, y = samples(model, batch)
    truth = reference.truth(x, y)
    loss, gradients = net.loss_and_gradients(x, y, input_gradient=True)
    scale = max(1e-3, abs(truth.loss))
    predictions = {"forward": net.forward(x), "predict": net.predict(x)}
    return {
        "gradients": distance(gradients, truth.gradients),
        "loss": abs(loss - truth.loss) / scale,
        "loss alone": abs(net.loss(x, y) - truth.loss) / scale,
        "evaluate": abs(net.evaluate(x, y)["loss"] - truth.loss) / scale,
        **{
            name: distance({"": found}, {"": truth.prediction})
            for name, found in predictions.items()
        },
    }


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_autograd(
    name: str, batch: int, target: str
) -> None:
    """Prediction, loss, every parameter's gradient and the input's agree to 1e-10."""
    net, reference, model = prepared(CASES[name], target)
    found = errors(net, reference, model, batch)
    assert {what: e for what, e in found.items() if not e <= BOUND} == {}


WITH_STATE = ("layer_norm", "batch_norm", "dropout(")
STATES = [n for n, text in SPECS.items() if any(word in text for word in WITH_STATE)]


@pytest.mark.parametrize("batch", BATCHES[1:])  # torch normalizes no batch of one
@pytest.mark.parametrize("name", STATES)
def test_training_has_gradients_of_its_own(name: str, batch: int, target: str) -> None:
    """Batch statistics and the masks of the next update; asking for them moves nothing."""
    net, reference, model = prepared(CASES[name], target)
    before = net.state_dict()
    x, y = samples(model, batch)
    reference.draw(net.seed, 0, batch)
    truth = reference.truth(x, y, training=True)
    asked = {"training": True} if model_trains_apart(model) else {}
    for _ in range(2):
        loss, gradients = net.loss_and_gradients(x, y, input_gradient=True, **asked)
        assert distance(gradients, truth.gradients) <= BOUND
        scale = max(1e-3, abs(truth.loss))
        assert abs(loss - truth.loss) <= BOUND * scale
        assert abs(net.loss(x, y, **asked) - truth.loss) <= BOUND * scale
    after = net.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def model_trains_apart(model: Model) -> bool:
    """Tell whether training has another network than prediction."""
    words = {node.use.entry.name for node in model.nodes if node.layer.dropped}
    return bool(words) or any(n.use.entry.name == "batch_norm" for n in model.nodes)


@pytest.mark.parametrize("name", STATES)
def test_steps_draw_and_track_as_torch_does(name: str, target: str) -> None:
    """Thirty steps of sgd: every mask, every statistic, every parameter."""
    text = CASES[name].replace("adam(lr=0.01)", "sgd(lr=0.02)")
    net, reference, model = prepared(text, target)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.02)
    reference.train()
    for update in range(30):
        x, y = samples(model, 2 + update % 5, seed=update)
        reference.draw(net.seed, update, len(x))
        optimizer.zero_grad()
        loss = reference.loss(x, y)
        loss.backward()
        optimizer.step()
        found = float(net.train_step(x, y, 0.02))
        assert abs(found - float(loss.detach())) <= 1e-11 * max(1.0, abs(found)), update
    expected = reference.named | reference.buffers_by_name
    apart = {
        k: float((net.state_dict()[k] - v).abs().max()) for k, v in expected.items()
    }
    assert {key: d for key, d in apart.items() if not d <= 1e-11} == {}


@pytest.mark.parametrize("name", CASES)
def test_batches_in_turn_do_not_disturb_each_other(name: str, target: str) -> None:
    """A batch gives the same after batches of other sizes, which share no buffer with it."""
    net, reference, model = prepared(CASES[name], target)
    for batch in (*BATCHES, *reversed(BATCHES)):
        found = errors(net, reference, model, batch)
        assert max(found.values()) <= BOUND, (batch, found)


@pytest.mark.parametrize("name", CASES)
def test_the_module_form_has_the_same_gradients(name: str) -> None:
    """`as_module` under torch's own loss and backward agrees to 1e-10, in both modes."""
    for training in (False, True):
        check_module_form(name, training)


def check_module_form(name: str, training: bool) -> None:
    net, reference, model = prepared(CASES[name])
    x, y = samples(model, 7)
    reference.draw(net.seed, 0, 7)
    truth = reference.truth(x, y, training)
    module = net.as_module().train(training)
    x.requires_grad_()
    prediction = module(x)
    reference.of_predictions(prediction, y).backward()
    found = {name: p.grad for name, p in module.named_parameters()}
    found[model.input.name] = x.grad
    assert distance(found, truth.gradients) <= BOUND
    assert distance({"": prediction.detach()}, {"": truth.prediction}) <= BOUND
    moved = dict(module.named_buffers())
    for key, buffer in reference.buffers_by_name.items():
        torch.testing.assert_close(moved[key], buffer, rtol=1e-12, atol=1e-12)
        assert torch.equal(net.buffers[key], moved[key])


def test_gradients_alone_leave_the_parameters(target: str) -> None:
    """`loss_and_gradients` changes no parameter and gives copies."""
    net, _, model = prepared(SPECS["relu"], target)
    before = net.flat_parameters.clone()
    _, first = net.loss_and_gradients(*samples(model, 7, seed=1))
    kept = {name: g.clone() for name, g in first.items()}
    net.loss_and_gradients(*samples(model, 7, seed=2))
    assert torch.equal(net.flat_parameters, before)
    assert all(torch.equal(first[name], kept[name]) for name in kept)


@pytest.mark.parametrize("name", WIDE)
def test_wide_specs_keep_samples_as_rows(name: str) -> None:
    """The cases meant for the other layout do use it."""
    assert "Samples are columns." not in compiled(CASES[name])
    assert "Samples are columns." in compiled(CASES["relu"])


def test_a_wide_spec_uses_the_kernels_for_large_products() -> None:
    """A dense layer with its activation and a dense product are in what is tested here."""
    text = compiled(CASES["wide"])
    called = [line for line in text.splitlines() if "= dense(" in line]
    assert any('"tanh")' in line for line in called)
    assert any("tanh" not in line for line in called)


def test_every_activation_and_loss_is_among_the_cases() -> None:
    """A new word of the language fails here until a case, and the reference, has it."""
    models = [checked(text) for text in CASES.values()]
    entries = {node.use.entry for model in models for node in model.nodes}
    words = {entry.name for entry in entries if not entry.defined}
    losses = {model.loss.use.entry.name for model in models}
    known = VOCABULARY["activation"].keys() | VOCABULARY["layer"].keys()
    assert known == words
    assert VOCABULARY["loss"].keys() == losses
    assert VOCABULARY["activation"].keys() == ACTIVATIONS.keys()


FAULTS_IN_TORCH = {
    "relu passes all": ("s.relu2, 0, grad_input", "s.relu2, -1, grad_input"),
    "slope of another layer": ("s.relu2, 0, grad_input", "s.relu1, 0, grad_input"),
    "mean over samples lost": ("new_tensor(2 / batch)", "new_tensor(2.0)"),
    "factor 2 lost": ("new_tensor(2 / batch)", "new_tensor(1 / batch)"),
    "sign of the residual": ("torch.sub(tanh1, label", "torch.sub(label, tanh1"),
    "tanh left out": (
        "tanh_backward(d_tanh1, tanh1,",
        "tanh_backward(d_tanh1, 0 * tanh1,",
    ),
    "input of another layer": ("s.relu3_ones_t, out=", "s.relu2_ones_t, out="),
    "weight of another layer": ("(p.linear3_weight_t, s", "(p.linear2_weight_t, s"),
    "weight not transposed": (
        "mm(p.linear3_weight_t, s",
        "mm(p.linear3_weight_t.t(), s",
    ),
    "loss not a mean": (".square().mean()", ".square().sum()"),
    "input gradient twice": (
        "return torch.mm(p.linear1_weight_t",
        "return 2 * torch.mm(p.linear1_weight_t",
    ),
    "activation left out": ("out=s.relu3).relu_()", "out=s.relu3)"),
}
FAULTS_IN_NUMPY = {
    "relu passes all": ("d_relu2 * (s.relu2 > 0)", "d_relu2 * (s.relu2 > -1)"),
    "slope of another layer": ("d_relu2 * (s.relu2", "d_relu2 * (s.relu1"),
    "mean over samples lost": ("(2 / tanh1.size)", "2.0"),
    "factor 2 lost": ("(2 / tanh1.size)", "(1 / tanh1.size)"),
    "sign of the residual": ("residual = tanh1 - label", "residual = label - tanh1"),
    "tanh left out": ("(1 - tanh1**2)", "(1 - 0 * tanh1)"),
    "input of another layer": ("d_linear4.T @ s.relu3", "d_linear4.T @ s.relu2"),
    "weight of another layer": (
        "d_linear3 @ p.linear3_weight",
        "d_linear3 @ p.linear2_weight",
    ),
    "weight not transposed": (
        "d_linear3 @ p.linear3_weight",
        "d_linear3 @ p.linear3_weight.T",
    ),
    "loss not a mean": ("np.mean((tanh1", "np.sum((tanh1"),
    "input gradient twice": ("= s.d_linear1 @ p", "= 2 * s.d_linear1 @ p"),
    "activation left out": ("np.maximum(linear3, 0)", "linear3"),
}
FAULTS = {
    **{("torch", name): fault for name, fault in FAULTS_IN_TORCH.items()},
    **{("numpy", name): fault for name, fault in FAULTS_IN_NUMPY.items()},
}


@pytest.mark.parametrize(("target", "fault"), FAULTS)
def test_a_planted_fault_in_the_emitted_text_is_found(target: str, fault: str) -> None:
    """The bound of these tests is crossed by a single wrong line."""
    right, wrong = FAULTS[target, fault]
    text = compiled(example("disk"), target=target)
    assert text.count(right) == 1
    net, reference, model = prepared(example("disk"), target)
    broken = load(text.replace(right, wrong), target).Model(dtype=torch.float64)
    broken.load_state_dict(net.state_dict())
    assert max(errors(net, reference, model, 7).values()) <= BOUND
    assert max(errors(broken, reference, model, 7).values()) > 1e-3


SGD: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.8, "nesterov": True},
    "weight_decay": {"weight_decay": 0.01},
    "decayed_momentum": {"momentum": 0.9, "weight_decay": 0.02},
    "all": {"momentum": 0.7, "nesterov": True, "weight_decay": 0.03},
}
RATE = 0.05
STEPS = 50


def sgd(arguments: dict[str, Any]) -> str:
    given = {name: str(value).lower() for name, value in arguments.items()}
    return (
        "sgd(" + ", ".join(f"{k}={v}" for k, v in {"lr": RATE, **given}.items()) + ")"
    )


def torch_sgd(arguments: dict[str, Any]) -> Callable[[Any], torch.optim.SGD]:
    return lambda weights: torch.optim.SGD(weights, lr=RATE, **arguments)


@pytest.mark.parametrize(
    "layers",
    ["linear(5) tanh linear(3)", "linear(150) tanh linear(130) tanh linear(3) tanh"],
)
@pytest.mark.parametrize("name", SGD)
def test_updates_are_those_of_torch_optim(name: str, layers: str, target: str) -> None:
    """Fifty steps of each form of sgd under a changing rate agree to 1e-12."""
    text = spec(layers, optimizer=sgd(SGD[name]), schedule="time_decay(decay=0.1)")
    module = module_of_spec(text, target=target)
    found = drift(module, text, torch_sgd(SGD[name]), STEPS)
    assert len(found) == STEPS and max(found) <= 1e-12


@pytest.mark.parametrize("name", SGD)
def test_another_update_is_told_apart(name: str) -> None:
    """No form of sgd passes for another one: each differs from all others by far."""
    text = spec(
        "linear(5) tanh linear(3)",
        optimizer=sgd(SGD[name]),
        schedule="time_decay(decay=0.1)",
    )
    module = module_of_spec(text)
    others = {
        other: max(drift(module, text, torch_sgd(arguments), STEPS))
        for other, arguments in SGD.items()
        if other != name
    }
    assert {other: d for other, d in others.items() if not d > 1e-6} == {}


def test_the_rate_is_outside_the_velocity(target: str) -> None:
    """After a rate of 0 the velocity still moves the parameters by the new rate alone."""
    text = spec("linear(3)", optimizer="sgd(lr=0.1, momentum=0.5)")
    model = checked(text)
    net = module_of_spec(text, target=target).Model(dtype=torch.float64)
    net.load_state_dict(parameters(model))
    x, y = samples(model, 4)
    _, g = net.loss_and_gradients(x, y)
    before = net.state_dict()
    net.train_step(x, y, 0.0)
    assert all(torch.equal(net.parameters[n], before[n]) for n in before)
    net.train_step(x, y, 0.01)
    for n in before:
        torch.testing.assert_close(
            net.parameters[n], before[n] - 0.01 * 1.5 * g[n], rtol=0, atol=1e-15
        )


Scheduler = torch.optim.lr_scheduler
SCHEDULES: dict[str, tuple[Any, Any]] = {
    "constant": (
        lambda t: RATE,
        lambda o: Scheduler.ConstantLR(o, factor=1.0),
    ),
    "time_decay(decay=0.5)": (
        lambda t: RATE / (1 + 0.5 * t),
        lambda o: Scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.5 * t)),
    ),
    "time_decay(decay=0)": (
        lambda t: RATE,
        lambda o: Scheduler.LambdaLR(o, lambda t: 1.0),
    ),
    "exponential_decay(gamma=0.97)": (
        lambda t: RATE * 0.97**t,
        lambda o: Scheduler.ExponentialLR(o, 0.97),
    ),
    "exponential_decay(rate=0.02)": (
        lambda t: RATE * math.exp(-0.02 * t),
        lambda o: Scheduler.ExponentialLR(o, math.exp(-0.02)),
    ),
    "exponential_decay(rate=0)": (
        lambda t: RATE,
        lambda o: Scheduler.ExponentialLR(o, 1.0),
    ),
    "step_decay(factor=0.5, every=15)": (
        lambda t: RATE * 0.5 ** (t // 15),
        lambda o: Scheduler.StepLR(o, 15, 0.5),
    ),
    "step_decay(factor=0.9, every=1)": (
        lambda t: RATE * 0.9**t,
        lambda o: Scheduler.StepLR(o, 1, 0.9),
    ),
    "step_decay(factor=2, every=50)": (
        lambda t: RATE * 2 ** (t // 50),
        lambda o: Scheduler.StepLR(o, 50, 2),
    ),
}


def rates(schedule: str, target: str, lr: float = RATE) -> list[float]:
    """The 200 values that the emitted module gives."""
    text = spec("linear(3)", optimizer=f"sgd(lr={lr})", schedule=schedule)
    module = module_of_spec(text, target=target)
    return [module.learning_rate(t) for t in range(200)]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_are_the_closed_form(schedule: str, target: str) -> None:
    """200 values equal the formula of the language's semantics to the last few bits."""
    formula, _ = SCHEDULES[schedule]
    found = rates(schedule, target)
    assert found[0] == RATE
    assert all(type(rate) is float for rate in found)
    assert found == pytest.approx([formula(t) for t in range(200)], rel=1e-15)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_are_those_of_torch(schedule: str, target: str) -> None:
    """200 values equal torch's scheduler, which multiplies from step to step."""
    _, make = SCHEDULES[schedule]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = make(optimizer)
    expected = []
    for _ in range(200):
        expected.append(scheduler.get_last_lr()[0])
        scheduler.step()
    assert rates(schedule, target) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("time_decay(decay=0.5)", [0.1, 0.0666667, 0.05, 0.04]),
        ("exponential_decay(rate=0.2)", [0.1, 0.0818731, 0.0670320]),
        ("step_decay(factor=0.5, every=2)", [0.1, 0.1, 0.05, 0.05, 0.025]),
    ],
)
def test_rates_are_the_documented_values(
    schedule: str, expected: list[float], target: str
) -> None:
    """The values that the semantics write out for lr=0.1."""
    found = rates(schedule, target, 0.1)[: len(expected)]
    assert found == pytest.approx(expected, abs=5e-8)


def test_every_schedule_and_optimizer_is_among_the_cases() -> None:
    """A new word of the language fails here until it has a case, here or beside."""
    from tests.test_optimizers import OPTIMIZERS
    from tests.test_schedules import PLATEAUS
    from tests.test_schedules import SCHEDULES as MORE

    named = [*SCHEDULES, *MORE, *PLATEAUS]
    schedules = {name.partition("(")[0] for name in named}
    assert schedules == VOCABULARY["schedule"].keys()
    optimizers = {"sgd", *(word for word, _, _ in OPTIMIZERS.values())}
    assert VOCABULARY["optimizer"].keys() == optimizers
