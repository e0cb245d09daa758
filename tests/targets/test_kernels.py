"""The plain files of C in `templates/c/kernels`, as a C compiler sees each; run by `make lint`.

A kernel is compiled with what its row in the table says that it needs, and with nothing else.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specc.emit.pieces import Code
from specc.emit.templates import rendered
from specc.targets.c.kernels import (
    ACTIVATED,
    ENDS,
    KERNELS,
    NEEDS,
    WIDE,
    activations,
    closed,
    kernels,
    panel,
    text_of,
)

FOLDER = Path(__file__).resolve().parents[2] / "templates" / "c" / "kernels"
STRICT = "-std=c99 -pedantic -Wall -Wextra -Werror -Wno-unused-function".split()
INCLUDES = ("math.h", "stdbool.h", "stddef.h", "stdint.h", "string.h")

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="there is no compiler")


def alone(name: str, wide: bool = False, without: str = "") -> str:
    """Write a source of one kernel with all that it needs, but `without` one of them."""
    is_product = name in KERNELS["products"]
    ends = list(ENDS.values()) if is_product else []
    names = closed([name, *ends, "lanes", *(["wide"] if wide else [])]) - {without}
    view: dict[str, Any] = {"C": Code("NET"), "c": Code("net")}
    view["panel"] = panel(8192)
    view["activations"] = activations([*ACTIVATED, "through"])
    view["kernels"] = replace(kernels(["wide"] if wide else []), products=())
    parts = [f"#include <{header}>" for header in INCLUDES]
    parts += ["typedef NET_REAL net_real;", rendered("c/machine.c.j2", view)]
    for section, table in KERNELS.items():
        if section == "products" and is_product:
            kinds = view["activations"].kinds.text
            parts += [f"enum activation {{ {kinds} }};"]
            parts += [rendered("c/products.c.j2", view)]
        parts += [text_of(section, each, wide) for each in table if each in names]
    return "\n\n".join(parts) + "\n"


def compiled(text: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Let a compiler read a source."""
    command = ["cc", *STRICT, "-fsyntax-only", *flags, "-xc", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True)


FLOAT = ("-DNET_REAL=float",)
DOUBLE = ("-DNET_REAL=double", "-DNET_DOUBLE")


@pytest.mark.parametrize("name", NEEDS)
def test_a_kernel_is_c_without_a_warning(name: str) -> None:
    """In both precisions, as vectors and as plain C, alone and for wide layers."""
    sources = [alone(name)]
    if name in WIDE:
        sources.append(alone(name, wide=True))
    widths = ("-DVECTOR_BYTES=0",), ("-fopenmp",)
    every = list(itertools.product(sources, (FLOAT, DOUBLE), widths))
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(compiled, text, *kind, *width) for text, kind, width in every
        ]
        for done in (job.result() for job in jobs):
            assert done.returncode == 0, done.stderr


def test_every_file_is_a_kernel() -> None:
    files = {f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.c")}
    table = {f"{section}/{name}" for section, each in KERNELS.items() for name in each}
    table |= {f"products/{name}_wide" for name in WIDE}
    assert files == table


@pytest.mark.parametrize("name", NEEDS)
def test_a_kernel_needs_all_that_its_row_says(name: str) -> None:
    """Without one of them, one precision or the other does not compile."""
    for other in NEEDS[name].split():
        text = alone(name, without=other)
        strict = "-Werror=implicit-function-declaration"
        kinds = (compiled(text, strict, *kind) for kind in (FLOAT, DOUBLE))
        assert any(done.returncode for done in kinds), f"{name} calls no {other}"


def test_a_warning_is_found() -> None:
    done = compiled(alone("keep") + "static int idle(int n) { return 1; }\n", *FLOAT)
    assert done.returncode and "unused parameter" in done.stderr
