"""Names that a spec gives: refused, or harmless in the emitted module.

Each network here is also compiled with neutral names (`zq…`); from the same start both must train
alike, to the last number.
"""

from __future__ import annotations

import ast
import builtins
import functools
import keyword
from pathlib import Path

import pytest
import torch

from specc.check.arguments.reserved_names import (
    MODULE_ATTRIBUTES,
    forbidden,
    forbidden_layer,
    forbidden_model,
    forbidden_value,
)
from specc.cli.destinations import destinations
from specc.compiler import compile_source
from specc.syntax.source import Source, Span
from specc.syntax.statements import RESERVED as WORDS
from specc.syntax.tree import Name
from tests.modules import IN_PYTHON, TARGETS, checked, module_of_spec
from tests.specs import codes

REAL = """
model {model}
param {param} = 3
input {input}: real[2]
target {target}: real[1]
block {block}(k) {{ {inner} = linear(k) tanh }}
layers {{ {layer} = linear({param}) relu {call} = {block}(4) {last} = linear(1) }}
loss mse
optimizer sgd(lr=0.1, momentum=0.9)
early_stopping(patience=1)
train(epochs=2, batch_size=3)
metric accuracy
"""
CLASSES = """
model {model}
param {param} = 3
input {input}: real[2]
target {target}: int[]
block {block}(k) {{ {inner} = linear(k, bias=none) }}
layers {{ {layer} = linear({param}) tanh {call} = {block}(6000) {last} = linear(3) softmax }}
loss cross_entropy
optimizer sgd(lr=0.1)
train(epochs=2, batch_size=3, drop_last=true)
metric accuracy
"""
POSITIONS = (
    "model",
    "param",
    "input",
    "target",
    "block",
    "inner",
    "layer",
    "call",
    "last",
)
VALUES = ("input", "target", "inner", "layer", "last")
"""The positions whose names emitted functions have."""


def text(template: str, **names: str) -> str:
    return template.format(**{p: f"zq{p}" for p in POSITIONS} | names)


def emitted(spec: str, target: str) -> str:
    made = compile_source(Source("net.spec", spec), {}, target)
    assert made.text is not None, [found.message for found in made.diagnostics]
    return made.text


def behaviour(spec: str, target: str) -> list[torch.Tensor]:
    """Do everything that a module can do with a batch; give all numbers that come out."""
    module = module_of_spec(spec, target=target)
    draw = torch.Generator().manual_seed(0)
    model = module.Model()
    for values in model.parameters.values():
        values.copy_(0.3 * torch.randn(values.shape, generator=draw))
    x = torch.randn(7, 2, generator=draw)
    y = torch.arange(7) % 3 if "int[]" in spec else (x[:, :1] > 0).float()
    loss, gradients = model.loss_and_gradients(x, y, input_gradient=True)
    found = [torch.tensor(loss), *gradients.values(), model.predict(x)]
    if target == "torch":
        leaf = x.clone().requires_grad_()
        predicted = model.as_module()(leaf)
        predicted.square().sum().backward()
        found += [predicted, leaf.grad]
    found.append(torch.as_tensor(model.train_step(x, y, 0.05)))
    for logs in model.fit(x, y, x, y):
        found += [torch.tensor(v) for key, v in logs.items() if key != "seconds"]
    found += [torch.tensor(v) for v in model.evaluate(x, y).values()]
    return [value.detach().double() for value in (*found, *model.state_dict().values())]


neutral = functools.cache(lambda template, to: behaviour(text(template), to))


def works(template: str, **names: str) -> bool:
    """Tell whether these names change nothing, whatever the target."""
    for target in TARGETS:
        found = behaviour(text(template, **names), target)
        pairs = zip(found, neutral(template, target), strict=True)
        if not all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in pairs):
            return False
    return True


def refused(template: str, **names: str) -> bool:
    found = codes(text(template, **names))
    assert not found or set(found) <= {"E008", "E023", "E024", "E025", "W004", "W005"}
    return any(code[0] == "E" for code in found)


TEMPLATES = pytest.mark.parametrize(
    "template", [REAL, CLASSES], ids=["real", "classes"]
)


@TEMPLATES
@pytest.mark.parametrize(
    "names",
    [
        {"input": "x", "target": "label"},
        {"input": "t", "target": "theta", "last": "o"},
        {"input": "d_x", "target": "x", "last": "n"},
        {"layer": "x", "last": "figures", "target": "Model"},
        {"layer": "weight", "inner": "bias", "call": "matrix"},
        {"layer": "flat", "inner": "named", "last": "like"},
        {"input": "time", "target": "history", "last": "name"},
        {"param": "lr", "block": "forward", "model": "net", "call": "encoder"},
        {"input": "unsigned", "layer": "register", "target": "linux", "last": "vec"},
        {"input": "gradient", "layer": "panel", "target": "basis", "last": "velocity"},
        {"input": "NULL", "layer": "TILE", "target": "LANES", "last": "INFINITY"},
        {"input": "double_", "layer": "restrict", "target": "m", "model": "main"},
        {"param": "batch", "block": "s", "model": "p", "call": "t"},
    ],
    ids=lambda names: "-".join(names.values()),
)
def test_names_that_are_allowed_change_nothing(template, names):
    assert works(template, **names)


@TEMPLATES
def test_only_the_target_may_be_called_y(template):
    """Methods of the emitted class call the targets so, also after their loop."""
    assert works(template, target="y")
    assert all(
        refused(template, **{place: "y"}) for place in VALUES if place != "target"
    )


@pytest.mark.parametrize("target", IN_PYTHON)
@TEMPLATES
def test_every_name_that_emitted_functions_use_is_refused(template, target):
    """A template that uses another name beside the spec's makes this fail."""
    used: set[str] = set()
    for function in ast.walk(ast.parse(emitted(text(template), target))):
        if not isinstance(function, ast.FunctionDef) or function.name == "as_module":
            continue
        inside = list(ast.walk(function))
        names = {node.id for node in inside if isinstance(node, ast.Name)}
        names |= {node.arg for node in inside if isinstance(node, ast.arg)}
        is_derived = function.args.args and function.args.args[0].arg == "ctx"
        if any("zq" in name for name in names) and not is_derived:
            used |= {name for name in names if "zq" not in name}
    harmless = {"x", *WORDS}  # by a test above; no name can be a reserved word
    layers = {node.name for node in checked(text(template)).nodes}
    harmless |= layers | {f"d_{name}" for name in layers}  # names defined twice
    assert len(used) > 10
    assert {n for n in used if forbidden_value(named(n)) is None} <= harmless


def named(text: str) -> Name:
    return Name(text, Span(Source("net.spec", text), 0, len(text)))


def test_python_keywords_and_built_ins_are_refused():
    for name in map(named, [*keyword.kwlist, *vars(builtins)]):
        for rule in (forbidden, forbidden_model, forbidden_value, forbidden_layer):
            assert rule(name) is not None


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("name", ["class", "None", "lambda", "list", "sum", "print"])
def test_python_s_names_are_refused_everywhere(position, name):
    assert refused(REAL, **{position: name})


@pytest.mark.parametrize("position", VALUES)
@pytest.mark.parametrize(
    "name",
    """
    self torch Tensor p s g lr last batch order learning_rate forward backward update output
    prediction mse_gradient relu_backward _ _x __init__ relu softmax mse accuracy sgd repeat
    dropout gelu adam pi true none log sqrt train model
    """.split(),
)
def test_names_of_the_module_and_of_the_language_are_refused(position, name):
    assert refused(REAL, **{position: name})


@pytest.mark.parametrize("position", ["layer", "inner", "call"])
def test_no_layer_is_called_like_an_attribute_of_a_torch_module(position):
    public = {name for name in dir(torch.nn.Module()) if not name.startswith("_")}
    assert not {name for name in public if forbidden_layer(named(name)) is None}
    for name in ("half", "training", "to", "cuda", "parameters"):
        assert name in MODULE_ATTRIBUTES and refused(REAL, **{position: name})


@pytest.mark.parametrize(
    "name", ["json", "torch", "random", "types", "numpy", "class", "list"]
)
def test_a_model_hides_no_module(name):
    assert refused(REAL, model=name)


def test_a_spec_called_like_a_module_gives_a_module_called_like_its_model():
    for stem, module in {"json": "net", "class": "net", "disk": "disk"}.items():
        spec = f"a/{stem}.spec"
        assert destinations({spec: "net"}, None) == {spec: Path(f"a/{module}.py")}


@pytest.mark.parametrize(
    "names",
    [
        {"layer": "a", "last": "a"},
        {"layer": "a", "last": "a_weight"},
        {"layer": "a", "last": "a_bias"},
        {"layer": "a", "last": "a_matrix"},
        {"layer": "a", "last": "a_weight_t"},
        {"layer": "a", "last": "a_ones"},
        {"layer": "a", "last": "a_ones_t"},
        {"layer": "a", "last": "d_a"},
        {"layer": "d_a", "last": "a"},
        {"layer": "a_b", "call": "a", "inner": "b"},
        {"layer": "relu1"},
        {"input": "a", "layer": "a"},
        {"input": "a", "layer": "a_ones"},
        {"input": "a", "last": "d_a"},
        {"target": "a", "last": "a"},
        {"target": "d_a", "last": "a"},
        {"input": "a", "target": "a"},
        {"input": "a", "target": "d_a"},
        {"input": "a", "target": "a_ones"},
        {"call": "learning", "inner": "rate"},
        {"call": "output", "inner": "gradient"},
        {"param": "a", "block": "a"},
        {"param": "a", "input": "a"},
    ],
    ids=lambda names: "-".join(names.values()),
)
def test_two_things_with_one_name_are_refused(names):
    assert refused(REAL, **names)
