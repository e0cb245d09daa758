"""`specc verify`: sound modules pass; faults of the compiler, or of a hand, are found and told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from specc.cli.main import main
from specc.cli.verify import verify
from specc.compiler import compile_source
from specc.verify.checks import CHECKS
from specc.verify.reference.training import monitored
from tests.cases.modules import (
    EXAMPLE_FILES,
    ROOT,
    TARGETS,
    checked,
    compiled,
    example,
    raw_module,
    source,
)
from tests.verify.mutation.examine import killers
from tests.verify.mutation.faults import faults

DISK = str(EXAMPLE_FILES["disk"])


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", EXAMPLE_FILES)
def test_every_example_verifies_on_every_target(name: str, target: str) -> None:
    text = example(name)
    report = verify(checked(text), raw_module(compiled(text, target=target)), target)
    assert [f for f in report.findings if not f.ok] == []
    expected = {check.name for check in CHECKS} - {"not finite", "thresholds"}
    if not monitored(report.model):
        expected -= {"ties", "decisions"}
    expected -= {"module form", "c"} - {{"torch": "module form"}.get(target, target)}
    assert expected <= {f.check for f in report.findings}
    for check in ("autograd", "differences", "expansions"):
        said = {f.what for f in report.findings if f.check == check}
        assert {*report.model.parameters, report.model.input.name} <= said


def test_the_table_names_every_parameter_and_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["verify", DISK]) == 0
    told = capsys.readouterr().out
    for name in (*checked(example("disk")).parameters, "point (the input)"):
        assert f"\n{name} " in told
    for word in ("autograd", "differences", "expansions", "fit", "none disagrees"):
        assert word in told
    assert "!" not in told


def test_json_tells_the_worst_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", DISK, "--json", "--target", "numpy", "--samples", "5"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] and told["target"] == "numpy" and told["samples"] == 5
    pairs = [(f["check"], f["of"]) for f in told["findings"]]
    assert len(pairs) == len(set(pairs))
    assert ("autograd", "linear1.weight") in pairs and ("fit", "val_loss") in pairs
    assert all(f["error"] <= f["bound"] and f["ok"] for f in told["findings"])


def test_a_module_of_a_hand_is_examined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A student's backward pass: what is wrong is named, with its place and both numbers."""
    path = tmp_path / "mine.py"
    right = compiled(example("disk"))
    wrong = right.replace("s.relu2, 0, grad_input", "s.relu1, 0, grad_input")
    assert wrong != right
    path.write_text(wrong, encoding="utf-8")
    assert main(["verify", DISK, "--module", str(path)]) == 1
    told = capsys.readouterr().out
    assert "autograd, linear2.weight: at [" in told
    assert " !" in told and "disagree" in told
    path.write_text(right, encoding="utf-8")
    assert main(["verify", DISK, "--module", str(path)]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise SystemError('no')\n", "cannot be imported"),
        ("def broken(:\n", "cannot be imported"),
        ("x = 1\n", "disagree"),
    ],
)
def test_what_is_no_module_is_told(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    assert main(["verify", DISK, "--module", str(path)]) == 1
    told = capsys.readouterr()
    assert said in told.out + told.err and "Traceback" not in told.out + told.err


def test_what_is_not_there_is_an_error_of_usage(tmp_path: Path) -> None:
    assert main(["verify", str(tmp_path / "none.spec")]) == 2
    assert main(["verify", DISK, "--module", str(tmp_path / "none.py")]) == 2
    assert main(["verify", DISK, "--samples", "1"]) == 2
    assert main(["verify", DISK, "--target", "jax"]) == 2


def test_a_spec_with_errors_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.spec"
    path.write_text(example("disk").replace("loss mse", "loss mze"), encoding="utf-8")
    assert main(["verify", str(path)]) == 1
    assert "E010" in capsys.readouterr().err


PLANTED = {
    "a wrong row of ops.py": (
        "specc/ir/ops.py",
        '"tanh": Op(types.same, lambda dy, y, x: (dy * (1 - y**2),)',
        '"tanh": Op(types.same, lambda dy, y, x: (dy * (1 - y) ** 2,)',
    ),
    "a wrong line of a template": (
        "templates/torch/fit.py.j2",
        "self.model.{{ whole }}.copy_(self.best)",
        "self.best.copy_(self.model.{{ whole }})",
    ),
    "a wrong rule of torch_text.py": (
        "specc/targets/torch/operations.py",
        '_call("relu_backward", "{0}, {1}, 0", "grad_input")',
        '_call("relu_backward", "{1}, {0}, 0", "grad_input")',
    ),
    "a mean that is a sum": (
        "specc/ir/ops.py",
        "(_residual(p, t) * (dy * 2 / count(p)), None)",
        "(_residual(p, t) * (dy * 2), None)",
    ),
    "a rate that is late by one": (
        "specc/library/training/schedules.py",
        "return lr / (1 + decay * t)",
        "return lr / (1 + decay * (t + 1))",
    ),
}
"""What is changed in a copy of the compiler: file, old, new."""


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_of_the_compiler_is_found(fault: str, tmp_path: Path) -> None:
    """`specc verify examples/disk.spec` of a compiler with one line changed disagrees."""
    for folder in ("specc", "grammar", "templates"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    name, old, new = PLANTED[fault]
    path = tmp_path / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "specc", "verify", DISK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "disagree" in ran.stdout and not ran.stderr


EVERY = 61
"""Of the faults of a module, every so many'th is examined here; `docs/proof.md` has all."""


@pytest.mark.parametrize("target", ["torch", "numpy"])
def test_planted_faults_of_a_module_are_found(target: str) -> None:
    """A sample of the small faults of the paper's module, each found or known to be none."""
    from tests.verify.mutation.equivalent import reason

    text = example("disk")
    model = checked(text)
    examined = faults(compiled(text, target=target))[::EVERY]
    assert len(examined) >= 6
    missed = [
        str(fault)
        for fault in examined
        if not killers(model, target, {".py": fault.text}) and not reason("disk", fault)
    ]
    assert missed == []


LEVEL = "\n        self.level = math.inf"
GAIN = "self.level = value\n            self.stalled = 0"


@pytest.mark.parametrize(
    ("name", "target", "check", "right", "wrong"),
    [
        ("progression", "torch", "thresholds", "<= 1e-13", "< 1e-13"),
        ("progression", "numpy", "thresholds", "squared_error > 0", "squared_error >= 0"),
        ("breast_cancer", "torch", "fit", "len(linear3) > 1:", "len(linear3) >= 1:"),
        ("breast_cancer", "torch", "fit", "len(linear3) > 1:", "len(linear3) > 2:"),
        ("breast_cancer", "numpy", "thresholds", "mean(prediction > ", "mean(prediction >= "),
        ("progression", "torch", "fit", f"stalled = 0{LEVEL}", f"stalled = 1{LEVEL}"),
        ("progression", "numpy", "fit", f"stalled = 0{LEVEL}", f"stalled = 1{LEVEL}"),
        ("progression", "torch", "decisions", GAIN, "self.level = value"),
        ("progression", "numpy", "decisions", GAIN, "self.level = value"),
        ("progression", "torch", "ties", "value < self.level", "value <= self.level"),
        ("progression", "numpy", "ties", "value < self.level", "value <= self.level"),
        ("digits_wide", "torch", "autograd", "s.d_linear3, beta=0", "s.d_linear3, beta=1"),
    ],
)  # fmt: skip
def test_holes_that_were_closed_stay_closed(
    name: str, target: str, check: str, right: str, wrong: str
) -> None:
    """Faults that no check found once, of docs/proof.md."""
    module = compiled(example(name), target=target)
    assert right in module
    files = {".py": module.replace(right, wrong)}
    assert killers(checked(example(name)), target, files, checks=(check,)) == [check]


def test_a_fault_of_a_kernel_for_float32_alone_is_found() -> None:
    """On any processor: the kernel is called wherever torch has it."""
    module, model = compiled(example("digits_wide")), checked(example("digits_wide"))
    assert "FUSED_LINEAR(a, b.t()," in module
    assert killers(model, "torch", {".py": module}, checks=("float32",)) == []
    wrong = module.replace("FUSED_LINEAR(a, b.t(),", "FUSED_LINEAR(2 * a, b.t(),")
    assert killers(model, "torch", {".py": wrong}, checks=("float32",)) == ["float32"]
    wrong = wrong.replace(
        "FUSED_LINEAR: Any = None if is_intel() else", "FUSED_LINEAR: Any ="
    )
    assert killers(model, "torch", {".py": wrong}, checks=("autograd", "updates")) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("run->best_value = run->reference = INFINITY;", ""),
        ("disk_finish(m, run);\n  return", "return"),
        ("flat(&m->parameters)[place(which, i)] = *from++;", "from++;"),
        ("*to++ = flat_const(&m->parameters)[place(which, i)];", "*to++ = 0;"),
        ("memset(m, 0, sizeof *m);", ""),
        ("q < 4; q++) sum[q] +=", "q <= 4; q++) sum[q] +="),
        ("if (n > DISK_SAMPLES) return NAN;", ""),
        ("run->best_epoch = -1;", ""),
        ("run->stop = 0;", ""),
        ("now.validated = x_val != NULL;", ""),
        ("at < DISK_PADDED; at += LANES) {", "at <= DISK_PADDED; at += LANES) {"),
    ],
)
def test_faults_that_only_a_program_in_c_meets_are_found(
    right: str, wrong: str
) -> None:
    text = example("disk")
    made = compile_source(source(text), {}, "c", stem="net")
    assert made.text is not None and right in made.beside[".c"]
    changed = made.beside[".c"].replace(right, wrong)
    files = {".py": made.text, **made.beside, ".c": changed}
    assert killers(checked(text), "c", files, checks=("c",)) == ["c"]
