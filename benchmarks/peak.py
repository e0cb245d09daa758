"""The speed limit of this core: multiply-adds in float32, measured by a small C program."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path


def compiler() -> str | None:
    """Find the system's C compiler."""
    own = (sysconfig.get_config_var("CC") or "").split()[:1]
    return next(filter(None, map(shutil.which, ["cc", "gcc", "clang", *own])), None)


def peak(seconds: float) -> tuple[float, int] | None:
    """Give GFLOP/s and the width of a vector in bits; None without a compiler."""
    command = compiler()
    if command is None:
        return None
    source = Path(__file__).with_name("peak.c")
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/peak"
        flags = ["-O3", "-march=native", "-ffp-contract=fast"]
        subprocess.run([command, *flags, "-o", program, source], check=True)
        printed = subprocess.check_output([program, str(seconds)], text=True)
    rate, bits = printed.split()
    return float(rate), int(bits)


if __name__ == "__main__":
    print(peak(2.0))
