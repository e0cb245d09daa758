"""Blocks whose arguments are initializers: passed on, bound where they are written."""

from __future__ import annotations

import pytest

from specc.compiler import analyse
from specc.syntax.source import Source
from tests.cases.modules import checked

SPEC = """model net
input x: real[4]
target y: real[1]
param k = 2
block dense(units, start=he_normal, shift=zeros) {
  linear(units, weight=start, bias=shift)
  relu
}
block twice(units, start=he_uniform) { dense(units, start) dense(units, start=start) }
layers { CALL linear(1) }
loss mse
optimizer sgd(lr=0.1)
"""
CALLS = {
    "dense(8)": ["linear(8, weight=he_normal)"],
    "dense(8, he_uniform)": ["linear(8, weight=he_uniform)"],
    "dense(8, start=he_normal(mode=fan_out))": [
        "linear(8, weight=he_normal(mode=fan_out))"
    ],
    "dense(8, orthogonal(gain=k))": ["linear(8, weight=orthogonal(gain=2))"],
    "dense(8, shift=constant(k / 4))": [
        "linear(8, weight=he_normal, bias=constant(0.5))"
    ],
    "dense(8, shift=none)": ["linear(8, weight=he_normal, bias=none)"],
    "twice(3)": ["linear(3, weight=he_uniform)"] * 2,
    "twice(3, uniform)": ["linear(3, weight=uniform)"] * 2,
    "dense(3) dense(3, he_uniform) dense(3)": [
        "linear(3, weight=he_normal)",
        "linear(3, weight=he_uniform)",
        "linear(3, weight=he_normal)",
    ],
}
WRONG = {
    "dense(he_normal)": "`units` must be an integer, found `units`, which is he_normal",
    "dense(8, 3)": "`weight` of linear must be an initializer, found `start`",
    "dense(8, none)": "`weight` of linear must be an initializer, found `start`",
    "dense(8, mse)": "unknown name `mse`",
    "dense(8, he_normal(mod=fan_in))": "he_normal has no argument `mod`",
    "dense(2 * he_normal)": "unknown name `he_normal`",
    "dense(8, shift=he_normal)": "`he_normal` needs fan-in and fan-out, and a bias has neither",
}


@pytest.mark.parametrize("call", CALLS)
def test_an_initializer_is_passed_to_a_block(call: str) -> None:
    nodes = checked(SPEC.replace("CALL", call)).nodes
    linears = [str(node.use) for node in nodes if node.parameters]
    assert linears == [*CALLS[call], "linear(1)"]


@pytest.mark.parametrize("call", WRONG)
def test_what_does_not_fit_is_an_error(call: str) -> None:
    _, found = analyse(Source("net.spec", SPEC.replace("CALL", call)), {})
    assert [d.message for d in found if d.severity == "error"] == [WRONG[call]]


@pytest.mark.parametrize(
    ("layers", "names", "inputs"),
    [
        (
            "linear(4) residual { linear(4) tanh } linear(4)",
            "linear1 linear2 tanh1 residual1 linear3",
            [(-1,), (0,), (1,), (0, 2), (3,)],
        ),
        (
            "residual { linear(4) residual { relu } } linear(4)",
            "linear1 relu1 residual2 residual1 linear2",
            [(-1,), (0,), (0, 1), (-1, 2), (3,)],
        ),
        (
            "repeat(2) { skip = residual { h = linear(4) } }",
            "h1 skip1 h2 skip2",
            [(-1,), (-1, 0), (1,), (1, 2)],
        ),
    ],
)
def test_a_residual_comes_after_its_body_and_takes_its_input(
    layers: str, names: str, inputs: list[tuple[int, ...]]
) -> None:
    """It is counted where it is read, before what is inside."""
    nodes = checked(
        "model net\ninput x: real[4]\ntarget y: real[4]\n"
        f"layers {{ {layers} }}\nloss mse\noptimizer sgd(lr=0.1)\n"
    ).nodes
    assert [node.name for node in nodes] == names.split()
    assert [node.inputs for node in nodes] == inputs
