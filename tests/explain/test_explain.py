"""`specc explain`: what it derives is what the module computes, and can be followed by hand."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from specc.cli.main import main
from specc.compiler import optimized
from specc.derive.derive import derive
from specc.derive.lower import lower
from specc.explain import code_lines
from specc.explain.equations import Equation
from specc.explain.explanation import PREDICTION, Explanation, explanation
from specc.explain.page import WIDTH
from specc.explain.peak_memory import step_bytes
from specc.explain.rules import rules
from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import OPS, Value, argument
from specc.targets.registry import target_called
from specc.verify.compare.subject import subject
from specc.verify.reference.interpreter import evaluate
from specc.verify.reference.network import Dropout, Reference, parameters
from tests.cases.goldens import Goldens
from tests.cases.modules import (
    EXAMPLES,
    ROOT,
    TARGETS,
    checked,
    compiled,
    example,
    raw_module,
)

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning"),
]

KEPT = {
    path.stem: path.read_text() for path in ROOT.glob("tests/fuzz/regressions/*.spec")
}
SPECS = {name: example(name) for name in EXAMPLES} | KEPT
PAGE = 66
"""Lines of a page."""


@functools.cache
def explained(text: str, target: str) -> tuple[Explanation, Mapping[str, str]]:
    model = checked(text)
    made, files = explanation(
        model, target_called(target), "specc compile net.spec", "net"
    )
    return made, MappingProxyType(dict(files))


def equations(made: Explanation) -> list[Equation]:
    return [each for section in made.sections for each in section.equations]


@pytest.mark.parametrize("output_format", ["full", "markdown", "latex"])
def test_the_page_of_the_papers_net(
    output_format: str, goldens: Goldens, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(ROOT / "examples" / "disk.spec")
    assert main(["explain", path, "--output-format", output_format]) == 0
    page = capsys.readouterr().out
    shown = ROOT / "docs" / "disk.md"
    kept = Path(__file__).parent / f"disk.{output_format}"
    goldens.compare(shown if output_format == "markdown" else kept, page)
    if output_format == "full":
        assert len(page.splitlines()) <= PAGE
        assert max(map(len, page.splitlines())) <= WIDTH


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", SPECS)
def test_every_derivation_of_a_module_is_explained_with_its_line(
    name: str, target: str
) -> None:
    """What stands in comments of the backward pass, line by line, and nothing else."""
    made, files = explained(SPECS[name], target)
    text = files.get(".c", files[".py"])
    own = {" ".join(each.text.split()): each for each in equations(made)}
    places = code_lines.functions(text)
    functions = [name for name in places if name.endswith("backward")]
    assert functions
    told = 0
    for function in functions:
        for block in places[function].blocks:
            said = re.sub(r"^\w+: (?=dL)", "", block.said)
            for line in re.split(r"; (?=dL)", said):
                if line.startswith("dL/d") and function != "standardize_backward":
                    assert line in own, line
                    told += 1
    assert told >= len(made.model.parameters) / 2


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_lines_are_those_of_the_code(name: str, target: str) -> None:
    """The code there writes what the equation gives, or what takes its place."""
    made, files = explained(SPECS[name], target)
    lines = files.get(".c", files[".py"]).splitlines()
    for section in made.sections:
        for each in section.equations:
            if each.lines is None:
                assert each.note == "same array", each
                continue
            first, last = each.lines
            assert 0 < first <= last <= len(lines)
            code = "\n".join(lines[first - 1 : last])
            if each.left.startswith("dL/d") and not each.note:
                above = "\n".join(lines[max(first - 8, 0) : first - 1])
                near = " ".join(re.sub(r"[#*/]+|\n", " ", above).split())
                words = " ".join(re.sub(r"[#*/]+", " ", each.text).split())
                doc = each.text in " ".join(code.split())
                assert words in near or doc, each.text
            elif section.names[0] not in ("loss", "update") and each.name:
                names = [
                    each.name,
                    *(n.rpartition(" overwrites ")[0] for n in section.notes),
                ]
                layers = "|".join([*names[:1], *section.names, "output"])
                assert re.search(rf"\b(?:{layers})\w*\b", code), each.text


@pytest.mark.parametrize("name", SPECS)
def test_a_pencil_gets_the_gradients(name: str) -> None:
    """The equations, evaluated one by one as they stand, give what the module gives."""
    made, files = explained(SPECS[name], "numpy")
    model = made.model
    net_module = raw_module(compiled(SPECS[name], target="numpy"))
    of = subject(model, net_module, "numpy", 6, 0)
    count = min(6, of.most)
    state, (x, y) = of.state(), of.drawn(count)
    net, reference = of.net(state), of.reference(state)
    asked = {"training": True} if made.derived.evaluation is not None else {}
    loss, gradients = net.loss_and_gradients(x, y, input_gradient=True, **asked)
    known: dict[str, Any] = {n.replace(".", "_"): v.numpy() for n, v in state.items()}
    reference.draw(net.seed, 0, count)
    for node, layer in zip(model.nodes, reference.layers, strict=True):
        if isinstance(layer, Dropout):
            mask = layer.mask / (1 - layer.rate)
            known[f"{node.name}.mask".replace(".", "_")] = mask.numpy()
    for given in made.derived.masks:
        known[given.name] = known[given.name].reshape(-1, given.shape[-1])
    known[model.input.name] = x.numpy().reshape(-1, model.row_shape[-1])
    width = y.shape[-1] if y.dim() > 1 and model.target.dtype == "real" else 1
    known[model.target.name] = y.numpy().reshape(-1, width)
    others = (PREDICTION, "in a step", "after each batch")
    waiting = [
        each
        for section in made.sections
        for each in section.equations
        if section.names[0] != "update" and each.note not in others
    ]
    while waiting:
        done = [each for each in waiting if names_in(each.right) <= known.keys()]
        assert done, [each.text for each in waiting]
        for each in done:
            batch = count * model.positions
            known[each.name or "L"] = value_of(each.right, known, batch)
            waiting.remove(each)
    assert np.isclose(known["L"], loss, rtol=1e-10)
    size = max(float(g.abs().max()) for g in gradients.values())
    for full, expected in gradients.items():
        found = known[f"d_{full.replace('.', '_')}"].reshape(expected.shape)
        apart = np.abs(found - expected.numpy()).max()
        assert apart <= 1e-9 * size or apart < 1e-15, full


def names_in(right: Value) -> set[str]:
    return {v.name for v in cut(right).values if v.op == "input"}


@functools.cache
def cut(right: Value) -> Program:
    """Take what has a name for given."""

    def keep(value: Value) -> Value:
        named = value.name and value.op != "input"
        return argument(value.name, value.shape, value.dtype) if named else value

    made = rewrite(Program("", (), (("made", right),)), keep)
    return Program("", tuple(v for v in made.values if v.op == "input"), made.outputs)


def value_of(right: Value, known: dict[str, Any], batch: int) -> Any:
    return evaluate(cut(right), known, batch)["made"]


@pytest.mark.parametrize("name", SPECS)
def test_every_rule_is_in_the_table(name: str) -> None:
    made, _ = explained(SPECS[name], "torch")
    known = {rule.name for rule in rules()} | set(OPS)
    clauses = {made.model.schedule.use.entry.name, made.model.optimizer.use.entry.name}
    for each in equations(made):
        assert set(each.rules) <= known | clauses, each.text
        if each.left.startswith("dL/d"):
            assert each.rules and all("." in r or r in known for r in each.rules)


def test_the_table_has_every_row_that_has_a_derivative() -> None:
    rows = {name for name, op in OPS.items() if op.derivative is not None}
    told = {rule.name.partition(".")[0] for rule in rules()}
    assert rows - told <= {"count", "sign", "floor"}  # whose derivative is none


def test_the_table_names_the_line_of_each_row() -> None:
    lines = (ROOT / "specc" / "ir" / "ops.py").read_text().splitlines()
    for rule in rules():
        if rule.line:
            row = rule.name.partition(".")[0]
            near = "\n".join(lines[max(rule.line - 6, 0) : rule.line])
            assert f'"{row}": Op(' in near or row == "concat", rule


@pytest.mark.parametrize("name", SPECS)
def test_latex_is_mathematics(name: str) -> None:
    made, _ = explained(SPECS[name], "numpy")
    for each in equations(made):
        parse(re.sub(r"\d+", "1", each.latex))


@functools.cache
def parse(latex: str) -> None:
    """Raise ValueError for an unknown command or an open brace; numbers may all be 1.

    Matplotlib's parser, which reads a part of TeX, takes 20 milliseconds for a formula.
    """
    from matplotlib.mathtext import MathTextParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MathTextParser("path").parse(f"${latex}$")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_operations_are_those_that_torch_counts(name: str, target: str) -> None:
    """Of products, forward and backward: torch counts no others."""
    made, _ = explained(SPECS[name], target)
    model = made.model
    of = subject(model, raw_module(compiled(SPECS[name])), "torch", 5, 0)
    reference = Reference(model)
    reference.load(parameters(model, 0))
    for count in (5, 40):
        x, y = of.drawn(count)
        with FlopCounterMode(display=False) as forward:
            loss = reference.loss(x, y)
        with FlopCounterMode(display=False) as backward:
            torch.autograd.backward(loss)
        assert made.budget.forward.products.of(count) == forward.get_total_flops()
        assert made.budget.backward.products.of(count) == backward.get_total_flops()


def test_parameters_and_state_are_those_of_the_module() -> None:
    for name in EXAMPLES:
        made, _ = explained(SPECS[name], "torch")
        module = raw_module(compiled(SPECS[name]))
        model = module.Model()
        assert made.budget.parameters == model.flat_parameters.numel()
        assert made.budget.buffers == sum(
            v.numel() for v in model.state_dict().values()
        ) - (made.budget.parameters)


SLACK = (0.93, 1.12)
"""How far what is foretold may be from what is measured."""
NUMPY_BUFFERS = 70_000
"""Bytes that NumPy takes to convert numbers while it computes, whatever the batch."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_numpy_holds_as_much_at_once_as_is_foretold(name: str) -> None:
    import tracemalloc

    samples = 1000
    foretold, module, (x, y) = foretell(name, "numpy", samples)
    net = module.Model(dtype="float64")
    arrays = x.numpy(), y.numpy()
    net.train_step(*arrays, 1e-3)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    net.train_step(*arrays, 1e-3)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    low, high = SLACK
    assert low * (most - before - NUMPY_BUFFERS) <= foretold <= high * (most - before)


@pytest.mark.parametrize("name", EXAMPLES)
def test_torch_holds_as_much_at_once_as_is_foretold(name: str) -> None:
    from torch.profiler import ProfilerActivity, profile

    samples = 1000
    foretold, module, (x, y) = foretell(name, "torch", samples)
    net = module.Model(dtype=torch.float64)
    net.train_step(x[:2], y[:2], 1e-3)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        net.train_step(x, y, 1e-3)
    events = [
        e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"
    ]
    live = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    low, high = SLACK
    assert low * most <= foretold <= high * most


def foretell(name: str, target: str, samples: int) -> tuple[int, Any, Any]:
    model, code = checked(SPECS[name]), compiled(SPECS[name], target=target)
    language = target_called(target)
    derived = optimized(derive(lower(model), language), language)
    module = raw_module(code)
    drawn = subject(model, module, target, samples, 0).drawn(samples)
    return step_bytes(model, derived, language, code, samples, 8), module, drawn


@pytest.mark.parametrize("name", EXAMPLES)
def test_c_takes_the_bytes_that_are_foretold(name: str) -> None:
    made, files = explained(SPECS[name], "c")
    assert made.memory is not None
    size = made.memory.model_bytes(4)
    assert str(size) in files[".h"] + files[".c"] + files[".py"]


# The command.


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["explain", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


DISK = str(ROOT / "examples" / "disk.spec")


def test_a_layer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, DISK, "relu2", "loss")
    assert code == 0
    assert "linear2:" in out and "loss: mse" in out
    assert "linear3:" not in out and "numbers" not in out


def test_a_layer_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, DISK, "rellu2")
    assert (code, out) == (1, "")
    assert "did you mean `relu2`?" in err


def test_what_does_not_compile(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.spec"
    bad.write_text("model a\nloss mze\n")
    code, out, err = run(capsys, str(bad))
    assert (code, out) == (1, "")
    assert "E010" in err and "does not compile" in err
    code, _, err = run(capsys, str(tmp_path / "none.spec"))
    assert code == 2 and "no such file" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing argument"),
        ((DISK, "--rules"), "leave FILE out"),
        (("E999",), "E999"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code in (1, 2) and out == ""
    assert says in err


def test_a_file_called_like_a_code_is_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("E012").write_text(Path(DISK).read_text())
    code, out, _ = run(capsys, "E012")
    assert code == 0 and "disk: 2 -> 25" in out


@pytest.mark.parametrize("output_format", ["full", "markdown", "latex"])
def test_rules(capsys: pytest.CaptureFixture[str], output_format: str) -> None:
    code, out, _ = run(capsys, "--rules", "--output-format", output_format)
    assert code == 0 and "linear.w" in out
    assert out.count("\n") >= len(rules())


def test_an_override_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, DISK, "-D", "width=50")
    assert code == 0 and "(50, batch)" in out
