"""The check of memory errors and undefined behaviour in C, by the sanitizers of gcc.

`found` takes a Subject, yields findings. A separate process builds the source of the module again
with the sanitizers and calls every function. That process is this file, run as `python -m
specc.verify.c.sanitizers net.py samples.npz model shuffles`. Invariant: errors before the source is
loaded are not blamed on it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specc.verify.c import functions

if TYPE_CHECKING:  # the checked process must not import torch
    from specc.verify.compare.finding import Finding
    from specc.verify.compare.subject import Subject

FLAGS = (
    "-O1 -fPIC -shared -ffp-contract=fast -fsanitize=address,undefined"
    " -fno-sanitize-recover=all"
).split()
BUILT = "built"
"""Printed once the source is loaded; errors before it are not blamed on the source."""
PATIENCE = 120.0
"""The time limit in seconds."""
MESSAGE = re.compile(r"(runtime error: .*|ERROR: AddressSanitizer: [\w-]+)")


def found(subject: Subject) -> Iterator[Finding]:
    """Yield whether the sanitizers are silent, with their first message."""
    from specc.verify.compare.finding import fact

    module, model = subject.module._inner, subject.model
    runtime = _runtime(module.compiler())
    if not runtime:
        yield fact(
            "c-api",
            "sanitizers",
            True,
            "",
            "left out: the sanitizers of gcc are not installed",
        )
        return
    size = max(model.train.batch_size + 2, min(2 * subject.most + 3, 67))
    x, y = (part.numpy() for part in subject.drawn(size))
    x_val, y_val = (part.numpy() for part in subject.drawn(5, seed=1))
    with tempfile.TemporaryDirectory(prefix="specc_sanitized_") as folder:
        samples = Path(folder) / "samples.npz"
        np.savez(samples, x=x, y=y, x_val=x_val, y_val=y_val)
        place = {"LD_PRELOAD": runtime, "SPECC_CACHE": folder}
        place["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=0"
        command = [sys.executable, "-m", "specc.verify.c.sanitizers", module.__file__]
        command += [str(samples), model.name, str(int(model.train.shuffle))]
        ran = subprocess.run(
            command,
            env=os.environ | place,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
        )
    if BUILT not in ran.stdout.split():
        said = "left out: the sanitizers of gcc do not run here"
        yield fact("c-api", "sanitizers", True, "", said)
        return
    found_error = MESSAGE.search(ran.stderr)
    where = found_error[1] if found_error else " ".join(ran.stderr.split())[-200:]
    yield fact("c-api", "sanitizers", ran.returncode == 0, where)


def _runtime(compiler: list[str]) -> str:
    """Return the library that must be preloaded, "" if there is none."""
    if not shutil.which(compiler[0]):
        return ""
    asked = [*compiler, "-print-file-name=libasan.so"]
    ran = subprocess.run(asked, capture_output=True, text=True)
    path = ran.stdout.strip()
    return path if os.path.isabs(path) else ""


def main() -> None:
    """Call every function of the source of a module, in batches of several sizes."""
    path, samples, name, shuffles = sys.argv[1:5]
    spec = importlib.util.spec_from_file_location("net", path)
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FLAGS = tuple(FLAGS)
    given = np.load(samples)
    x, y = given["x"], given["y"]
    held_out = given["x_val"], given["y_val"]
    net = module.Model(seed=0, dtype="float64")
    print(BUILT, flush=True)
    most = int(getattr(module, "HELD", len(x)))
    for count in (1, 5, len(x)):
        part = min(count, len(x))
        net.predict(x[:part])
        net.evaluate(x[:part], y[:part])
        held = min(part, most)  # batch_norm needs all of them at once
        net.loss_and_gradients(x[:held], y[:held], input_gradient=True)
        net.train_step(x[:held], y[:held], 1e-3)
    more = [np.resize(part, (most + 1, *part.shape[1:])) for part in (x, y)]
    functions.train_step(net, name, more[0], more[1], 1e-3)
    net.fit(x, y, *held_out, epochs=3)
    flat = np.zeros(sum(value.size for value in net.parameters.values()))
    functions.get(net, name, flat)
    functions.set_(net, name, flat)
    functions.begun_in(net, name, 0)
    functions.update(net, name, _alone(net.flat_gradients), 1e-3)
    loop = functions.Loop(module, net, name, shuffles == "1")
    loop.fit((x, y), held_out, 2)
    loop.fit((x, y), None, 2)


def _alone(array: Any) -> Any:
    """Return a copy of an array at the end of its own allocation."""
    allocate = ctypes.CDLL(None).aligned_alloc
    allocate.restype = ctypes.c_void_p
    size = array.nbytes
    at = allocate(ctypes.c_size_t(64), ctypes.c_size_t(size))
    memory = np.frombuffer((ctypes.c_uint8 * size).from_address(at), array.dtype)
    memory[:] = array.ravel()
    return memory


if __name__ == "__main__":
    main()
