"""One compilation is three files: what does not belong together is refused, before it is used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from specc.compiler import Request, compile_source
from tests.cases.modules import example, source

pytestmark = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("cc"), reason="needs cc and a POSIX shell"
)
OTHERS = {
    "a wider network": ("width = 25", "width = 50"),
    "a narrower network": ("width = 25", "width = 8"),
    "another rate": ("sgd(lr=0.1)", "sgd(lr=0.2)"),
    "another activation": ("    relu", "    tanh"),
    "another comment": ("# A constant.", "# A number."),
}
USE = """
import disk, numpy as np
model = disk.Model()
x = np.full((5, 2), 0.3, np.float32)
print(model.fit(x, x[:, :1], x, x[:, :1], epochs=2)[-1]["val_loss"])
"""


def files(text: str) -> dict[str, str]:
    """Compile a spec called `disk` for C: ending -> text."""
    made = compile_source(source(text), Request(target="c", stem="disk"))
    assert made.text is not None
    return {".py": made.text, **made.beside}


def used(folder: Path, script: str = USE, **more: str) -> subprocess.CompletedProcess:
    """Run a script in a folder, where the compiler is quick."""
    own = {"CC": "cc -O0", "SPECC_CACHE": str(folder / "cache"), **more}
    return subprocess.run(
        [sys.executable, "-B", "-c", script],
        cwd=folder,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=60,
    )


def written(folder: Path, texts: dict[str, str]) -> None:
    """Write the files of a module."""
    for ending, text in texts.items():
        (folder / f"disk{ending}").write_text(text)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("stays", [".py", ".c", ".h"])
def test_a_mixture_is_refused(tmp_path: Path, other: str, stays: str) -> None:
    own = files(example("disk"))
    written(tmp_path, files(example("disk").replace(*OTHERS[other])))
    written(tmp_path, {stays: own[stays]})
    done = used(tmp_path)
    assert done.returncode == 1
    assert "of another compilation than" in done.stderr
    assert "compile the spec again" in done.stderr or "specc compile" in done.stderr


def test_a_module_imported_before_is_refused(tmp_path: Path) -> None:
    own = files(example("disk"))
    wider = files(example("disk").replace(*OTHERS["a wider network"]))
    written(tmp_path, own)
    written(tmp_path, {f"_new{ending}": text for ending, text in wider.items()})
    copied = "for e in ('py', 'c', 'h'): shutil.copy(f'disk_new.{e}', f'disk.{e}')"
    again = USE.replace("model = ", f"import shutil\n{copied}\nmodel = ")
    done = used(tmp_path, again)
    assert done.returncode == 1 and "restart Python" in done.stderr
    loaded = f"{USE}\nimport shutil\n{copied}\nprint(disk.Model().predict(x).shape)"
    done = used(tmp_path, loaded.replace("disk_new", "disk_new"))
    assert done.returncode == 0  # what was loaded before goes on


def test_an_edited_source_stays_usable(tmp_path: Path) -> None:
    texts = files(example("disk"))
    edited = texts[".c"].replace("/* ---- 3. The network */", "/* mine */")
    written(tmp_path, texts | {".c": edited})
    right, found = used(tmp_path), used(tmp_path)
    assert right.returncode == 0 and right.stdout == found.stdout


def test_edited_sizes_are_refused(tmp_path: Path) -> None:
    texts = files(example("disk"))
    header = texts[".h"].replace("float disk_real", "double disk_real")
    written(tmp_path, texts | {".h": header})
    done = used(tmp_path)
    assert done.returncode == 1 and "has_its_bytes" in done.stderr
    sizes = texts[".py"].replace("else (18368,", "else (18304,")
    assert sizes != texts[".py"]
    written(tmp_path, texts | {".py": sizes})
    done = used(tmp_path)
    assert done.returncode == 1 and "disagree on the sizes" in done.stderr


PROGRAM = """
#include "disk.h"
static disk_model net;
int main(void) { disk_init(&net, 0); return 0; }
"""


def compiled(folder: Path, *command: str) -> subprocess.CompletedProcess:
    """Run the compiler, or the linker, in a folder."""
    return subprocess.run(
        ["cc", "-O0", *command], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.parametrize("change", ["-DDISK_DOUBLE", *OTHERS])
def test_objects_of_different_compilations_do_not_link(
    tmp_path: Path, change: str
) -> None:
    """As a build makes them that does not compile a program again for its new header."""
    (tmp_path / "main.c").write_text(PROGRAM)
    written(tmp_path, files(example("disk")))
    compiled(tmp_path, "-c", "main.c").check_returncode()
    if change in OTHERS:
        written(tmp_path, files(example("disk").replace(*OTHERS[change])))
    flags = [] if change in OTHERS else [change]
    compiled(tmp_path, *flags, "-c", "disk.c").check_returncode()
    done = compiled(tmp_path, "main.o", "disk.o", "-lm")
    assert done.returncode != 0 and "disk_c_of_compilation_" in done.stderr
    compiled(tmp_path, *flags, "-c", "main.c").check_returncode()
    compiled(tmp_path, "main.o", "disk.o", "-lm").check_returncode()


FLAGS = (
    "-fassociative-math -fno-signed-zeros -fno-trapping-math",
    "-funsafe-math-optimizations",
    "-freciprocal-math",
    "-fno-signed-zeros",
)


def built(folder: Path, flags: str) -> bytes:
    """Return the code of a module, built with these flags after the usual ones."""
    out = folder / "disk.o"
    usual = ["-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno"]
    command = ["cc", *usual, *flags.split(), "-c", "disk.c", "-o", str(out)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.encode()
    return subprocess.run(
        ["objcopy", "-O", "binary", "-j", ".text", str(out), "/dev/stdout"],
        check=True,
        capture_output=True,
    ).stdout


def test_flags_change_no_number(tmp_path: Path) -> None:
    written(tmp_path, files(example("disk")))
    right = built(tmp_path, "")
    assert len(right) > 10_000
    assert [flags for flags in FLAGS if built(tmp_path, flags) != right] == []
    refused = "-ffast-math", "-ffinite-math-only", "-Ofast"
    assert all(b"without -ffast-math" in built(tmp_path, flag) for flag in refused)
    single = built(tmp_path, "-fsingle-precision-constant")
    assert b"constants_are_doubles" in single


def test_without_the_pragma_flags_change_numbers(tmp_path: Path) -> None:
    texts = files(example("disk"))
    lines = texts[".c"].splitlines()
    bare = "\n".join(line for line in lines if not line.startswith("#pragma GCC"))
    written(tmp_path, texts | {".c": f"{bare}\n"})
    right = built(tmp_path, "")
    assert built(tmp_path, FLAGS[0]) != right != built(tmp_path, FLAGS[1])


def test_a_filled_cache_needs_no_compiler(tmp_path: Path) -> None:
    written(tmp_path, files(example("disk")))
    first = used(tmp_path)
    nowhere = used(tmp_path, CC="", PATH="/nowhere")
    assert first.returncode == nowhere.returncode == 0
    assert first.stdout == nowhere.stdout
    shutil.rmtree(tmp_path / "cache")
    assert "needs a C compiler" in used(tmp_path, CC="", PATH="/nowhere").stderr


def test_a_library_can_be_shipped(tmp_path: Path) -> None:
    written(tmp_path, files(example("disk")))
    assert used(tmp_path, "import disk; print(len(disk.build()))").stdout == "2\n"
    assert not list(tmp_path.glob("*.tmp"))
    done = used(tmp_path, CC="", PATH="/nowhere", SPECC_CACHE="/nowhere/cache")
    assert done.returncode == 0
    written(tmp_path, files(example("disk").replace(*OTHERS["another rate"])))
    assert "of another compilation than" in used(tmp_path).stderr


def test_the_cache_forgets_what_nobody_uses(tmp_path: Path) -> None:
    written(tmp_path, files(example("disk")))
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    number = "0123456789abcdef01234567"
    stale = {f"net-{number}-{number}.so", f"net-{number}.so.12345678.tmp"}
    foreign = {"libother.so", "report.tmp", "notes.txt"}
    new = {f"new-{number}.so"}
    for name in stale | foreign | new:
        (cache / name).write_text("")
        if name not in new:
            os.utime(cache / name, (0, 0))
    used(tmp_path)
    names = {path.name for path in cache.iterdir()}
    assert names >= foreign | new
    assert not names & stale


def test_subnormals_stay_whatever_the_flags(tmp_path: Path) -> None:
    written(tmp_path, files(example("disk")))
    tiny = "import numpy as np, disk; disk.Model(); print(np.float32(1e-38) / 100 > 0)"
    flags = "cc -funsafe-math-optimizations"
    assert used(tmp_path, tiny, CC=flags).stdout == "True\n"


def test_without_cpuinfo_a_missing_compiler_is_named(tmp_path: Path) -> None:
    written(tmp_path, files(example("disk")))
    script = """
import builtins, os
real = builtins.open
def gone(path, *more, **named):
    if path == "/proc/cpuinfo":
        raise FileNotFoundError(path)
    return real(path, *more, **named)
builtins.open = gone
import disk
disk.Model()
"""
    done = used(tmp_path, script, CC="", PATH="/nowhere")
    assert "disk.c needs a C compiler once" in done.stderr.splitlines()[-1]
