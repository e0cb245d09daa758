"""What needs no torch runs where it is not installed, and what needs it is told what to type."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from specc.verify.checks import CHECKS
from specc.verify.compare import stand_in
from specc.verify.compare.tensors import MissingTorch
from tests.cases.modules import ROOT

BY_TORCH = {
    "autograd",
    "kinks",
    "extremes",
    "optimizer",
    "fit",
    "overflow",
    "evaluation",
}
"""The checks that compare with torch.nn or torch.optim."""
DISK = str(ROOT / "examples" / "disk.spec")


def specc(*arguments: str, missing: str = "torch") -> subprocess.CompletedProcess[str]:
    """Run specc where a package cannot be imported."""
    code = "import sys; sys.modules[sys.argv.pop(1)] = None\n"
    code += "from specc.cli.main import main; sys.exit(main(sys.argv[1:]))"
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    command = [sys.executable, "-c", code, missing, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_numpy_is_verified_as_far_as_it_goes() -> None:
    done = specc("verify", DISK, "--target", "numpy")
    assert done.returncode == 0, done.stderr
    *_, verdict, left_out, advice = done.stdout.splitlines()
    assert verdict.endswith("comparisons, none disagrees")
    names = left_out.removeprefix("not compared, because torch is not installed: ")
    assert set(names.split(", ")) == BY_TORCH
    assert advice == "for these checks: pip install 'netspecc[torch]'"
    for name in BY_TORCH:
        assert f"\n{name} " in done.stdout
    assert done.stdout.count("left out: it needs torch") == len(BY_TORCH)


def test_the_report_as_json_names_what_was_left_out() -> None:
    done = specc("verify", DISK, "--target", "numpy", "--json")
    report = json.loads(done.stdout)
    assert report["ok"] and set(report["left_out"]) == BY_TORCH
    seen = {finding["check"] for finding in report["findings"]}
    assert not seen & BY_TORCH
    others = {check.name for check in CHECKS} - BY_TORCH
    assert seen == others - {"c-api", "as_module"}  # of other targets


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("linear4.T @ s.relu3", "linear4.T @ (2 * s.relu3)"),
        ("1 - tanh1**2", "1 + tanh1**2"),
    ],
)
def test_a_fault_in_a_derivative_is_found(
    tmp_path: Path, right: str, wrong: str
) -> None:
    module = (ROOT / "generated" / "numpy" / "disk.py").read_text()
    assert right in module
    path = tmp_path / "disk.py"
    path.write_text(module.replace(right, wrong))
    done = specc("verify", DISK, "--target", "numpy", "--module", str(path))
    assert done.returncode == 1
    assert "disagree:" in done.stdout and "rederivation, linear" in done.stdout


@pytest.mark.parametrize("command", ["train", "verify"])
def test_what_needs_torch_is_told_in_a_line_what_to_type(
    tmp_path: Path, command: str
) -> None:
    more = ["--out", str(tmp_path / "run")] if command == "train" else []
    done = specc(command, DISK, *more)
    assert done.returncode == 2 and not done.stdout
    line = "this needs torch, which is not installed: pip install 'netspecc[torch]'"
    assert done.stderr == f"error: {line}\n"
    assert not any(tmp_path.iterdir())


def test_a_missing_package_of_the_plots_is_named(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    done = specc("train", DISK, "--epochs", "1", "--out", out, missing="matplotlib")
    assert done.returncode == 2
    line = "this needs matplotlib, which is not installed: pip install 'matplotlib'"
    assert done.stderr.splitlines()[-1] == f"error: {line}"


def test_a_data_set_of_a_missing_package_is_told_what_to_type(tmp_path: Path) -> None:
    path, out = tmp_path / "net.spec", str(tmp_path / "run")
    text = "model net\ninput x: real[4]\ntarget y: int[]\nlayers { linear(3) }\n"
    text += "loss cross_entropy\noptimizer sgd(lr=0.1)\ndata iris()\n"
    path.write_text(text)
    spec = str(path)
    assert specc("check", spec, missing="sklearn").returncode == 0
    done = specc("train", spec, "--out", out, missing="sklearn")
    assert done.returncode == 2 and list(tmp_path.iterdir()) == [path]
    line = (
        "this needs scikit-learn, which is not installed: pip install 'netspecc[data]'"
    )
    assert done.stderr.splitlines()[-1] == f"error: {line}"


def test_the_compiler_needs_no_torch(tmp_path: Path) -> None:
    for target in ("torch", "numpy", "c"):
        path = str(tmp_path / f"{target}.py")
        assert specc("compile", DISK, "--target", target, "-o", path).returncode == 0
    assert specc("check", DISK).returncode == 0
    assert specc("explain", DISK, "loss").returncode == 0


def test_what_the_stand_in_lacks_is_missing_when_it_is_called() -> None:
    assert stand_in.nn.functional.relu6 is stand_in.Absent
    for call in (stand_in.erf, stand_in.nn.Linear, stand_in.optim.SGD):
        with pytest.raises(MissingTorch):
            call(1.0)


def test_the_stand_in_agrees_with_torch() -> None:
    def made(of):
        x = of.tensor([[1.5, -2.0, 3.0], [0.0, 4.0, -1.0]], dtype=of.float64)
        yield x.abs().max()
        yield x.argmax(dim=-1)
        yield x.clamp_min(0.5).norm()
        yield x.square().mean()
        yield x.sigmoid().sum()
        yield of.where(x > 0, x, 0.0).flatten()
        yield (x / 0).nan_to_num(of.inf).argmin()
        yield of.cat([x, x.clone().fill_(2)]).all(dim=1)
        yield x.copy_(of.zeros(2, 3, dtype=of.float64)).add(3).remainder(2).sum()
        yield x.float().double().reshape(3, 2).isfinite().any()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one, other in zip(made(torch), made(stand_in), strict=True):
            assert one.tolist() == pytest.approx(other.tolist(), rel=1e-14)


def test_nothing_of_verify_imports_torch_itself() -> None:
    for path in (ROOT / "specc" / "verify").rglob("*.py"):
        if path.name != "tensors.py":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(import|from) torch\b", text, re.MULTILINE), path
