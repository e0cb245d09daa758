"""What a spec means: names, defaults, shapes, availability, warnings; and its limits."""

from __future__ import annotations

import json
import time

import pytest

from specc.compiler import Request, compile_source
from specc.library import VOCABULARY
from specc.library.training.settings import EarlyStopping
from specc.syntax.diagnostics import render
from specc.syntax.source import Source, read
from tests.cases.specs import CLASSES, checked, codes, model_of, spec

# Names of layers


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        (
            "linear(4) relu linear(3) relu linear(1)",
            "linear1 relu1 linear2 relu2 linear3",
        ),
        ("hidden = linear(4) act = relu linear(1)", "hidden act linear1"),
        (
            "repeat(2) { linear(4) relu } linear(1)",
            "linear1 relu1 linear2 relu2 linear3",
        ),
        ("repeat(2) { h = linear(4) relu } linear(1)", "h1 relu1 h2 relu2 linear1"),
        ("repeat(1) { h = linear(4) } linear(1)", "h1 linear1"),
        ("repeat(0) { h = linear(4) } linear(1)", "linear1"),
        ("repeat(2) { repeat(2) { h = relu } } linear(1)", "h1 h2 h3 h4 linear1"),
        ("linear(2) e = mlp(4) linear(1)", "linear1 e.linear1 e.out linear2"),
        ("linear(2) mlp(4) linear(1)", "linear1 linear2 out linear3"),
        ("a = mlp(2) b = mlp(2) linear(1)", "a.linear1 a.out b.linear1 b.out linear1"),
        (
            "repeat(2) { e = mlp(2) } linear(1)",
            "e1.linear1 e1.out e2.linear1 e2.out linear1",
        ),
        ("n = nested linear(1)", "n.tanh1 n.m.linear1 n.m.out linear1"),
        ("nested linear(1)", "tanh1 m.linear1 m.out linear1"),
    ],
)
def test_names_of_layers(layers, names):
    blocks = "block mlp(n) { linear(n) out = relu } block nested { tanh m = mlp(2) }"
    model = model_of(spec(block=blocks, layers=f"layers {{ {layers} }}"))
    assert [node.name for node in model.nodes] == names.split()
    owners = {name.rpartition(".")[0] for name in model.parameters}
    assert owners == {n.name for n in model.nodes if n.use.entry.name == "linear"}


def test_a_generated_name_and_a_given_one_may_not_meet():
    assert codes(spec(layers="layers { linear1 = linear(4) linear(1) }")) == ["E023"]
    assert codes(spec(layers="layers { linear2 = linear(4) linear(1) }")) == []


# Shapes


def test_shapes_are_inferred_over_the_last_axis():
    changes = {"input": "input x: real[5, 2]", "target": "target y: real[5, 1]"}
    model = model_of(spec(**changes))
    assert [node.output_shape for node in model.nodes] == [(5, 4), (5, 4), (5, 1)]
    shapes = {name: p.shape for name, p in model.parameters.items()}
    assert shapes["linear1.weight"] == (4, 2) and shapes["linear2.bias"] == (1,)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"target": "target y: real[2]"}, ["E031"]),
        ({"target": "target y: real[]"}, ["E031"]),
        ({"target": "target y: int[]"}, ["E031"]),
        (CLASSES, []),
        (CLASSES | {"target": "target y: int[1]"}, ["E031"]),
        (CLASSES | {"target": "target y: real[3]"}, ["E031"]),
        ({"input": "input x: real[]"}, ["E031"]),
        ({"input": "input x: real[1e9]"}, ["E033"]),
        ({"input": "input x: real[2^20, 2^20]"}, ["E033"]),
        ({"layers": "layers { linear(10^12) linear(1) }"}, ["E033"]),
        ({"layers": "layers { linear(2^60) linear(1) }"}, ["E033"]),
        ({"layers": "layers { repeat(200) { linear(30_000) } linear(1) }"}, ["E033"]),
    ],
)
def test_shapes_fit_or_are_told(changes, expected):
    start = time.process_time()
    assert codes(spec(**changes)) == expected
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"target": "target y: real[]"}, "declare the target as `real[1]`"),
        (CLASSES | {"target": "target y: int[2]"}, "declare the target as `int[]`"),
        (CLASSES | {"target": "target y: real[]"}, "declare the target as `int[]`"),
    ],
)
def test_what_the_hint_of_a_shape_error_says_compiles(changes, hint):
    _, [found] = checked(spec(**changes))
    assert found.label.startswith(hint)
    declared = hint.split("`")[1]
    assert codes(spec(**changes | {"target": f"target y: {declared}"})) == []


# Defaults


def test_defaults_are_those_of_the_semantics():
    model = model_of(spec())
    assert str(model.schedule.use) == "constant" and model.early_stopping is None
    assert vars(model.train) == {
        "epochs": 100,
        "batch_size": 32,
        "shuffle": True,
        "seed": 0,
        "drop_last": False,
        "clip_norm": None,
        "clip_value": None,
        "on_nan": "stop",
    }
    assert (model.metrics, model.data) == ((), None)
    changes = {"early_stopping": "early_stopping", "data": "data disk(test=9)"}
    assert vars(model_of(spec(**changes)).early_stopping) == vars(
        EarlyStopping("val_loss", 10, 0.0, True, "auto", 0)
    )


SIGNATURES = """
linear(units, weight=xavier_uniform, bias=zeros)  residual  flatten  reshape(shape)
layer_norm(eps=1e-05, weight=ones, bias=zeros)  concat(axis=0)  dropout(rate)  standardize
batch_norm(momentum=0.1, eps=1e-05, weight=ones, bias=zeros)
xavier_uniform(gain=1)  xavier_normal(gain=1, truncated=false)
he_uniform(mode=fan_in)  he_normal(mode=fan_in, truncated=false)
uniform(low=-0.05, high=0.05)  normal(mean=0, std=0.05, truncated=false)
constant(value)  zeros  ones  torch_default  orthogonal(gain=1)
relu  tanh  sigmoid  softmax(axis=-1)  identity  leaky_relu(slope)  elu(alpha=1)  selu
gelu(approximate=none)  silu  mish  softplus  hard_tanh  hard_sigmoid  softsign
log_softmax(axis=-1)  mae(reduction=mean)  huber(delta=1, reduction=mean)
mse(half=false, reduction=mean)  binary_cross_entropy(reduction=mean)
cross_entropy(label_smoothing=0, reduction=mean)
sgd(lr, momentum=0, nesterov=false, weight_decay=0)
adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0)
adamw(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.01)
rmsprop(lr=0.01, alpha=0.99, eps=1e-08, momentum=0)  adagrad(lr=0.01, eps=1e-10)
constant(per=epoch, warmup=0)  time_decay(decay, per=epoch, warmup=0)
exponential_decay(rate=none, gamma=none, per=epoch, warmup=0)
step_decay(factor, every, per=epoch, warmup=0)
multi_step(milestones, factor, per=epoch, warmup=0)
plateau(factor=0.1, patience=10, min_delta=0, monitor=val_loss, mode=auto, per=epoch, warmup=0)
polynomial(end=0, power=1, per=epoch, warmup=0)  cosine(end=0, per=epoch, warmup=0)
accuracy(threshold=0.5)  mae  mse  r2
precision(threshold=0.5)  recall(threshold=0.5)  f1(threshold=0.5)
disk(train=1000, validation=1000, test=0, seed=0)
csv(file, target, features=none, validation=0.2, test=0, stratify=auto, seed=0)
npz(file, x=x, y=y, validation=0.2, test=0, stratify=auto, seed=0)
xor(train=1000, validation=1000, test=0, seed=0)
spiral(train=1000, validation=1000, test=0, seed=0, turns=1)
moons(train=1000, validation=1000, test=0, seed=0, noise=0.1)
digits(validation=0.2, test=0, stratify=auto, seed=0)
iris(validation=0.2, test=0, stratify=auto, seed=0)
wine(validation=0.2, test=0, stratify=auto, seed=0)
breast_cancer(validation=0.2, test=0, stratify=auto, seed=0)
diabetes(validation=0.2, test=0, stratify=auto, seed=0)
train(epochs=100, batch_size=32, shuffle=true, seed=0, drop_last=false, \
clip_norm=none, clip_value=none, on_nan=stop)
early_stopping(monitor=val_loss, patience=10, min_delta=0, restore_best=true, mode=auto, start=0)
"""


def test_the_vocabulary_has_all_of_the_semantics():
    """There may be more words than these; none of these may change."""
    made = {
        entry.signature for words in VOCABULARY.values() for entry in words.values()
    }
    asked = SIGNATURES.replace(")  ", ")\n").replace("  ", "\n").split("\n")[1:-1]
    assert set(asked) - made == set()


# What is available, and what is not yet


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"layers": f"layers {{ linear(3) {word} linear(1) }}"}
            for word in (
                *sorted(VOCABULARY["activation"].keys() - {"leaky_relu"}),
                "elu(2)",
            )
        ),
        *(
            {"layers": f"layers {{ linear(3, weight={word}) linear(1) }}"}
            for word in (
                "xavier_uniform(gain=2)",
                "xavier_normal(truncated=true)",
                "he_uniform(mode=fan_out)",
                "he_normal(truncated=true)",
                "uniform(low=-1, high=1)",
                "normal(std=1, truncated=true)",
                "constant(0.5)",
                "zeros",
                "ones",
                "torch_default",
                "orthogonal(gain=2)",
            )
        ),
        {"layers": "layers { linear(3, bias=torch_default) linear(1, bias=none) }"},
        {"loss": "loss mse(half=true)"},
        {"loss": "loss mse(reduction=mean)"},
        {"loss": "loss binary_cross_entropy(reduction=batch_mean)"},
        CLASSES | {"loss": "loss cross_entropy(label_smoothing=1)"},
        {"loss": "loss binary_cross_entropy"},
        CLASSES,
        CLASSES | {"layers": "layers { linear(3) softmax }"},
        {
            "optimizer": "optimizer sgd(lr=0.1, momentum=0.9, nesterov=true, weight_decay=1e-4)"
        },
        {"schedule": "schedule constant"},
        {"schedule": "schedule time_decay(0.5, per=epoch, warmup=0)"},
        {"schedule": "schedule exponential_decay(rate=0.2)"},
        {"schedule": "schedule exponential_decay(gamma=0.9)"},
        {"schedule": "schedule step_decay(0.5, 2)"},
        {
            "early_stopping": "early_stopping(monitor=train_loss, mode=max, start=3,"
            " min_delta=0.1, restore_best=false)"
        },
        {"schedule": "schedule plateau(factor=0.5, monitor=train_loss, mode=min)"},
        {
            "layers": "layers { standardize linear(3) batch_norm(0.2) dropout(0) linear(1) }"
        },
        {"layers": "layers { linear(3, bias=none) layer_norm(weight=none) linear(1) }"},
        {"layers": "layers { concat(axis=-1) { relu } { identity } linear(1) }"},
        {"loss": "loss mae(reduction=sum)"},
        {"metric": "metric r2"},
        {"metric": "metric precision(0.4) metric recall metric f1"},
        {"metric": "metric accuracy(threshold=0.4)"},
        {"data": "data disk(train=10, validation=0, test=5, seed=1)"},
        {
            "train": "train(epochs=2, batch_size=3, shuffle=false, seed=4, drop_last=true,"
            " on_nan=stop, clip_norm=none)"
        },
        {
            "block": "block a(n) { linear(n) }",
            "layers": "layers { repeat(2) { a(3) } linear(1) }",
        },
    ],
    ids=str,
)
def test_what_is_available_compiles(changes):
    assert not {code for code in codes(spec(**changes)) if code[0] == "E"}


NOT_YET = [("input", {"input": "input x: int[8]"})]


@pytest.mark.parametrize(("kind", "changes"), NOT_YET, ids=str)
def test_what_is_not_available_yet_is_refused_and_nothing_else_is_said(kind, changes):
    model, found = checked(spec(**changes))
    assert model is None
    [finding] = found
    assert finding.code in {"E020", "E031"}
    assert "not available yet" in finding.message


# Params and -D


WIDTH = spec(
    param="param width = 4 in [4, 8]\nparam rate = 0.1 in log(1e-3, 1)\n"
    'param half = width / 2\nparam flag = true\nparam word = "a"',
    layers="layers { linear(width) linear(1) }",
    optimizer="optimizer sgd(lr=rate, nesterov=false)",
)


@pytest.mark.parametrize(
    ("overrides", "constants"),
    [
        ({}, {"width": 4, "half": 2.0}),
        ({"width": "8"}, {"width": 8, "half": 4.0}),
        ({"width": "2^3"}, {"width": 8}),
        ({"width": "8.0"}, {"width": 8}),
        ({"rate": "1"}, {"rate": 1}),
        ({"rate": "0.001"}, {"rate": 0.001}),
        ({"half": "width * 10"}, {"half": 40}),
        ({"flag": "false"}, {"flag": False}),
        ({"word": '"b c"'}, {"word": "b c"}),
        ({"width": " 8 # more"}, {"width": 8}),
    ],
)
def test_overrides(overrides, constants):
    found = dict(model_of(WIDTH, overrides).constants)
    assert constants.items() <= found.items()
    assert model_of(WIDTH, overrides).nodes[0].output_shape == (found["width"],)


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        ({"width": "9"}, "E029"),
        ({"width": "1e99"}, "E029"),
        ({"width": "9" * 9999}, "E003"),
        ({"width": '"8"'}, "E016"),
        ({"width": "true"}, "E016"),
        ({"width": "none"}, "E016"),
        ({"width": "[8]"}, "E016"),
        ({"width": "8 8"}, "E004"),
        ({"width": ""}, "E004"),
        ({"width": "#"}, "E004"),
        ({"width": "8\nloss mse"}, "E004"),
        ({"width": "half"}, "E026"),
        ({"width": "widht"}, "E011"),
        ({"rate": "1.0001"}, "E029"),
        ({"rate": "0"}, "E029"),
        ({"rate": "log(0)"}, "E027"),
        ({"flag": "1"}, "E016"),
        ({"widht": "8"}, "E030"),
        ({"x": "8"}, "E030"),
        ({"width": "\u202e8"}, "E009"),
        ({"width": "(" * 9999}, "E006"),
    ],
)
def test_overrides_at_fault(overrides, code):
    start = time.process_time()
    assert codes(WIDTH, overrides) == [code]
    assert time.process_time() - start < 1


def test_a_param_whose_default_is_out_of_its_domain_is_an_error_whatever_is_given():
    text = spec(param="param width = 5 in [4, 8]")
    assert codes(text) == ["E029"]
    assert codes(text, {"width": "8"}) == ["E029"]


# Bounds of expansion


def bomb(depth: int, times: str = "1000") -> str:
    body = f"repeat({times}) {{ " * depth + "relu" + " }" * depth
    return spec(layers=f"layers {{ linear(1) {body} }}")


def defined(times: int) -> str:
    """Use a definition of twenty operations so many times."""
    body = " + ".join(f"sin({n} * x)" for n in range(2, 9))
    return spec(
        def_=f"def activation waves(x) = {body}",
        layers=f"layers {{ linear(1) repeat({times}) {{ waves }} }}",
    )


def norms(times: int) -> str:
    return spec(layers=f"layers {{ repeat({times}) {{ batch_norm }} linear(1) }}")


def doubling(levels: int) -> str:
    blocks = "block b0 { relu }\n"
    blocks += "\n".join(f"block b{i} {{ b{i - 1} b{i - 1} }}" for i in range(1, levels))
    return spec(block=blocks, layers=f"layers {{ linear(1) b{levels - 1} }}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (bomb(1, "255"), []),
        (bomb(1, "256"), ["E032"]),
        (bomb(40), ["E032"]),
        (bomb(60, "2^62"), ["E032"]),
        (bomb(1, "10^18"), ["E032"]),
        (doubling(8), []),
        (doubling(9), ["E032"]),
        (doubling(60), ["E032"]),
        (doubling(66), ["E006"]),
        (bomb(1, "0"), []),
        (defined(85), []),
        (defined(86), ["E032"]),
        (norms(127), []),
        (norms(128), ["E032"]),
    ],
    ids=[
        "fits",
        "one too many",
        "40 deep",
        "huge",
        "10^18",
        "2^13",
        "2^14",
        "2^59",
        "deep",
        "0",
        "definitions fit",
        "one too many of them",
        "norms fit",
        "one too many norms",
    ],
)
def test_expansion_is_bounded_before_memory_is_spent(text, expected):
    start = time.process_time()
    assert codes(text) == expected
    assert time.process_time() - start < 1.5


# Duplicates, order, required statements


@pytest.mark.parametrize(
    "again",
    [
        "model b",
        "layers { relu }",
        "loss mse",
        "optimizer sgd(lr=1)",
        "input z: real[1]",
        "target z: real[1]",
    ],
)
def test_no_statement_stands_twice(again):
    assert codes(spec() + again) == ["E022"]


@pytest.mark.parametrize(
    "twice", ["schedule constant", "train", "early_stopping", "data disk(test=1)"]
)
def test_no_optional_statement_stands_twice(twice):
    assert codes(spec() + f"{twice}\n{twice}") == ["E022"]


def test_params_metrics_and_blocks_stand_often_but_define_once():
    text = spec(
        param="param a = 1\nparam b = a", block="block c { relu }\nblock d { c }"
    )
    assert codes(text) == []
    assert codes(text + "param a = 2") == ["E023"]
    assert codes(text + "block a { relu }") == ["E023"]
    assert codes(text + "metric accuracy metric accuracy") == ["E022"]


@pytest.mark.parametrize(
    "word", ["model", "input", "target", "layers", "loss", "optimizer"]
)
def test_required_statements(word):
    assert codes(spec(**{word: ""})) == ["E021"]


def test_statements_stand_in_any_order_but_model_first():
    lines = spec(block="block b { relu }", train="train(epochs=3)").split("\n")[:-1]
    shuffled = "\n".join([lines[0], *lines[:0:-1]])
    assert codes(shuffled) == []
    assert codes("\n".join(lines[1:] + lines[:1])) == ["E021"]


# Warnings


DIGITS = {
    "early_stopping": "early_stopping",
    "input": "input x: real[64]",
    "layers": "layers { linear(10) }",
}
WARNINGS = {
    "W001": (
        {"layers": "layers { linear(3) softmax identity }"},
        {"layers": "layers { linear(3) softmax }"},
    ),
    "W002": ({"layers": "layers { linear(3) tanh }"}, {"layers": "layers { linear(3) relu }"}),
    "W003": (
        {"layers": "layers { linear(4, weight=he_normal) tanh linear(3) }"},
        {"layers": "layers { linear(4, weight=he_normal) relu linear(3) }"},
    ),
    "W004": (
        {"early_stopping": "early_stopping(patience=9)", "train": "train(epochs=9)"},
        {"early_stopping": "early_stopping(patience=8)", "train": "train(epochs=9)"},
    ),
    "W005": (
        DIGITS | {"data": 'data npz("digits.npz", test=0)'},
        DIGITS | {"data": 'data npz("digits.npz", test=9)'},
    ),
    "W007": (
        {"layers": "layers { linear(1) layer_norm linear(3) }"},
        {"layers": "layers { linear(2) layer_norm linear(3) }"},
    ),
}  # fmt: skip


def in_examples(text):
    found = compile_source(Source("examples/net.spec", text), Request(stage="model"))
    assert found.model is not None, found.diagnostics
    return found.diagnostics


@pytest.mark.parametrize("code", WARNINGS)
def test_a_warning_is_given_where_due_only_and_can_be_silenced(
    code, monkeypatch, request
):
    monkeypatch.chdir(request.config.rootpath)
    wrong, right = (spec(**CLASSES | changes) for changes in WARNINGS[code])
    [found] = in_examples(wrong)
    assert (found.code, found.severity) == (code, "warning")
    assert in_examples(right) == ()
    lines = wrong.split("\n")

    def silenced(comment):
        line = found.span.line - 1
        return "\n".join(
            [*lines[:line], f"{lines[line]}  # {comment}", *lines[line + 1 :]]
        )

    assert in_examples(silenced(f"specc: allow {code}")) == ()
    assert in_examples(silenced(f"specc: allow W009, {code}")) == ()
    assert len(in_examples(silenced("specc: allow W009"))) == 1
    assert len(in_examples(silenced(f"allow {code}"))) == 1
    assert len(in_examples(f"# specc: allow {code}\n{wrong}")) == 1


def test_targets_beyond_the_last_activation_are_warned_of_for_each_pair():
    for last, loss in (
        ("tanh", "binary_cross_entropy"),
        ("relu", "binary_cross_entropy"),
        ("softmax", "mse"),
    ):
        text = spec(layers=f"layers {{ linear(1) {last} }}", loss=f"loss {loss}")
        assert codes(text) == ["W002"], (last, loss)


def test_a_batch_norm_is_warned_of_where_a_batch_is_one_number():
    def warned(shape, layers, batch_size):
        text = spec(
            input=f"input x: real[{shape}]",
            layers=f"layers {{ {layers} flatten linear(1) }}",
            train=f"train(batch_size={batch_size})",
        )
        return codes(text) == ["W007"]

    assert warned("4", "repeat(2) { batch_norm }", 1)
    assert not warned("4", "repeat(2) { batch_norm }", 2)
    assert not warned("1", "batch_norm", 2)
    assert not warned("4, 2", "batch_norm", 1)
    assert warned("4, 1", "batch_norm", 1)
    assert warned("4, 1", "rms_norm", 9)


def test_an_error_cannot_be_silenced():
    assert codes(spec(loss="loss msee  # specc: allow E010")) == ["E010"]


# All findings at once


def test_errors_are_collected_sorted_and_at_most_twenty():
    text = spec(
        layers="layers {\n" + "reluu\n" * 30 + "}", loss="loss msee", model="model if"
    )
    _, found = checked(text)
    assert len(found) == 20
    assert [f.span.start for f in found] == sorted(f.span.start for f in found)
    assert found[0].code == "E025"


def test_a_fault_is_told_once_and_nothing_that_follows_from_it():
    text = spec(
        param="param n = wdith",
        block="block mlp(k) { linear(k) relu }",
        layers="layers { mlp(n) linear(n * 2) repeat(n) { relu } linear(1) }",
    )
    assert codes(text) == ["E011"]


@pytest.mark.parametrize(
    ("wrong", "label"),
    [
        ({"loss": "loss MSE"}, "did you mean `mse`?"),
        ({"optimizer": "optimizer sdg(lr=1)"}, "did you mean `sgd`?"),
        (
            {"optimizer": "optimizer sgd(lr=0.1, momentun=0.9)"},
            "did you mean `momentum`?",
        ),
        ({"layers": "layers { liner(1) }"}, "did you mean `linear`?"),
        (
            {"layers": "layers { linear(1, weight=xavier_norml) }"},
            "did you mean `xavier_normal`?",
        ),
        ({"schedule": "schedule step_deacy(0.5, 2)"}, "did you mean `step_decay`?"),
        ({"metric": "metric acuracy"}, "did you mean `accuracy`?"),
        ({"data": "data dsk"}, "did you mean `disk`?"),
        (
            {"early_stopping": "early_stoping(patience=3)"},
            "did you mean `early_stopping`?",
        ),
        ({"early_stopping": "early_stopping(mode=mim)"}, "did you mean `min`?"),
    ],
)
def test_suggestions(wrong, label):
    _, [found] = checked(spec(**wrong))
    assert found.label == label
    misspelt, meant = found.span.text, label.split("`")[1]
    mended = spec(**wrong).replace(misspelt, meant)
    assert not {code for code in codes(mended) if code[0] == "E"}


@pytest.mark.parametrize(
    ("changes", "message", "label"),
    [
        (
            {"optimizer": "optimizer sgd(lr=None)"},
            "`lr` must be a number, found `None`",
            "",
        ),
        (
            {"optimizer": "optimizer sgd(lr=0.1, nesterov=None)"},
            "`nesterov` must be `true` or `false`, found `None`",
            "",
        ),
        (
            {"optimizer": "optimizer sgd(lr=0.1, nesterov=True)"},
            "unknown name `True`",
            "did you mean `true`?",
        ),
        (
            {"schedule": "schedule exponential_decay(rate=None, gamma=0.9)"},
            "unknown name `None`",
            "did you mean `none`?",
        ),
        (
            {"data": 'data csv("a.csv", target="y", features=None)'},
            "unknown name `None`",
            "did you mean `none`?",
        ),
        (
            {"data": 'data npz("a.npz", stratify=False)'},
            "`stratify` must be `auto`, `false` or `true`, found `False`",
            "did you mean `false`?",
        ),
    ],
    ids=str,
)
def test_a_constant_of_python_is_suggested_where_it_is_taken(changes, message, label):
    _, [found] = checked(spec(**changes))
    assert found.message == message
    assert ("did you mean" in found.label) == bool(label)
    assert not label or found.label == label


@pytest.mark.parametrize(
    ("validation", "expected"),
    [("1.0", ["E018"]), ("2 / 2", ["E018"]), ("1", []), ("4 / 2", []), ("0.3", [])],
)
def test_a_share_keeps_the_type_that_it_is_written_with(validation, expected):
    data = f'data csv("examples/iris.csv", target="species", validation={validation})'
    changes = CLASSES | {"input": "input x: real[4]", "data": data}
    assert codes(spec(**changes)) == expected


def test_every_output_format_tells_the_same(tmp_path):
    path = tmp_path / "net.spec"
    path.write_text(spec(layers="layers { linear(4, weigth=ones) linear(1) }"))
    found = compile_source(read(str(path))).diagnostics
    [fields] = map(json.loads, render(found, "json").splitlines())
    assert fields == {
        "code": "E012",
        "severity": "error",
        "message": "linear has no argument `weigth`",
        "file": str(path),
        "line": 4,
        "column": 20,
        "end_line": 4,
        "end_column": 26,
        "hint": "did you mean `weight`?\nlinear(units, weight=xavier_uniform, bias=zeros)",
    }
    message = "error[E012]: linear has no argument `weigth`"
    assert render(found, "concise") == f"{path}:4:20: {message}\n"
    assert render(found, "github").startswith(
        f"::error file={path},line=4,col=20,endLine=4,"
    )
    assert render(found).startswith(f"{message}\n --> {path}:4:20\n")


REACHED = {
    "relu": ("diabetes", "disk"),
    "softplus": ("diabetes", "disk"),
    "leaky_relu(0.1)": ("diabetes", "disk", "negative"),
    "identity": ("diabetes", "disk", "negative"),
    "tanh": ("disk", "negative"),
    "sigmoid": ("disk",),
    "hard_tanh": ("disk", "negative"),
    "hard_sigmoid": ("disk",),
    "softsign": ("disk", "negative"),
    "elu(alpha=0.5)": ("diabetes", "disk", "negative"),
    "elu(alpha=0.2)": ("diabetes", "disk"),
    "selu": ("diabetes", "disk", "negative"),
    "gelu": ("diabetes", "disk"),
    "silu": ("diabetes", "disk"),
    "mish": ("diabetes", "disk"),
    "wave": ("diabetes", "disk", "negative"),
    "log_softmax": ("negative",),
}
"""A last activation -> the sets whose targets it can reach."""


@pytest.mark.parametrize("last", REACHED)
@pytest.mark.parametrize("data", ["diabetes", "disk", "negative"])
def test_targets_that_the_last_activation_cannot_reach(data, last, tmp_path):
    """A warning exactly where a target lies outside of what it gives, ends included."""
    rows = "\n".join(f"{i},{-0.4 + 0.01 * i}" for i in range(40))
    (tmp_path / "negative.csv").write_text(f"a,b\n{rows}\n")
    sources = {
        "diabetes": ("real[10]", "diabetes(test=10)"),
        "disk": ("real[2]", "disk(test=10)"),
        "negative": ("real[1]", 'csv("negative.csv", target="b", test=10)'),
    }
    shape, source = sources[data]
    text = spec(
        input=f"input x: {shape}",
        layers=f"layers {{ linear(3) relu linear(1) {last} }}",
        data=f"data {source}",
    )
    if last == "wave":
        text = text.replace("layers {", "def activation wave(x) = sin(x)\nlayers {")
    path = tmp_path / "net.spec"
    path.write_text(text)
    model, found = checked_file(path)
    assert model is not None
    warned = [d for d in found if d.code == "W002"]
    assert bool(warned) == (data not in REACHED[last])
    for finding in warned:
        assert "targets range from" in finding.message
        assert finding.span.text == last


def checked_file(path):
    from specc.compiler import analyse
    from specc.syntax.source import read

    return analyse(read(str(path)), {})
