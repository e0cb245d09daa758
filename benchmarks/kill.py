"""Kills what writes files, at random moments and at chosen system calls; looks at what is left.

Each round starts a process, ends it with SIGKILL, starts it again, and compares the result with
that of a process that nobody killed. Half of the kills are aimed at a system call that writes,
through strace where it is installed. Prints for each kind how many were tried, how many were lost
(a result that differs, or a second start that fails), and how many files were left behind.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emitting import emitted

ROOT = Path(__file__).resolve().parent.parent
DISK = (ROOT / "examples" / "disk.spec").read_text()
CALLS = "openat", "write", "fsync", "rename", "unlink"
"""System calls at which a process is killed."""
FIT = """
import sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {folder!r})
import disk, numpy as np
x = np.random.default_rng(0).random((200, 2)).astype("float32")
y = (x.sum(1, keepdims=True) > 1).astype("float32")
if {target!r} == "torch":
    import torch
    torch.set_num_threads(1)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
model = disk.Model()
model.fit(x, y, x, y, epochs=40, checkpoint="run.safetensors", resume=True)
print(np.asarray(model.flat_parameters).tobytes().hex())
"""
BUILD = """
import sys
sys.path.insert(0, {folder!r})
import disk, numpy as np
print(disk.Model().predict(np.full((3, 2), 0.3, np.float32)).tobytes().hex())
"""
NARROW, WIDE = "width = 25", "width = 50"


@dataclass
class Kind:
    """Something that is killed: what runs, and what it leaves if it may end."""

    name: str
    command: Callable[[Path], list[str]]
    result: Callable[[Path, str], str]
    """The folder and what the process printed -> what has to be the same."""
    before: Callable[[Path], None] = lambda folder: None
    strays: Callable[[Path], list[str]] = lambda folder: strays_in(folder)
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    left: int = 0


def strays_in(folder: Path) -> list[str]:
    """Name the temporary files below a folder."""
    return [str(path) for path in folder.rglob("*.tmp")]


def main() -> int:
    """Kill each kind so many times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where to write, such as a small tmpfs")
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    if not shutil.which("strace"):
        print("strace is not installed: all kills come at random moments")
    found = list(kinds())
    for kind in found:
        rounds(kind, asked.kills // len(found), draw, asked.folder)
        print(
            f"{kind.name:<24} {kind.tried:>4} killed, {len(kind.lost)} lost,"
            f" {kind.left} files left",
            flush=True,
        )
        for reason in kind.lost[:3]:
            print(f"    {reason}")
    return int(any(kind.lost or kind.left for kind in found))


def kinds() -> Iterator[Kind]:
    """Yield what is killed."""
    for target in ("torch", "numpy", "c"):
        module = emitted(DISK, "disk", target)
        home = str(Path(module.__file__).parent)
        script = FIT.format(folder=home, target=target)
        if target == "c":
            module.Model()  # builds the library, which another kind is about
        yield Kind(
            f"fit(checkpoint), {target}",
            lambda folder, script=script: [sys.executable, "-B", "-c", script],
            lambda folder, said: said,
        )
    compiling = [sys.executable, "-m", "specc", "compile", "disk.spec", "-o", "out/"]
    yield Kind(
        "specc compile, C",
        lambda folder: [*compiling, "--target", "c"],
        lambda folder, said: digest(folder / "out"),
        compiled_before,
    )
    yield Kind(
        "first build of a library",
        lambda folder: [
            sys.executable,
            "-B",
            "-c",
            BUILD.format(folder=str(Path(emitted(DISK, "disk", "c").__file__).parent)),
        ],
        lambda folder, said: said,
    )
    yield Kind(
        "specc train",
        trained,
        lambda folder, said: digest(folder / "run", "model.safetensors"),
        lambda folder: (folder / "disk.spec").write_text(SHORT) and None,
    )


SHORT = DISK.replace("epochs=200", "epochs=8").replace("train=1000", "train=300")


def trained(folder: Path) -> list[str]:
    """Begin a run, or go on with the one that was killed, unless it was finished."""
    train = [sys.executable, "-m", "specc", "train", "--quiet"]
    record = folder / "run" / "run.json"
    if record.exists():
        finished = json.loads(record.read_text())["finished"]
        return [sys.executable, "-c", ""] if finished else [*train, "--resume", "run"]
    return [*train, "disk.spec", "--out", "run"]


def compiled_before(folder: Path) -> None:
    """Write another compilation, and the spec of the next."""
    spec = folder / "disk.spec"
    for text in (DISK.replace(NARROW, WIDE), DISK):
        spec.write_text(text)
        if text != DISK:
            command = [sys.executable, "-m", "specc", "compile", "disk.spec"]
            run([*command, "--target", "c", "-o", "out/"], folder)


def digest(folder: Path, pattern: str = "*.*") -> str:
    """Hash the files of a folder, by name."""
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    parts = [path.name.encode() + path.read_bytes() for path in paths]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def rounds(kind: Kind, count: int, draw: random.Random, place: str | None) -> None:
    """Kill one kind, and compare what is left."""
    with tempfile.TemporaryDirectory(dir=place) as home:
        whole = Path(home) / "whole"
        whole.mkdir()
        kind.before(whole)
        start = time.perf_counter()
        done = run(kind.command(whole), whole)
        seconds = time.perf_counter() - start
        assert done.returncode == 0, done.stderr
        right = kind.result(whole, done.stdout)
        for number in range(count):
            folder = Path(home) / f"{number}"
            folder.mkdir()
            kind.before(folder)
            kill(kind.command(folder), folder, seconds, draw)
            again = run(kind.command(folder), folder)
            kind.tried += 1
            if again.returncode:
                kind.lost.append((again.stderr.strip().splitlines() or ["?"])[-1])
            elif kind.result(folder, again.stdout) != right:
                kind.lost.append("the result differs")
            kind.left += len(kind.strays(folder))
            shutil.rmtree(folder)


def kill(command: list[str], folder: Path, seconds: float, draw: random.Random) -> None:
    """Start a process and end it by SIGKILL, at a moment or at a system call."""
    if shutil.which("strace") and draw.random() < 0.5:
        call, number = draw.choice(CALLS), int(10 ** draw.uniform(0, 2.5))
        inject = f"inject={call}:signal=KILL:when={number}"
        run(["strace", "-f", "-qq", "-o", os.devnull, "-e", inject, *command], folder)
        return
    process = subprocess.Popen(
        command, cwd=folder, env=environment(folder), **quiet(), start_new_session=True
    )
    time.sleep(draw.uniform(0, seconds))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def quiet() -> dict[str, int]:
    """Throw away what a process prints."""
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def environment(folder: Path) -> dict[str, str]:
    """Give each folder a cache of its own, and the package of this checkout."""
    own = {"SPECC_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    return {**os.environ, **own, "OMP_NUM_THREADS": "1"}


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True
    )


if __name__ == "__main__":
    sys.exit(main())
