"""`def activation`, `def loss`, `def schedule`: gradients against autograd, and their text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from specc.compiler import Request, compile_source
from specc.syntax.source import Source
from tests.cases.definitions import DEFINITIONS, spec_of
from tests.cases.goldens import Goldens
from tests.cases.modules import IN_PYTHON, changed, compiled, module_of_spec

BY_GRADIENT = [name for name, d in DEFINITIONS.items() if d.kind != "schedule"]
SCHEDULES = [name for name, d in DEFINITIONS.items() if d.kind == "schedule"]


pytestmark = pytest.mark.usefixtures("one_thread")


def batch(positive: bool, count: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(count)
    x = torch.randn(count, 4, dtype=torch.float64, generator=draw)
    y = torch.randn(count, 3, dtype=torch.float64, generator=draw)
    return x, torch.sigmoid(y) if positive else y


def errors(name: str, net: Any) -> float:
    """How far loss and gradients are from autograd's, relative to the largest gradient."""
    definition = DEFINITIONS[name]
    x, y = batch(definition.positive)
    p = {k: v.detach().clone().requires_grad_() for k, v in net.parameters.items()}
    x = x.requires_grad_()
    act = definition.torch if definition.kind == "activation" else torch.tanh
    hidden = act(x @ p["linear1.weight"].T + p["linear1.bias"])
    found = hidden @ p["linear2.weight"].T + p["linear2.bias"]
    if definition.positive:
        found = torch.sigmoid(found)
    if definition.kind == "loss":
        loss = definition.torch(found, y).mean()
    else:
        loss = ((found - y) ** 2).mean()
    loss.backward()
    value, gradients = net.loss_and_gradients(x.detach(), y, input_gradient=True)
    expected = {**{k: v.grad for k, v in p.items()}, "x": x.grad}
    scale = max(float(g.abs().max()) for g in expected.values())
    worst = max(
        float((gradients[k] - g).abs().max()) / scale for k, g in expected.items()
    )
    return max(
        worst, abs(value - float(loss.detach())) / max(1e-3, abs(float(loss.detach())))
    )


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_a_derived_gradient_is_that_of_autograd(name: str, target: str) -> None:
    """Loss, every parameter's gradient and the input's agree to 1e-12 in float64."""
    text = spec_of(DEFINITIONS[name])
    net = module_of_spec(text, target=target).Model(dtype=torch.float64)
    assert errors(name, net) <= 1e-12


@pytest.mark.parametrize(
    ("target", "ending", "right", "wrong"),
    [
        ("torch", ".py", "* (1 - s.swish1_sigmoid)", "* (1 + s.swish1_sigmoid)"),
        ("numpy", ".py", "* (1 - s.swish1_sigmoid)", "* s.swish1_sigmoid"),
        ("c", ".c", "(1 - load(w->swish1_sigmoid + at))", "(1)"),
    ],
)
def test_a_planted_fault_is_found(
    target: str, ending: str, right: str, wrong: str
) -> None:
    text = spec_of(DEFINITIONS["swish"])
    net = changed(text, target, (ending, right, wrong)).Model(dtype=torch.float64)
    assert errors("swish", net) > 1e-3


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_the_same_formula_in_torch(name: str, target: str) -> None:
    """Two hundred values of each."""
    definition = DEFINITIONS[name]
    text = spec_of(definition) + "train(epochs=200)\n"
    module = module_of_spec(text, target=target)
    t = torch.arange(200, dtype=torch.float64)
    expected = definition.torch(0.1, t, 200.0)
    found = torch.tensor([module.learning_rate(i) for i in range(200)]).double()
    assert torch.allclose(found, expected, rtol=1e-6, atol=0)
    exact = [module.learning_rate(i) for i in range(200)]
    assert max(abs(a - float(b)) for a, b in zip(exact, expected, strict=True)) < 1e-14


ENDS = {
    "torch": ("# One training step", "# Arrays"),
    "numpy": ("# One training step", "# Arrays"),
    "c": ("/* ---- 3. The network */", "/* ---- 4. Training"),
}


def test_the_arithmetic_of_a_composed_net_reads_as_prose(
    goldens: Goldens, target: str
) -> None:
    """Forward, backward and update of residuals, definitions and AdamW, a file to be read."""
    path = Path(__file__).parent / "composed.spec"
    made = compile_source(Source(path.name, path.read_text()), Request(target=target))
    assert made.text is not None
    text = made.beside[".c"] if target == "c" else made.text
    start, end = (text.index(part) for part in ENDS[target])
    goldens.compare(path.with_suffix(f".{target}.expected"), text[start:end])


@pytest.mark.parametrize("name", ["swish", "one_cycle"])
def test_a_definition_is_as_short_as_a_person_s(name: str) -> None:
    text = compiled(spec_of(DEFINITIONS[name]), target="numpy")
    if name == "swish":
        assert text.count("np.exp") == 1  # in `sigmoid`
        assert (
            "        s.swish1_sigmoid + 1.5 * s.swish1 * (1 - s.swish1_sigmoid)\n"
            in text
        )
    else:
        assert "    return 0.1 * (\n" in text


@pytest.mark.parametrize("target", ["torch", "numpy", "c"])
@pytest.mark.parametrize(
    "formula",
    [
        "x + sin(x)^2 / 1e-320",
        "((x + 5e-324) / 5e-324 + x^2.5) * x",
        "where(x > 0, x, 2) + x - x / 1e-320 / 2",
        "(1e200 * x)^2",
        "(1e-200 * x)^2 * tanh(x)",
        "1e308 * x + 1e308 * x",
        "(x / 1e-200) / 1e-200",
    ],
)
def test_a_number_beyond_all_is_not_folded(formula: str, target: str) -> None:
    """What a module cannot say stays the expression that comes to it."""
    text = f"""model net
input x: real[4]
target y: real[3]
def activation f(x) = {formula}
layers {{ linear(2) f linear(3) }}
loss mse
optimizer sgd(lr=0.1)
"""
    made = compile_source(Source("net.spec", text), Request(target=target, stem="net"))
    assert made.text is not None
    _, _, below = made.beside.get(".c", made.text).partition("forward")
    for line in below.splitlines():
        code = line.partition("#")[0]
        assert not re.search(r"(?<![\w.])inf(?![\w])", code), line
    if target in IN_PYTHON:  # what it comes to may be infinite, but it comes to that
        net = module_of_spec(text, target=target).Model(dtype=torch.float64)
        with np.errstate(all="ignore"):
            net.loss_and_gradients(*batch(False))


def test_a_definition_works_inside_blocks_and_under_names() -> None:
    text = """model net
input x: real[4]
target y: real[3]
param k = 2
def activation swish(x, beta=k) = x * sigmoid(beta * x)
block wide(n, b=1) { linear(n) swish(b) }
layers { encoder = wide(5, 3) repeat(2) { wide(4) gate = swish } linear(3) }
loss mse
optimizer sgd(lr=0.1)
"""
    module = module_of_spec(text, target="numpy")
    x, y = batch(False)
    net = module.Model(dtype=torch.float64)
    p = net.parameters
    h = x
    for layer, betas in (
        ("encoder.linear1", (3,)),
        ("linear1", (1, 2)),
        ("linear2", (1, 2)),
    ):
        h = h @ p[f"{layer}.weight"].T + p[f"{layer}.bias"]
        for beta in betas:
            h = h * torch.sigmoid(beta * h)
    expected = h @ p["linear3.weight"].T + p["linear3.bias"]
    assert torch.allclose(net.forward(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["bump", "nested_choice"])
def test_a_choice_between_numbers_has_the_type_of_the_model(
    name: str, dtype: torch.dtype, target: str
) -> None:
    """Of two numbers torch makes float32, and NumPy float64, whatever is around them."""
    text = spec_of(DEFINITIONS[name])
    text = text.replace("linear(3) \n", f"linear(3) {DEFINITIONS[name].use}\n")
    x, _ = batch(False)
    net = module_of_spec(text, target=target).Model(dtype=dtype)
    assert net.predict(x.to(dtype)).dtype == dtype
