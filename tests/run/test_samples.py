"""Digits of the samples that a run must not lose, and the warning where it does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specc.cli.train import train_command

SPEC = """
model clock
input x: real[2]
target y: real[1]
layers { STANDARDIZE linear(8) tanh linear(1) }
loss mse
optimizer adam(lr=0.03)
train(epochs=100, batch_size=16)
metric r2
data csv("times.csv", target="y", validation=0.2)
"""


def run(folder: Path, spec: str, **chosen: Any) -> int:
    (folder / "clock.spec").write_text(spec)
    given: dict[str, Any] = dict.fromkeys(["out", "seed", "epochs"])
    given |= {"device": "cpu", "dtype": "float32", "quiet": True}
    return train_command(str(folder / "clock.spec"), {}, **{**given, **chosen})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with 218 seconds of 2023."""
    monkeypatch.chdir(tmp_path)
    lines = [
        f"{1_700_000_000 + i},{math.cos(i):.6f},{math.sin(i / 40):.6f}"
        for i in range(218)
    ]
    (tmp_path / "times.csv").write_text("\n".join(["when,other,y", *lines, ""]))
    return tmp_path


def test_times_are_standardized_before_they_are_rounded(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(here, SPEC.replace("STANDARDIZE", "standardize"), quiet=False) == 0
    out, err = capsys.readouterr()
    assert "warning" not in err
    (row,) = (line for line in out.splitlines() if line.startswith("r2 "))
    assert min(map(float, row.split()[1:])) > 0.99, out


def test_values_that_become_equal_are_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = SPEC.replace("STANDARDIZE", "")
    assert run(here, spec, epochs=2) == 0
    err = capsys.readouterr().err
    assert (
        "column 'when': 174 different values become" in err and "`standardize`" in err
    )
    assert "other" not in err
    assert run(here, spec, epochs=2, dtype="float64") == 0
    assert "warning" not in capsys.readouterr().err


def test_targets_that_become_equal_are_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = SPEC.replace("STANDARDIZE", "standardize").replace('"y"', '"when"')
    assert run(here, spec, epochs=2) == 0
    err = capsys.readouterr().err
    assert (
        "y[0]: 174 different values become 3 in float32; pass `--dtype float64`" in err
    )


LABELS = """
model labels
input x: real[1]
target y: real[1]
layers { linear(1) sigmoid }
loss binary_cross_entropy
optimizer sgd(lr=0.1)
train(epochs=1, batch_size=8)
"""


def test_labels_outside_of_the_loss_are_refused_with_their_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the rows that `specc check` reads, and in those behind them."""
    good = "".join(f"{i},{i % 2}\n" for i in range(1500))
    spec = LABELS + 'data csv("labels.csv", target="label")\n'
    for text, line in ((f"{good}7,-1\n", 1502), (f"7,-1\n{good}", 2)):
        (here / "labels.csv").write_text("x,label\n" + text)
        assert run(here, spec) == 1
        err = capsys.readouterr().err
        assert f"line {line}, column 'label': '-1' is not from 0 to 1" in err
        assert "map labels such as -1 and 1 to 0 and 1" in err


def test_labels_of_an_archive_are_refused_with_their_place(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.arange(40.0).reshape(-1, 1) % 2
    labels[17] = 2
    np.savez(here / "labels.npz", x=labels, y=labels)
    assert run(here, LABELS + 'data npz("labels.npz")\n') == 1
    assert "2 at [17, 0] is not from 0 to 1" in capsys.readouterr().err


def test_a_metric_that_tells_nothing_apart_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{i},{1 + i % 2}\n" for i in range(40))
    (here / "labels.csv").write_text("x,label\n" + rows)
    spec = LABELS.replace("sigmoid }", "}").replace("binary_cross_entropy", "mse")
    spec += 'metric accuracy\ndata csv("labels.csv", target="label")\n'
    assert run(here, spec) == 0
    assert "all 32 training targets of `y` are above it" in capsys.readouterr().err
    assert run(here, spec.replace("accuracy", "accuracy(threshold=1.0)")) == 0
    assert "warning" not in capsys.readouterr().err
