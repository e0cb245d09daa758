"""The command line: what goes where, exit codes, and that no input shows a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from specc.cli import compile as compile_module
from specc.cli import main
from specc.emit.seal import is_ours

ROOT = Path(__file__).resolve().parents[2]
GOOD = """model net
param width = 3
input point: real[2]
target label: real[1]
layers {
  linear(width)
  tanh
  linear(1)
}
loss mse
optimizer sgd(lr=0.1)
"""
BAD = GOOD.replace("linear(width)", "linear(width, weigth=zeros)").replace("mse", "mze")


def specc(*arguments, cwd, stdin="", **variables):
    """Run the command as a person does, from another folder than the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-m", "specc", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "net.spec").write_text(GOOD)
    (tmp_path / "bad.spec").write_text(BAD)
    return tmp_path


def test_files_of_c_are_written_together_or_not_at_all(folder):
    assert specc("compile", "net.spec", "--target", "c", cwd=folder).returncode == 0
    files = {path.name: path.read_text() for path in folder.glob("net.[pch]*")}
    assert set(files) == {"net.py", "net.c", "net.h"} and all(
        map(is_ours, files.values())
    )
    (folder / "net.c").write_text(files["net.c"] + "/* mine */\n")
    (folder / "net.spec").write_text(GOOD.replace("width = 3", "width = 4"))
    result = specc("compile", "net.spec", "--target", "c", cwd=folder)
    assert result.returncode == 2 and "net.c was edited by hand" in result.stderr
    assert (folder / "net.py").read_text() == files["net.py"]
    forced = specc("compile", "net.spec", "--target", "c", "--force", cwd=folder)
    assert forced.returncode == 0
    check = specc("compile", "net.spec", "--target", "c", "--check", cwd=folder)
    assert check.returncode == 0


def test_version(folder):
    result = specc("--version", cwd=folder)
    assert (result.returncode, result.stdout) == (0, f"specc {main.__version__}\n")


@pytest.mark.parametrize("arguments", [["-h"], ["check", "-h"], ["compile", "--help"]])
def test_help(folder, arguments):
    result = specc(*arguments, cwd=folder)
    assert result.returncode == 0 and "Usage: specc" in result.stdout


@pytest.mark.parametrize("name", main.commands.commands)
def test_every_command_has_an_example_and_says_what_each_option_does(name):
    command = main.commands.commands[name]
    assert command.epilog.startswith(f"Example: specc {name} ")
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert all(option.help.endswith(".") for option in options)


# check


def test_check_a_good_spec_says_nothing_on_stdout(folder):
    result = specc("check", "net.spec", cwd=folder)
    assert (result.returncode, result.stdout) == (0, "")


def test_check_prints_findings_on_stdout(folder):
    result = specc("check", "bad.spec", "net.spec", cwd=folder)
    assert result.returncode == 1
    assert "weigth" in result.stdout and "mze" in result.stdout
    assert "--> bad.spec:6:" in result.stdout
    assert "\x1b" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_check_json_is_one_object_a_line(folder):
    result = specc("check", "bad.spec", "--output-format", "json", cwd=folder)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(found) == 2
    for item in found:
        assert item["file"] == "bad.spec" and item["severity"] == "error"
        assert {"code", "message", "line", "column", "end_line", "end_column"} <= set(
            item
        )


@pytest.mark.parametrize(
    ("output_format", "start"), [("github", "::error "), ("concise", "bad.spec:6:")]
)
def test_check_other_formats(folder, output_format, start):
    result = specc("check", "bad.spec", "--output-format", output_format, cwd=folder)
    lines = result.stdout.splitlines()
    assert len(lines) == 2 and lines[0].startswith(start)


def test_check_reads_standard_input(folder):
    assert specc("check", "-", cwd=folder, stdin=GOOD).returncode == 0
    result = specc("check", "-", cwd=folder, stdin=BAD)
    assert result.returncode == 1 and "<stdin>:6:" in result.stdout


def test_overrides_reach_the_checker(folder):
    assert specc("check", "net.spec", "-D", "width=5", cwd=folder).returncode == 0
    result = specc("check", "net.spec", "-D", "wdith=5", cwd=folder)
    assert result.returncode == 1 and "wdith" in result.stdout


# compile


def test_compile_writes_beside_the_spec(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    result = specc("compile", str(folder / "net.spec"), cwd=elsewhere)
    text = (folder / "net.py").read_text()
    lines = text.count("\n")
    assert result.stderr == f"wrote {folder / 'net.py'} ({lines} lines)\n"
    assert (result.returncode, result.stdout) == (0, "")
    assert is_ours(text) and "`specc compile net.spec`" in text
    assert str(folder) not in text


def test_the_same_bytes_from_anywhere(folder):
    first = specc("compile", "net.spec", "--stdout", cwd=folder, PYTHONHASHSEED="1")
    second = specc(
        "compile",
        str(folder / "net.spec"),
        "--stdout",
        cwd=ROOT,
        PYTHONHASHSEED="2",
        LC_ALL="C",
        TZ="Asia/Tokyo",
    )
    assert first.stdout == second.stdout and is_ours(first.stdout)


def test_compile_twice_changes_nothing(folder):
    specc("compile", "net.spec", cwd=folder)
    before = (folder / "net.py").stat().st_mtime_ns
    result = specc("compile", "net.spec", cwd=folder)
    assert result.returncode == 0 and result.stderr.startswith("unchanged net.py")
    assert (folder / "net.py").stat().st_mtime_ns == before


def test_findings_stop_every_file(folder):
    result = specc("compile", "net.spec", "bad.spec", cwd=folder)
    assert (result.returncode, result.stdout) == (1, "")
    assert "weigth" in result.stderr
    assert sorted(os.listdir(folder)) == ["bad.spec", "net.spec"]


def test_compile_into_a_new_folder(folder):
    (folder / "two.spec").write_text(GOOD)
    result = specc("compile", "net.spec", "two.spec", "-o", "out/", cwd=folder)
    assert result.returncode == 0
    assert sorted(os.listdir(folder / "out")) == ["net.py", "two.py"]


def test_a_file_name_that_python_forbids_gives_way_to_the_model(folder):
    (folder / "my-net.spec").write_text(GOOD)
    assert specc("compile", "my-net.spec", cwd=folder).returncode == 0
    assert (folder / "net.py").exists()


def test_hand_edits_are_kept(folder):
    specc("compile", "net.spec", cwd=folder)
    edited = (folder / "net.py").read_text() + "# mine\n"
    (folder / "net.py").write_text(edited)
    result = specc("compile", "net.spec", cwd=folder)
    assert result.returncode == 2 and "edited by hand" in result.stderr
    assert (folder / "net.py").read_text() == edited
    assert specc("compile", "net.spec", "--force", cwd=folder).returncode == 0
    assert is_ours((folder / "net.py").read_text())


def test_check_and_diff_compare_with_the_disk(folder):
    stale = specc("compile", "net.spec", "--check", cwd=folder)
    assert stale.returncode == 1 and not (folder / "net.py").exists()
    specc("compile", "net.spec", cwd=folder)
    fresh = specc("compile", "net.spec", "--check", "--diff", cwd=folder)
    assert (fresh.returncode, fresh.stdout) == (0, "")
    (folder / "net.spec").write_text(GOOD.replace("lr=0.1", "lr=0.25"))
    changed = specc("compile", "net.spec", "--diff", cwd=folder)
    assert changed.returncode == 1 and "--- net.py (on disk)" in changed.stdout
    assert any(
        line.startswith("+") and "0.25" in line for line in changed.stdout.splitlines()
    )


def test_check_says_what_to_do_about_each_file(folder):
    def said():
        result = specc("compile", "net.spec", "--check", cwd=folder)
        assert (result.returncode, result.stdout) == (1, "")
        return result.stderr

    module = folder / "net.py"
    assert said() == "net.py is missing: run `specc compile`\n"
    specc("compile", "net.spec", cwd=folder)
    module.write_text(module.read_text() + "# mine\n")
    assert said() == "net.py was edited by hand: `--force` overwrites it\n"
    module.write_text("# mine\n")
    assert said() == "net.py was not written by specc: `--force` overwrites it\n"
    assert specc("compile", "net.spec", "--force", cwd=folder).returncode == 0
    (folder / "net.spec").write_text(GOOD.replace("lr=0.1", "lr=0.25"))
    assert said() == "net.py is out of date: run `specc compile`\n"


BEGINS = {
    "ast": "Tree\n  statements: ModelName(",
    "model": "model net\n",
    "ir": "program forward:",
    "grad": "program backward:",
    "opt": "tanh_backward(",
    "code": "# Generated by specc.",
}


@pytest.mark.parametrize("stage", BEGINS)
def test_every_stage_can_be_printed(folder, stage):
    result = specc("compile", "net.spec", "--emit", stage, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert BEGINS[stage] in result.stdout and "linear" in result.stdout
    assert ("class Model" in result.stdout) == (stage == "code")
    assert not (folder / "net.py").exists()


def test_another_target_is_recorded_and_compared_with(folder):
    arguments = ("compile", "net.spec", "--target", "numpy")
    assert specc(*arguments, cwd=folder).returncode == 0
    text = (folder / "net.py").read_text()
    assert "`specc compile net.spec --target numpy`" in " ".join(text.split())
    assert "import numpy as np" in text and "torch" not in imports(text)
    assert specc(*arguments, "--check", cwd=folder).returncode == 0
    result = specc("compile", "net.spec", "--diff", cwd=folder)
    assert result.returncode == 1 and "+import torch" in result.stdout
    opt = specc(*arguments, "--emit", "opt", cwd=folder)
    assert opt.returncode == 0 and "tanh_backward(" not in opt.stdout


def imports(text):
    return " ".join(line for line in text.splitlines() if "import " in line)


# wrong usage and I/O: 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compil", "net.spec"], "compile"),
        (["compile", "net.spec", "--stdot"], "--stdout"),
        (["compile"], "FILE"),
        (["compile", "net.spec", "--target", "fortran"], "torch"),
        (["compile", "net.spec", "--target", "nunpy"], "Did you mean `numpy`?"),
        (["compile", "net.spec", "-D", "width"], "name=value"),
        (["compile", "net.spec", "-D", "width=1", "-D", "width=2"], "given twice"),
        (["compile", "net.spec", "net.spec"], "given twice"),
        (["compile", "-"], "-o PATH or --stdout"),
        (["compile", "net.spec", "-o", "net.spec"], "not a Python file"),
        (["compile", "net.spec", "-o", "a.py", "--stdout"], "write no file"),
        (
            ["compile", "net.spec", "two.spec", "-o", "a.py"],
            "both the module of net.spec",
        ),
        (["compile", "net.spec", "two.spec", "--stdout"], "one FILE"),
        (["compile", "as_code.py"], "the spec as_code.py"),
        (["compile", "missing.spec"], "missing.spec"),
        (["check", "missing.spec"], "missing.spec"),
        (["check", "."], "."),
        (["check", "binary.spec"], "binary.spec"),
        (["compile", "net.spec", "-o", "gone/net.py"], "gone/net.py"),
        (["train"], "FILE"),
    ],
)
def test_wrong_usage_is_said_in_words(folder, arguments, says):
    (folder / "two.spec").write_text(GOOD)
    (folder / "as_code.py").write_text(GOOD)
    (folder / "binary.spec").write_bytes(b"\xff\xfe model \x00")
    before = sorted(os.listdir(folder))
    result = specc(*arguments, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert says in result.stderr and "Traceback" not in result.stderr
    assert sorted(os.listdir(folder)) == before


def test_a_refusing_disk_is_said_in_words(folder):
    (folder / "net.py").mkdir()
    result = specc("compile", "net.spec", cwd=folder)
    assert result.returncode == 2 and "net.py is a folder" in result.stderr
    assert "Traceback" not in result.stderr


# bugs, interrupts, terminals


def test_a_bug_says_how_to_report_it(folder, monkeypatch, capsys):
    def broken(_files):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(compile_module, "read_all", broken)
    assert main.main(["check", "net.spec"]) == 70
    said = capsys.readouterr().err
    assert "bug in specc" in said and "SPECC_DEBUG=1" in said
    assert "Traceback" not in said
    monkeypatch.setenv("SPECC_DEBUG", "1")
    assert main.main(["check", "net.spec"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_exits_130(folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "specc", "check", "-"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    time.sleep(1.5)  # it now waits for its input
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.wait(30) == 130
    assert b"Traceback" not in process.stderr.read()
    process.communicate()


def test_a_closed_pipe_is_no_error(folder):
    command = f"{sys.executable} -m specc compile {folder}/net.spec --stdout | head -1"
    result = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True
    )
    assert result.stdout.startswith("# Generated by specc")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("variables", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_color_on_a_terminal_only(folder, monkeypatch, variables, colored):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    environment |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", **variables}
    subprocess.run(
        [sys.executable, "-m", "specc", "check", "bad.spec"],
        cwd=folder,
        stdout=theirs,
        env=environment,
        timeout=60,
    )
    os.close(theirs)
    said = os.read(ours, 65536)
    os.close(ours)
    assert b"weigth" in said and (b"\x1b[" in said) == colored


# training


def test_train_hands_over_what_was_given(monkeypatch):
    from types import ModuleType

    calls = []
    fake = ModuleType("specc.cli.train")
    fake.train_command = lambda *given: calls.append(given) or 0
    fake.resume_command = lambda *given: calls.append(given) or 0
    monkeypatch.setitem(sys.modules, "specc.cli.train", fake)
    words = "net.spec -D width=5 --out runs --seed 3 --epochs 2 --dtype float64 --quiet"
    assert main.main(["train", *words.split()]) == 0
    assert main.main(["train", "--resume", "runs"]) == 0
    train = ("net.spec", {"width": "5"}, "runs", 3, 2, "cpu", "float64", True)
    assert calls == [train, ("runs", False)]


# where things go


@pytest.mark.parametrize(
    ("spec", "given", "path"),
    [
        ("a/net.spec", None, "a/net.py"),
        ("a/my net.spec", None, "a/model.py"),
        ("a/class.spec", None, "a/model.py"),
        ("-", "b/", "b/model.py"),
        ("a/net.spec", "b/", "b/net.py"),
        ("a/net.spec", "b/c.py", "b/c.py"),
    ],
)
def test_destinations(spec, given, path):
    from specc.cli.destinations import destinations

    assert destinations({spec: "model"}, given) == {spec: Path(path)}


def test_the_recorded_command_is_harmless():
    from specc.cli.destinations import recorded_command

    said = recorded_command('a/"""\n{{x}}\\é.spec', {"b": "2", "a": "#'"}, "torch")
    assert said == "specc compile ______x____.spec -D a=__ -D b=2"
