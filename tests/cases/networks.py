"""Networks that many tests go through: the examples, and a small spec for each word and shape."""

from __future__ import annotations

from tests.cases.modules import EXAMPLES, example


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
    "tanh_shrink": spec("linear(6) tanh_shrink linear(3)"),
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

WITH_STATE = ("layer_norm", "batch_norm", "dropout(")
STATES = [n for n, text in SPECS.items() if any(word in text for word in WITH_STATE)]
