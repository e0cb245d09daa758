"""Trains random specs, kills them at random moments, and resumes them, for some minutes.

Each spec is drawn from the whole language and compiled for a target. One process trains it to its
end. Another begins the same run with a checkpoint, is ended by SIGKILL up to five times, goes on
each time, and has to come to the same parameters and the same history, bit for bit. Prints how many
specs were tried, how many kills that took, and how many runs came to something else.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TARGETS = ("torch", "numpy", "c")
TRAINING = """
import hashlib, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
sys.path.insert(0, {folder!r})
import net
if hasattr(net, "FLAGS"):
    net.FLAGS = tuple("-O1" if flag == "-O3" else flag for flag in net.FLAGS)
draw = np.random.default_rng(0)
def samples(count):
    x = draw.random((count, *net.INPUT_SHAPE)).astype(np.float32)
    y = draw.random((count, *net.TARGET_SHAPE)).round().astype(np.float32)
    if hasattr(net, "check_classes"):
        y = draw.integers(net.OUTPUT_SHAPE[-1], size=(count, *net.TARGET_SHAPE))
    return x, y
data = *samples(40), *samples(12)
if {target!r} == "torch":
    import torch
    torch.set_num_threads(1)
    data = [torch.from_numpy(each) for each in data]
model = net.Model()
history = model.fit(*data, epochs=300, **{given})
told = [repr(float(v)) for logs in history for name, v in logs.items() if name != "seconds"]
outcome = {{name: v for name, v in vars(history).items() if name != "seconds"}}
state = b"".join(np.asarray(v).tobytes() for v in model.state_dict().values())
print(hashlib.sha256(state + repr((told, outcome)).encode()).hexdigest())
"""


def texts(seed: int) -> Iterator[str]:
    """Yield random specs, without end."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    from tests.fuzz.random_specs import Spec, specs

    while True:
        drawn: list[str] = []

        @seeded(seed)
        @settings(
            max_examples=100,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(specs())
        def draw(spec: Spec) -> None:
            drawn.append(spec.text)  # noqa: B023 (called at once)

        draw()
        yield from drawn
        seed += 1


def written(text: str, target: str, folder: Path) -> bool:
    """Compile a spec into a folder; False if the target does not have all of it."""
    from specc.compiler import Request, compile_source
    from specc.syntax.source import Source

    made = compile_source(Source("net.spec", text), Request(target=target, stem="net"))
    for ending, part in {".py": made.text, **made.beside}.items():
        if part is not None:
            (folder / f"net{ending}").write_text(part)
    return made.text is not None


def script(folder: Path, target: str, given: str) -> list[str]:
    """Return the command that trains, with these arguments of `fit`."""
    code = TRAINING.format(folder=str(folder), target=target, given=given)
    return [sys.executable, "-B", "-c", code]


def killed(command: list[str], seconds: float, folder: Path) -> bool:
    """Start a process and end it after some seconds; False if it was at its end before."""
    process = subprocess.Popen(
        command,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def environment(folder: Path) -> dict[str, str]:
    """Give a run a cache of its own, and one thread."""
    return {**os.environ, "SPECC_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}


def run(command: list[str], folder: Path) -> str:
    """Run a process to its end; return what it prints, or the last line of its error."""
    done = subprocess.run(
        command, env=environment(folder), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return "error: " + (done.stderr.strip().splitlines() or ["?"])[-1]
    return done.stdout.strip()


def main() -> int:
    """Try specs for some minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    end = time.monotonic() + 60 * asked.minutes
    counts = dict.fromkeys(TARGETS, 0)
    kills = refused = left = 0
    lost: list[str] = []
    for text in texts(asked.seed):
        if time.monotonic() > end:
            break
        target = draw.choice(TARGETS)
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home)
            if not written(text, target, folder):
                continue
            start = time.monotonic()
            right = run(script(folder, target, "{}"), folder)
            seconds = time.monotonic() - start
            if right.startswith("error"):  # such as a batch norm that gets one sample
                refused += 1
                continue
            path = str(folder / "run")
            command = script(folder, target, repr({"checkpoint": path, "resume": True}))
            for _ in range(draw.randint(1, 5)):
                kills += killed(command, draw.uniform(0.2, 1.2) * seconds, folder)
            found = run(command, folder)
            counts[target] += 1
            left += len(list(folder.glob("*.tmp")))
            if found != right:
                lost.append(f"{target}: {found} for {right}")
                shutil.copytree(
                    folder, Path(tempfile.gettempdir()) / f"soak{len(lost)}"
                )
                print(lost[-1], flush=True)
    tried = ", ".join(f"{count} {target}" for target, count in counts.items())
    print(
        f"{sum(counts.values())} specs ({tried}), {kills} kills: {len(lost)} runs differ,"
        f" {left} files left; {refused} specs do not train on these samples"
    )
    return int(bool(lost or left))


if __name__ == "__main__":
    sys.exit(main())
