"""The first wrong derivative is the one that was planted, by its line, on every target."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.cli.main import main
from specc.cli.verify import _target_of
from specc.compiler import Request, compile_source
from specc.run.emitted import imported
from specc.syntax.source import Source
from specc.verify.compare.subject import subject
from specc.verify.examine.first_fault import first_fault

SPEC = """model net
input x: real[3]
target y: real[2]
layers { linear(4) relu linear(4) relu linear(4) tanh linear(2) tanh }
loss mse
optimizer sgd(lr=0.1)
"""
FAULTS = [
    ("numpy", "d_linear4 @ p.linear4_weight", "d_linear4 @ p.linear4_weight[::-1]"),
    ("numpy", "d_linear3 @ p.linear3_weight", "d_linear3 @ p.linear3_weight.T"),
    ("numpy", "d_tanh1 * (1 - s.tanh1**2)", "d_tanh1 * (1 - s.tanh1) ** 2"),
    ("numpy", "residual * (2 / tanh2.size)", "residual * 2"),
    ("numpy", "d_linear3.sum(axis=0)", "d_linear3[0]"),
    ("numpy", "d_relu2 * (s.relu2 > 0)", "d_relu2 * (s.relu1 > 0)"),
    ("torch", "p.linear3_weight_t, s.d_linear3", "p.linear3_weight, s.d_linear3"),
    ("torch", "s.d_linear3, s.tanh1, grad", "s.d_linear3, s.relu2, grad"),
    ("torch", "s.d_linear2, s.relu2, 0", "s.d_linear2, s.relu1, 0"),
    ("torch", "s.d_linear3, s.relu2_ones_t", "s.d_linear3, s.relu1_ones_t"),
    ("c", "p->linear4_weight, w->tanh1", "p->linear3_weight, w->tanh1"),
    ("c", "g->linear4_weight, g->linear4_bias", "g->linear4_weight, g->linear3_bias"),
    ("c", "n, w->relu1, w->d_linear2", "n, w->relu2, w->d_linear2"),
]
"""A target, what stands in its module, and what is planted there."""


def made(target: str, folder: Path) -> Path:
    """Compile the spec into a folder; return the file with the derivatives."""
    request = Request(overrides={}, target=target, command="specc", stem="net")
    result = compile_source(Source("net.spec", SPEC), request)
    assert result.text is not None
    (folder / "net.py").write_text(result.text)
    for ending, text in result.beside.items():
        (folder / f"net{ending}").write_text(text)
    return folder / ("net.c" if target == "c" else "net.py")


def first(target: str, folder: Path) -> object:
    request = Request(overrides={}, target=target, command="specc", stem="net")
    model = compile_source(Source("net.spec", SPEC), request).model
    assert model is not None
    module = imported(folder / "net.py")
    assert _target_of(module) == target
    return first_fault(subject(model, module, target, 8, 0), folder / "net.py")


@pytest.mark.parametrize(("target", "right", "wrong"), FAULTS)
def test_the_planted_line_is_named(
    target: str, right: str, wrong: str, tmp_path: Path
) -> None:
    place = made(target, tmp_path)
    text = place.read_text()
    assert text.count(right) == 1
    place.write_text(text.replace(right, wrong))
    line = text[: text.index(right)].count("\n") + 1
    found = first(target, tmp_path)
    assert found is not None
    assert found.line <= line <= found.last, (line, str(found))


@pytest.mark.parametrize("target", ["torch", "numpy", "c"])
def test_a_right_module_has_none(target: str, tmp_path: Path) -> None:
    made(target, tmp_path)
    assert first(target, tmp_path) is None


def test_the_command_prints_it_and_knows_the_target(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.spec").write_text(SPEC)
    place = made("numpy", tmp_path)
    right, wrong = "d_relu2 * (s.relu2 > 0)", "d_relu2 * (s.relu1 > 0)"
    text = place.read_text()
    place.write_text(text.replace(right, wrong))
    line = text[: text.index(right)].count("\n") + 1
    assert main(["verify", "net.spec", "--module", "net.py"]) == 1
    said = capsys.readouterr().out
    assert "cancellation" not in said and "rounding is" not in said
    assert f"the first wrong derivative: dL/dlinear2 at line {line} of net.py" in said
