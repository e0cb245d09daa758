"""`specc train` end to end: what it writes, prints and returns, and how a run may end."""

from __future__ import annotations

import csv
import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specc.cli.train import train_command
from specc.emit import seal
from specc.run import emitted, figures, plots
from specc.run import folder as run_folder
from specc.run import progress as report

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

SPEC = """
model ring
input point: real[2]
target label: real[1]
layers { linear(8) tanh linear(1) sigmoid }
loss binary_cross_entropy
optimizer sgd(lr=LR)
train(epochs=EPOCHS, batch_size=10)
metric accuracy
data disk(train=60, validation=40, test=20)
"""

FILES = {
    "ring.spec",
    "ring.py",
    "history.csv",
    "run.json",
    "model.safetensors",
    "curves.png",
    "region.png",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with a small spec."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def write(folder: Path, lr: float = 0.5, epochs: int = 3, spec: str = SPEC) -> None:
    text = spec.replace("LR", f"{lr:g}").replace("EPOCHS", str(epochs))
    (folder / "ring.spec").write_text(text)


def train(
    path: str = "ring.spec", overrides: Mapping[str, str] | None = None, **chosen: Any
) -> int:
    given: dict[str, Any] = {"out": None, "seed": None, "epochs": None, "device": "cpu"}
    given |= {"dtype": "float32", "quiet": False}
    return train_command(path, overrides or {}, **{**given, **chosen})


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "history.csv").open()))


def size(picture: Path) -> tuple[int, int]:
    content = picture.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_a_run_leaves_its_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    run = here / "runs" / "ring"
    assert {path.name for path in run.iterdir()} == FILES
    assert (run / "ring.spec").read_text() == (here / "ring.spec").read_text()
    assert [row["epoch"] for row in rows(run)] == ["0", "1", "2"]
    assert set(rows(run)[0]) >= {"lr", "train_loss", "val_loss", "val_accuracy"}
    assert min(size(run / "curves.png") + size(run / "region.png")) > 400
    out, err = capsys.readouterr()
    assert "60 train, 40 validation, 20 test" in err and "epoch 3/3" in err
    for word in ("train", "validation", "test", "loss", "accuracy", "3 of 3 epochs"):
        assert word in out
    assert str(Path("runs/ring/model.safetensors")) in out
    assert "\x1b" not in out + err


def test_the_saved_parameters_give_the_printed_figures(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from specc.library.data.synthetic import Disk
    from specc.run.emitted import imported

    assert train(dtype="float64", seed=4) == 0
    out = capsys.readouterr().out
    run = here / "runs" / "ring"
    model = imported(run / "ring.py").Model(seed=99, dtype=torch.float64)
    model.load(run / "model.safetensors")
    split = Disk(train=60, validation=40, test=20).load(None, (2,), (1,), "real")
    for part in split.parts.values():
        figures = model.evaluate(*map(torch.tensor, part))
        assert report.formatted("loss", figures["loss"]) in out
        assert report.formatted("accuracy", figures["accuracy"]) in out
    assert not (run / "__pycache__").exists()


def test_seed_and_epochs_of_the_command_win(here: Path) -> None:
    for out, seed in {"a": None, "b": 0, "c": 1}.items():
        assert train(out=out, epochs=2, quiet=True, seed=seed) == 0
    first, same, other = (
        [row["train_loss"] for row in rows(here / out)] for out in "abc"
    )
    assert first == same != other and len(first) == 2


def test_runs_never_take_each_others_place(here: Path) -> None:
    for name in ("ring", "ring-2", "ring-3"):
        assert train(quiet=True) == 0
        assert (here / "runs" / name / "model.safetensors").is_file()


def test_quiet_prints_the_figures_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(quiet=True) == 0
    out, err = capsys.readouterr()
    assert "accuracy" in out and err == ""


def test_out_takes_an_empty_folder_or_a_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mine").mkdir()
    assert train(out="mine") == 0 and train(out="mine", epochs=1) == 0
    assert len(rows(here / "mine")) == 1
    (here / "theirs").mkdir()
    (here / "theirs" / "thesis.tex").write_text("x")
    assert train(out="theirs") == 2
    assert [path.name for path in (here / "theirs").iterdir()] == ["thesis.tex"]
    assert train(out="ring.spec") == 2
    assert "not the folder of a run" in capsys.readouterr().err


def test_a_module_edited_by_hand_is_kept(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(out="mine") == 0
    module = here / "mine" / "ring.py"
    edited = module.read_text() + "\n# mine\n"
    module.write_text(edited)
    assert train(out="mine") == 2
    assert module.read_text() == edited
    assert "edited by hand" in capsys.readouterr().err


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_run_of_another_model_is_kept(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(out="mine") == 0
    before = contents(here / "mine")
    write(here, spec=SPEC.replace("model ring", "model hoop"))
    assert train(out="mine") == 2
    assert contents(here / "mine") == before
    assert "mine has a run of another model, `ring`" in capsys.readouterr().err


def test_a_run_that_replaces_another_begins_with_none_of_its_results(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    assert train(out="mine") == 0
    with monkeypatch.context() as patched:
        patched.setattr(emitted, "imported", interrupt)
        write(here, lr=0.25)
        assert train(out="mine") == 130
    spec = (here / "ring.spec").read_bytes()
    assert set(contents(here / "mine")) == {
        "ring.spec",
        "ring.py",
        "history.csv",
        "run.json",
    }
    assert contents(here / "mine")["history.csv"] == b""
    assert contents(here / "mine")["ring.spec"] == spec
    assert train(out="mine") == 0
    assert set(contents(here / "mine")) == FILES


def test_a_module_edited_by_hand_keeps_its_run(here: Path) -> None:
    assert train(out="mine") == 0
    module = here / "mine" / "ring.py"
    module.write_text(module.read_text() + "\n# mine\n")
    before = contents(here / "mine")
    assert train(out="mine") == 2
    assert contents(here / "mine") == before


def test_a_folder_with_a_spec_and_its_module_is_no_run(here: Path) -> None:
    assert train() == 0
    (here / "ring.py").write_bytes((here / "runs/ring/ring.py").read_bytes())
    assert train(out=".") == 2


def test_an_interrupted_run_is_kept(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(here, epochs=50)

    def interrupt(self: object, epoch: int, logs: object) -> None:
        if epoch == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(report.EpochProgress, "__call__", interrupt)
    assert train() == 130
    run = here / "runs" / "ring"
    assert {path.name for path in run.iterdir()} == FILES
    assert len(rows(run)) == 5
    assert "5 of 50 epochs" in (out := capsys.readouterr().out) and "interrupted" in out


def test_an_interrupted_first_epoch_is_told(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = emitted.imported

    def interrupting(path: Path) -> Any:
        module = real(path)

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(module.Model, "_train", interrupt)
        return module

    monkeypatch.setattr(emitted, "imported", interrupting)
    assert train() == 130
    out = capsys.readouterr().out
    assert "0 of 3 epochs" in out and "interrupted" in out
    assert "the parameters are those after part of the first epoch" in out


@pytest.mark.parametrize("name", ["tensors", "imported"])
def test_ctrl_c_before_training_says_so(
    name: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(emitted, name, interrupt)
    assert train(quiet=True) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_ctrl_c_while_drawing_loses_no_figures(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(figures, "drawn", interrupt)
    assert train(quiet=True) == 130
    run = Path("runs") / "ring"
    assert {path.name for path in run.iterdir()} == FILES - {"curves.png", "region.png"}
    assert len(rows(run)) == 3
    out, err = capsys.readouterr()
    assert "accuracy" in out and "3 of 3 epochs" in out
    kept = f"interrupted: the parameters and the history are saved in {run}\n"
    assert err == kept


def test_ctrl_c_before_the_figures_loses_no_parameters(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "final_table", interrupt)
    assert train(quiet=True) == 130
    assert (here / "runs/ring/model.safetensors").is_file()
    assert "are saved in" in capsys.readouterr().err


REGRESSION = """
model ring
input point: real[2]
target label: real[1]
layers { linear(1) }
loss mse
optimizer sgd(lr=LR)
train(epochs=EPOCHS, batch_size=10)
data csv("points.csv", target="z")
"""


def points(folder: Path, kind: str = "real") -> None:
    grid = [(i / 7, j / 7) for i in range(8) for j in range(8)]
    cells = [f"{x:.3f},{y:.3f}" for x, y in grid]
    if kind == "real":
        z = [f"{2 * x - y:.3f}" for x, y in grid]
    else:
        z = ["red" if x > y else "blue" if x + y < 1 else "green" for x, y in grid]
    text = "\n".join(f"{a},{b}" for a, b in zip(cells, z, strict=True))
    (folder / "points.csv").write_text(f"width,height,z\n{text}\n")


def test_a_loss_that_is_not_finite_ends_the_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points(here)
    write(here, lr=1e30, epochs=50, spec=REGRESSION)
    assert train() == 1
    out, err = capsys.readouterr()
    assert "error: " in err and "epoch" in err and "update" in err
    assert "not finite" in out
    assert (here / "runs/ring/model.safetensors").is_file()


def test_a_regression_has_no_accuracy(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points(here)
    write(here, lr=0.1, epochs=40, spec=REGRESSION)
    assert train() == 0
    assert "accuracy" not in capsys.readouterr().out
    assert float(rows(here / "runs/ring")[-1]["val_loss"]) < 0.05
    assert size(here / "runs/ring/region.png")[0] > 400


def test_classes_by_name_in_the_plane(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points(here, "classes")
    spec = REGRESSION.replace("real[1]", "int[]").replace("mse", "cross_entropy")
    spec = spec.replace("linear(1)", "linear(8) tanh linear(3) softmax")
    write(here, lr=0.5, epochs=60, spec=spec + "metric accuracy\n")
    assert train() == 0
    assert "classes: 0 = blue, 1 = green, 2 = red" in capsys.readouterr().err
    assert float(rows(here / "runs/ring")[-1]["train_accuracy"]) > 0.8
    assert size(here / "runs/ring/region.png")[0] > 400


FAULTS: dict[str, tuple[Callable[[str], str], int, str]] = {
    "no data": (lambda text: text.partition("data")[0], 2, "no `data` statement"),
    "no loss": (lambda text: text.replace("loss", "los"), 1, "error[E"),
    "no validation": (
        lambda text: text.replace("validation=40", "validation=0")
        + "early_stopping(monitor=val_loss)\n",
        1,
        "validation",
    ),
    "no file": (
        lambda text: text.partition("data")[0] + 'data npz("no.npz")\n',
        1,
        "no.npz",
    ),
}


@pytest.mark.parametrize("claim", FAULTS)
def test_a_spec_that_cannot_be_trained_is_refused(
    claim: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, code, message = FAULTS[claim]
    write(here, spec=change(SPEC))
    assert train() == code
    out, err = capsys.readouterr()
    assert message in err and "Traceback" not in err and out == ""
    assert not (here / "runs").exists()


def test_rows_beyond_the_probed_ones_are_refused_with_their_place(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["width,height,z"] + ["1,2,3"] * 2000 + ["1,?,3"]
    (here / "points.csv").write_text("\n".join(lines))
    write(here, spec=REGRESSION)
    assert train() == 1
    err = capsys.readouterr().err
    assert "ring.spec:9: line 2002 of 'points.csv', column 'height': '?'" in err


@pytest.mark.parametrize("archive", [False, True])
def test_a_number_that_float32_cannot_hold_is_refused(
    archive: bool, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ["1,1e300,3", *["1,2,3"] * 19]
    (here / "points.csv").write_text("\n".join(["width,height,z", *cells]))
    spec = REGRESSION
    if archive:
        table = np.array([[float(cell) for cell in row.split(",")] for row in cells])
        np.savez(here / "points.npz", x=table[:, :2], y=table[:, 2:])
        spec = REGRESSION.replace('csv("points.csv", target="z")', 'npz("points.npz")')
    write(here, spec=spec)
    assert train() == 1
    err = capsys.readouterr().err
    assert "ring.spec:9: `point` has 1e+300, too large for float32" in err
    assert "pass `--dtype float64`" in err
    assert not (here / "runs").exists()
    assert train(dtype="float64") == 1
    assert "the loss is not finite" in capsys.readouterr().err


def test_float32_is_asked_about_the_farthest_number() -> None:
    largest = float(np.finfo(np.float32).max)
    assert emitted.beyond_float32(np.array([[0.5, largest], [-largest, 0]])) is None
    assert emitted.beyond_float32(np.array([[0.5, 2], [-1e39, 1e38]])) == -1e39
    assert emitted.beyond_float32(np.zeros((0, 2))) is None


def test_less_than_one_whole_batch_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, spec=SPEC.replace("batch_size=10", "batch_size=61, drop_last=true"))
    assert train() == 1
    err = capsys.readouterr().err
    assert "ring.spec:10: `drop_last` drops all 60 training samples" in err
    assert "fewer than batch_size=61" in err
    assert not (here / "runs").exists()
    write(here, spec=SPEC.replace("batch_size=10", "batch_size=60, drop_last=true"))
    assert train(quiet=True) == 0


@pytest.mark.parametrize("device", ["warp", "meta", "hpu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_device_that_cannot_be_used_leaves_no_folder(
    device: str, dtype: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(device=device, dtype=dtype) == 2
    assert f"cannot use --device {device}: " in capsys.readouterr().err
    assert not (here / "runs").exists()


def test_missing_files_devices_and_permissions(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("nowhere.spec") == 2
    assert train(device="warp") == 2
    (here / "file").write_text("")
    assert train(out="file/run") == 2
    err = capsys.readouterr().err
    assert "nowhere.spec" in err and "--device warp" in err and "file" in err


def test_a_full_disk_is_said_plainly(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = os.replace

    def full(source: Any, target: Any) -> None:
        if str(target).endswith("history.csv") and Path(target).exists():
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    assert train() == 2
    assert "runs/ring: No space left on device; " in capsys.readouterr().err
    assert not list((here / "runs/ring").glob(".*.tmp"))


def test_a_disk_that_fills_up_while_drawing_loses_no_figures(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = seal.os.replace

    def full(temporary: Any, place: Any) -> None:
        if Path(place).name == "region.png":
            raise OSError(28, "No space left on device")
        real(temporary, place)

    monkeypatch.setattr(seal.os, "replace", full)
    assert train(quiet=True) == 2
    out, err = capsys.readouterr()
    assert "accuracy" in out and "3 of 3 epochs" in out
    assert err == f"error: {Path('runs/ring/region.png')}: No space left on device\n"
    left = {path.name for path in (here / "runs/ring").iterdir()}
    assert left == FILES - {"region.png"}


def test_the_command_is_reached_through_the_cli(here: Path) -> None:
    command = [sys.executable, "-m", "specc", "train", "ring.spec", "--epochs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 epochs" in done.stdout


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.spec")))
def test_every_example_trains(name: str, here: Path) -> None:
    assert train(str(EXAMPLES / f"{name}.spec"), epochs=1, quiet=True) == 0
    assert (here / "runs" / name / f"{name}.spec").is_file()


GOALS = [("iris", "accuracy", 0.9), ("digits", "accuracy", 0.93)]


@pytest.mark.parametrize(("name", "metric", "goal"), GOALS)
def test_examples_learn(name: str, metric: str, goal: float, here: Path) -> None:
    assert train(str(EXAMPLES / f"{name}.spec"), epochs=40, quiet=True) == 0
    last = rows(here / "runs" / name)[-1]
    assert float(last[f"val_{metric}"]) > goal


def test_progress_without_a_terminal_is_about_ten_lines() -> None:
    logs = {"epoch": 0, "lr": 0.1, "train_loss": 0.5, "val_loss": 0.25}
    stream = io.StringIO()
    with report.EpochProgress(200, quiet=False, stream=stream) as progress:
        for epoch in range(200):
            progress(epoch, logs)
    lines = stream.getvalue().splitlines()
    assert 10 <= len(lines) <= 11
    assert lines[-1] == "epoch 200/200: loss 0.5 / 0.25, lr 0.1"


@pytest.mark.parametrize("plain", [True, False])
def test_a_terminal_gets_a_bar_without_colour_where_refused(
    plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if plain:
        monkeypatch.setenv("NO_COLOR", "1")
    logs = {"lr": 0.1, "train_loss": 0.5, "train_accuracy": 0.75}
    stream = Terminal()
    with report.EpochProgress(4, quiet=False, stream=stream) as progress:
        progress(0, logs)
    text = stream.getvalue()
    assert "epoch 1/4" in text and "accuracy 75.00%" in text
    assert ("\x1b[38;" in text or "\x1b[35" in text) == (not plain)


def test_curves_have_a_log_scale_where_the_loss_falls_far() -> None:
    def drawn(ratio: float) -> bytes:
        history = [
            {"epoch": e, "lr": 0.1, "train_loss": ratio ** (-e / 9), "val_loss": np.nan}
            for e in range(10)
        ]
        return plots.curves(history, 9, "a")

    assert drawn(20) == drawn(20)
    assert drawn(20) != drawn(2000)


def test_history_is_written_as_it_is() -> None:
    assert run_folder.history_csv([]) == b"\n"
    rows = [{"epoch": 0, "lr": 0.1}, {"epoch": 1, "lr": 1e-17}]
    assert run_folder.history_csv(rows) == b"epoch,lr\n0,0.1\n1,1e-17\n"
