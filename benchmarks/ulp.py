"""How exact the emitted C computes exp, tanh and their like in float32, over all 2^32 inputs.

    python benchmarks/ulp.py                 # all of them: some minutes
    python benchmarks/ulp.py --stride 509    # every 509th, and the special ones: seconds

Compiles a net that uses every such function, builds it at every width of vectors, with and without
fused multiply-adds, and prints the largest error in units in the last place. Exits 1 where one is
above the bound, or a zero lost its sign.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from peak import compiler

BOUND = 2.0
SPEC = """model functions
input x: real[2]
target y: real[2]
def activation wave(x) = x + sin(x)
layers { linear(2) sigmoid linear(2) tanh softmax gelu elu wave linear(2) }
loss binary_cross_entropy
optimizer sgd(lr=0.1)
"""
WIDTHS = {
    "scalar": ("-DVECTOR_BYTES=0", "", ""),
    "128 bits": ("-DVECTOR_BYTES=16", "", ""),
    "256 bits": ("-DVECTOR_BYTES=32", "-mavx2", "__AVX2__"),
    "512 bits": ("-DVECTOR_BYTES=64", "-march=native", "__AVX512F__"),
}
"""What names a width, brings it, and is defined where this machine has it."""
FUSED = {"": "-ffp-contract=off", ", fused": "-ffp-contract=fast"}


def functions(source: str) -> list[str]:
    """Name the functions of float32 vectors that a source has."""
    found = re.findall(r"INLINE vec v(\w+)\(vec x\)", source)
    known = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "sin", "cos")
    return [name for name in known if name in found]


def builds(command: str, optimized: str) -> dict[str, list[str]]:
    """Give the flags of each build that this machine can run."""
    asked = [command, "-march=native", "-dM", "-E", "-x", "c", os.devnull]
    machine = subprocess.check_output(asked, text=True)
    fma = ["-mfma"] if "__FMA__" in machine else []
    return {
        f"{name}{fused}": [
            *filter(None, (optimized, width, brings, contract)),
            *(fma if fused else []),
        ]
        for name, (width, brings, needs) in WIDTHS.items()
        if needs in machine
        for fused, contract in FUSED.items()
        if not fused or fma or "__ARM_FEATURE_FMA" in machine
    }


def built(folder: Path, command: str, optimized: str) -> dict[str, list[str]]:
    """Build everything in `folder`; give function -> the labels of its builds' libraries."""
    from specc.compiler import Request, compile_source
    from specc.syntax.source import Source

    made = compile_source(
        Source("functions.spec", SPEC), Request(target="c", stem="functions")
    )
    for ending, text in made.beside.items():
        (folder / f"functions{ending}").write_text(text)
    names = functions(made.beside[".c"])
    here = str(Path(__file__).with_name("ulp.c"))
    common = [command, "-std=gnu99", "-Wall", "-Wextra", "-Werror"]
    wrappers = [
        '-DSOURCE="functions.c"',
        f"-DFUNCTIONS={' '.join(f'F({name})' for name in names)}",
        "-I.",
        "-fPIC",
        "-shared",
    ]
    jobs = [[*common, "-O3", "-march=native", "-ffp-contract=off"]]
    jobs[0] += ["-fno-trapping-math", "-o", "ulp", here, "-lm", "-ldl"]
    known = builds(command, optimized)
    for number, flags in enumerate(known.values()):
        target = ["-o", f"./{number}.so", here, "-lm"]
        jobs.append([*common, *flags, *wrappers, *target])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(subprocess.check_call, j, cwd=folder) for j in jobs]:
            done.result()
    return {name: list(known) for name in names}


def walked(folder: Path, function: str, labels: Sequence[str], stride: int) -> bool:
    """Walk the inputs of a function; print a line a build, give whether all is well."""
    libraries = [f"./{number}.so" for number in range(len(labels))]
    command = ["./ulp", function, str(stride), *libraries]
    well = True
    lines = subprocess.check_output(command, cwd=folder, text=True).splitlines()
    for label, line in zip(labels, lines, strict=True):
        _, ulp, at, found, exact, wrong_zeros = line.split()
        good = float(ulp) <= BOUND and wrong_zeros == "0"
        note = (
            "" if good else "  <-- too far" if wrong_zeros == "0" else "  <-- sign of 0"
        )
        text = f"{function:<8} {label:<16} {ulp} ulp at {at}: {found} for {exact}{note}"
        print(text, flush=True)
        well &= good
    return well


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, walk and print, a function on each core."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--stride", type=int, default=1, help="take every nth input")
    parser.add_argument("--optimize", default="-O2", help="-O2, -O3, -Os, ...")
    given = parser.parse_args(arguments)
    command = compiler()
    if command is None:
        print("there is no C compiler", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = built(folder, command, given.optimize)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [(folder, *item, given.stride) for item in found.items()]
            well = [done.result() for done in [pool.submit(walked, *j) for j in jobs]]
    count = "all inputs" if given.stride == 1 else f"every {given.stride}th input"
    print(f"{count}: " + ("within" if all(well) else "NOT within") + f" {BOUND:g} ulp")
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
