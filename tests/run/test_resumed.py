"""A run that was cut short goes on from its folder, as if nothing had stopped it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from specc.cli.main import main
from specc.run import folder as run_folder
from specc.run import progress, train
from tests.cases.modules import ROOT

SPEC = """model net
input x: real[2]
target y: real[1]
layers { linear(4) relu linear(1) }
loss mse
optimizer sgd(lr=0.1, momentum=0.5)
schedule cosine
early_stopping(monitor=val_loss, patience=30)
train(epochs=12, batch_size=8, seed=0)
data csv("data.csv", target="y", validation=0.2)
"""


@pytest.fixture()
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with a spec and its data, where each epoch is saved."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0.0)
    rows = [f"{i % 7},{i % 5},{(i % 7) * (i % 5) / 10}" for i in range(60)]
    Path("data.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    Path("net.spec").write_text(SPEC)
    return tmp_path


def cut_short(monkeypatch: pytest.MonkeyPatch, out: str, epochs: int = 5) -> int:
    """Train until Ctrl-C comes after some epochs; return the exit code."""
    shown = progress.EpochProgress.__call__

    def told(self: Any, epoch: int, logs: Any) -> None:
        shown(self, epoch, logs)
        if epoch == epochs - 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(progress.EpochProgress, "__call__", told)
        return main(["train", "net.spec", "--out", out, "--quiet"])


def result(out: str) -> tuple[bytes, list[str]]:
    """Return the weights and the history, but for the seconds, of a run."""
    rows = (Path(out) / run_folder.HISTORY).read_text().splitlines()
    weights = (Path(out) / run_folder.WEIGHTS).read_bytes()
    return weights, [row.rpartition(",")[0] for row in rows]


def test_going_on_is_not_stopping(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["train", "net.spec", "--out", "whole", "--quiet"]) == 0
    assert cut_short(monkeypatch, "cut") == 130
    assert (Path("cut") / run_folder.CHECKPOINT).is_file()
    assert result("cut") != result("whole")
    assert main(["train", "--resume", "cut", "--quiet"]) == 0
    assert result("cut") == result("whole")
    assert sorted(os.listdir("cut")) == sorted(os.listdir("whole"))


def test_a_run_cut_before_its_first_checkpoint_begins_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 60.0)
    assert main(["train", "net.spec", "--out", "whole", "--quiet"]) == 0
    cut_short(monkeypatch, "cut")
    assert not (Path("cut") / run_folder.CHECKPOINT).exists()
    assert main(["train", "--resume", "cut", "--quiet"]) == 0
    assert result("cut") == result("whole")


def changed(name: str, old: str, new: str) -> None:
    """Change a file of the run, or its data."""
    path = Path(name)
    path.write_text(path.read_text().replace(old, new, 1))


REFUSED = {
    "finished": (lambda: main(["train", "--resume", "cut", "--quiet"]), "is finished"),
    "data": (lambda: changed("data.csv", "0,0,0.0", "0,0,0.5"), "samples_sha256"),
    "spec": (lambda: changed("cut/net.spec", "lr=0.1", "lr=0.2"), "is not what this"),
    "module": (lambda: changed("cut/net.py", "def mse", "def  mse"), "is not what"),
    "record": (
        lambda: changed("cut/run.json", '"version": 1', '"version": 9'),
        "not o",
    ),
    "no record": (lambda: (place_of("run.json").unlink()), "no run.json"),
    "damaged": (lambda: changed("cut/run.json", '"seed"', '"seat"'), "is damaged"),
}


def place_of(name: str) -> Path:
    """Return a file of the run."""
    return Path("cut") / name


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_belong_is_refused(
    place: Path, case: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    change, told = REFUSED[case]
    cut_short(monkeypatch, "cut")
    change()
    capsys.readouterr()
    assert main(["train", "--resume", "cut", "--quiet"]) in (1, 2)
    assert told in capsys.readouterr().err


def test_a_folder_in_use_is_refused(place: Path, capsys: Any) -> None:
    holder = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from specc.run.lock import held
with held(Path("run")):
    print("held", flush=True)
    sys.stdin.read()
"""
    assert main(["train", "net.spec", "--out", "run", "--quiet"]) == 0
    before = result("run")
    process = subprocess.Popen(
        [sys.executable, "-c", holder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    capsys.readouterr()
    assert main(["train", "net.spec", "--out", "run", "--quiet"]) == 2
    assert f"run is in use by process {process.pid}" in capsys.readouterr().err
    process.kill()
    process.wait()
    assert result("run") == before
    assert main(["train", "net.spec", "--out", "run", "--quiet"]) == 0
    assert result("run") == before


def test_the_record_says_how_the_run_was_begun(place: Path) -> None:
    main(["train", "net.spec", "--out", "run", "--quiet", "--epochs", "3"])
    record = json.loads((Path("run") / run_folder.RECORD).read_text())
    assert record["epochs"] == 3 and record["finished"] is True
    assert record["spec"] == "net.spec" and record["data_folder"] == str(place)


DAMAGES: dict[str, list[object]] = {
    "source": [None],
    "overrides": [[1], {"n": 3}],
    "seed": ["x", True],
    "dtype": ["int8", {}],
    "stem": [4],
    "finished": ["no"],
}


def test_a_damaged_record_is_named(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    cut_short(monkeypatch, "a", 1)
    record = Path("a") / run_folder.RECORD
    facts = json.loads(record.read_text())
    for name, values in DAMAGES.items():
        for value in values:
            record.write_text(json.dumps(facts | {name: value}))
            assert main(["train", "--resume", "a", "--quiet"]) == 2
            assert "run.json is damaged" in capsys.readouterr().err


def test_what_the_folder_does_not_take_is_saved_elsewhere(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def remove(self: Any, epoch: int, logs: Any) -> None:
        shutil.rmtree("a", ignore_errors=True)

    monkeypatch.setattr(progress.EpochProgress, "__call__", remove)
    with pytest.warns(RuntimeWarning, match="training goes on"):
        assert main(["train", "net.spec", "--out", "a", "--quiet"]) == 2
    refuge = Path(capsys.readouterr().err.split()[-1])
    assert set(os.listdir(refuge)) == {run_folder.WEIGHTS, run_folder.HISTORY}
    shutil.rmtree(refuge)


def test_files_of_others_are_no_run(place: Path, capsys: Any) -> None:
    Path("mine").mkdir()
    for name in (run_folder.RECORD, run_folder.LOCK, run_folder.WEIGHTS, "notes.txt"):
        (Path("mine") / name).write_text(name)
    assert main(["train", "net.spec", "--out", "mine", "--quiet"]) == 2
    assert "is not the folder of a run" in capsys.readouterr().err
    assert (Path("mine") / run_folder.WEIGHTS).read_text() == run_folder.WEIGHTS


def test_a_run_that_was_killed_as_it_began_can_begin_again(place: Path) -> None:
    Path("run").mkdir()
    for name in (run_folder.LOCK, run_folder.HISTORY, ".net.py.1-0a1b2c3d.tmp"):
        (Path("run") / name).write_text("")
    assert main(["train", "net.spec", "--out", "run", "--quiet"]) == 0
