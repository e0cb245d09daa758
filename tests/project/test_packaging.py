"""The wheel holds what it needs and nothing else, and compiles away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from specc.emit.seal import is_ours
from specc.syntax.resources import folder

ROOT = Path(__file__).resolve().parents[2]
SPEC = """model net
input point: real[2]
target label: real[1]
layers { linear(3) tanh linear(1) }
loss mse
optimizer sgd(lr=0.1)
"""


def run(*command, cwd, **variables):
    """Run a command without the checkout on its path."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment | variables,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from the checkout with what is installed here."""
    place = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    run(*build, "--outdir", place, ROOT, cwd=place)
    (path,) = place.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Give the Python of a venv with the wheel; its dependencies are those of this one."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, with_pip=False, symlinks=os.name == "posix")
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install"]
    run(*pip, "--no-deps", "--no-index", wheel, cwd=place)
    purelib = run(
        python, "-c", "import site; print(*site.getsitepackages())", cwd=place
    )
    here = sysconfig.get_path("purelib")
    Path(purelib.strip(), "dependencies.pth").write_text(f"{here}\n")
    return python


def files_of_the_checkout(*folders):
    """What git tracks there, and what it would if it were added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = run(*command, "--", *folders, cwd=ROOT).splitlines()
    return {name for name in names if (ROOT / name).is_file()}


def test_the_wheel_holds_the_package_and_its_data(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    data = files_of_the_checkout("grammar", "templates")
    assert {name.split("/")[0] for name in data} == {"grammar", "templates"}
    package = files_of_the_checkout("specc")
    assert "specc/py.typed" in package
    assert names == package | {f"specc/{name}" for name in data}


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
        (license_file,) = (n for n in archive.namelist() if n.endswith("/LICENSE"))
        assert "the specc authors" in archive.read(license_file).decode()
    from specc import __version__

    assert metadata["Name"] == "netspecc" and metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"


def test_torch_is_an_extra(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    required = metadata.get_all("Requires-Dist")
    by_torch = [line for line in required if line.startswith("torch")]
    extras = ("bench", "dev", "torch")
    assert by_torch == [f"torch>=2.10; extra == '{extra}'" for extra in extras]
    for package in ("numpy", "safetensors", "matplotlib"):
        assert any(line.startswith(package) and ";" not in line for line in required)


def test_an_installed_wheel_compiles_elsewhere(installed, tmp_path):
    (tmp_path / "net.spec").write_text(SPEC)
    where = run(installed, "-c", "import specc; print(specc.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent.parent)
    run(installed.with_name("specc"), "compile", "net.spec", cwd=tmp_path)
    emitted = (tmp_path / "net.py").read_text()
    assert is_ours(emitted)
    checkout = [
        sys.executable,
        "-m",
        "specc",
        "compile",
        tmp_path / "net.spec",
        "--stdout",
    ]
    assert run(*checkout, cwd=ROOT) == emitted


def test_a_wheel_that_is_not_unpacked_compiles_too(wheel, tmp_path):
    (tmp_path / "net.spec").write_text(SPEC)
    command = [sys.executable, "-m", "specc", "compile", "net.spec"]
    run(*command, cwd=tmp_path, PYTHONPATH=str(wheel))
    assert is_ours((tmp_path / "net.py").read_text())


def test_a_data_folder_that_is_missing_is_named():
    assert folder("grammar").is_dir()
    with pytest.raises(FileNotFoundError, match="`gramar` is missing"):
        folder("gramar")


def test_constraints_pin_every_dependency():
    """A dependency without a pin would make two installations differ."""
    import tomllib

    pins = {
        line.split("==")[0].lower()
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + extras["torch"] + extras["dev"]
    wanted.remove("netspecc[torch]")
    names = {requirement.split(">")[0].split("~")[0].lower() for requirement in wanted}
    assert names <= pins
