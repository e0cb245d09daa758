"""Text of data files and paths is shown as text: nothing in it acts on a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from specc.cli.main import main
from specc.cli.terminal import FORMATS
from tests.fuzz.files import ACTS

ESCAPE = "\x1b]0;title\x07\x1b[31m"
SPEC = """model net
input x: real[2]
target y: {target}
layers {{ linear({outputs}) }}
loss {loss}
optimizer sgd(lr=0.1)
train(epochs=1, batch_size=8)
data csv("{file}", target="y")
"""


def written(
    folder: Path, header: str, labels: list[str], file: str = "d.csv", classes=True
) -> str:
    """Write a table and its spec; return the path of the spec."""
    rows = "".join(f"{k / 20},{k % 7},{labels[k % len(labels)]}\n" for k in range(20))
    (folder / file).write_text(f"{header}\n{rows}")
    target, outputs, loss = ("int[]", 2, "cross_entropy")
    if not classes:
        target, outputs, loss = ("real[1]", 1, "mse")
    path = folder / "net.spec"
    path.write_text(
        SPEC.format(target=target, outputs=outputs, loss=loss, file=file),
        encoding="utf-8",
    )
    return str(path)


@pytest.mark.parametrize("name", ["$x^$", ESCAPE, "b\u202egnp", "_a", "l" * 5000])
def test_names_of_classes_and_columns_are_text(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, f"{name},b,y", [name, "other"])
    assert main(["check", path]) == 0
    assert main(["train", path, "--out", str(tmp_path / "run")]) == 0
    out, err = capfd.readouterr()
    assert not ACTS.search(out + err)
    assert "Warning" not in err and max(map(len, err.splitlines())) < 300
    assert (tmp_path / "run" / "region.png").is_file()


@pytest.mark.parametrize("output_format", FORMATS)
def test_errors_about_cells_are_text(
    output_format: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cells = [f"{ESCAPE}%0A::warning::x\u2028", "1"]
    path = written(tmp_path, f"{ESCAPE},b,y", cells, classes=False)
    assert main(["check", path, "--output-format", output_format]) == 1
    assert main(["train", path]) == 1
    out, err = capfd.readouterr()
    assert not ACTS.search(out + err)
    if output_format == "github":
        (line,) = out.splitlines()
        assert line.startswith("::error ") and line.count("::") == 4
        assert "%250A::warning" in line
    if output_format == "json":
        assert json.loads(out)["code"] == "E037"


def test_a_text_column_is_one_error_with_a_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "a,b,y", ["1", "one", "two"], classes=False)
    assert main(["check", path, "--output-format", "concise"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert "line 3 of 'd.csv', column 'y': 'one' is not a number" in line
    assert line.endswith(", and so in 12 more rows")


def test_paths_and_arguments_are_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, "a,b,y", ["0", "1"])
    odd = f"{ESCAPE}.spec"
    os.rename(path, tmp_path / odd)
    for arguments in (
        ["check", odd],
        ["check", f"no{odd}"],
        ["check", odd, "-D", odd],
        ["compile", odd, "-o", odd],
        ["train", odd, "--out", f"run{ESCAPE}", "--epochs", "1"],
        ["verify", odd, "--module", odd],
        ["explain", odd, odd],
        ["list", odd],
        [odd],
    ):
        assert main(arguments) in (0, 1, 2)
    out, err = capfd.readouterr()
    assert not ACTS.search(out + err)


@pytest.mark.parametrize("command", ["check", "compile", "train", "verify", "explain"])
@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "folder"])
def test_a_spec_that_is_no_file_is_refused_at_once(
    command: str, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / kind.strip("/")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path(kind)
    assert main([command, str(path)]) == 2
    reason = "it is a folder, not a file" if kind == "folder" else "not a regular file"
    assert reason in capfd.readouterr().err


def test_standard_input_and_what_a_shell_opens_are_read(tmp_path: Path) -> None:
    text = "model net\ninput x: real[2]\ntarget y: real[1]\nlayers { linear(1) }\n"
    text += "loss mse\noptimizer sgd(lr=0.1)\n"
    specc = [sys.executable, "-m", "specc", "check"]
    for name in ("-", "/dev/stdin", "/dev/fd/0"):
        done = subprocess.run(
            [*specc, name], input=text, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr


def test_a_wide_table_is_checked_in_linear_time(tmp_path: Path) -> None:
    count = 100_000
    names = ",".join(f"c{place}" for place in range(count))
    rows = ("1," * count + "2\n") * 3
    (tmp_path / "d.csv").write_text(f"{names},y\n{rows}")
    path = tmp_path / "net.spec"
    text = SPEC.format(target="real[1]", outputs=1, loss="mse", file="d.csv")
    text = text.replace("real[2]", f"real[{count}]", 1)
    path.write_text(text.replace('"y")', '"y", validation=1)'))
    begun = time.process_time()
    assert main(["check", str(path)]) == 0
    assert time.process_time() - begun < 5


def test_a_difference_is_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "a,b,y", ["0", "1"])
    (tmp_path / "net.py").write_text(f"# {ESCAPE}\n")
    assert main(["compile", path, "--diff"]) == 1
    assert not ACTS.search(capfd.readouterr().out)
