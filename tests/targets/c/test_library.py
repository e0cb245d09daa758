"""The Python side of the C target: how it builds and keeps its library, and lends arrays to it.

What every target promises is in emitted/. Most of this builds with -O0, or
with a compiler that copies what was built before.
"""

from __future__ import annotations

import copy
import gc
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from specc.compiler import Request, compile_source
from tests.cases.modules import example, source

pytestmark = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("cc"), reason="needs cc and a POSIX shell"
)

NAMES = ("disk", "iris", "diabetes")
"""A plain one; class labels; an optimizer with state."""

DOUBLE = "use x.astype('float32') or Model(dtype='float64')"
MAKE = "import disk; print(disk.Model().flat_parameters.sum())"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files of some modules into one folder."""
    folder = tmp_path_factory.mktemp("sources")
    for name in NAMES:
        made = compile_source(source(example(name)), Request(target="c", stem=name))
        for ending, text in {".py": made.text, **made.beside}.items():
            assert text is not None
            (folder / f"{name}{ending}").write_text(text)
    return folder


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, sources: Path) -> Path:
    """Make a compiler that is quick: of disk.c, for floats, it has the library already."""
    folder = tmp_path_factory.mktemp("bin")
    command = ["cc", "-O0", "-march=native", "-fPIC", "-shared", "-o", folder / "made"]
    subprocess.run([*command, sources / "disk.c", "-lm"], check=True)
    lines = f'''
for word in "$@"; do [ "$before" = -o ] && out="$word"; before="$word"; done
case "$*" in *DOUBLE*|*iris.c*|*diabetes.c*) exec cc "$@" -O0;; esac
sleep "${{SLOWLY:-0}}"; cp "{folder / "made"}" "$out"'''
    return scripted(folder / "quick", lines)


def scripted(path: Path, lines: str) -> Path:
    """Make a compiler of a script, which writes a line to the file that BUILDS names."""
    path.write_text(f'#!/bin/sh\n[ "$BUILDS" ] && echo build >> "$BUILDS"\n{lines}\n')
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def modules(
    sources: Path, quick: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Import the modules here, by other names than theirs, with a cache of their own."""
    import importlib.util

    found = SimpleNamespace()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECC_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("CC", str(quick))
        for name in NAMES:
            spec = importlib.util.spec_from_file_location(
                f"lent_{name}", sources / f"{name}.py"
            )
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            patch.setitem(sys.modules, spec.name, module)
            spec.loader.exec_module(module)
            setattr(found, name, module)
        yield found


class Place:
    """A folder with a module, a cache and a folder for what is temporary."""

    def __init__(self, folder: Path, sources: Path, compiler: Path) -> None:
        self.work, self.cache, self.temporary = (
            folder / name for name in ("work", "cache", "temporary")
        )
        shutil.copytree(sources, self.work)
        self.temporary.mkdir()
        self.environment = {
            **os.environ,
            "CC": str(compiler),
            "SPECC_CACHE": str(self.cache),
            "TMPDIR": str(self.temporary),
            "BUILDS": str(folder / "builds"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self, code: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code],
            cwd=self.work,
            env={k: v for k, v in self.environment.items() if v is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def says(self, code: str = MAKE, **options: Any) -> str:
        """Run Python, which has to end well."""
        process = self.start(code, **options)
        said, complaint = process.communicate(timeout=120)
        assert (process.returncode, complaint) == (0, "")
        return said

    def fails(self, code: str = MAKE, **options: Any) -> str:
        """Run Python, which has to end in a RuntimeError; give its message."""
        process = self.start(code, **options)
        _, complaint = process.communicate(timeout=120)
        assert process.returncode == 1
        _, _, message = complaint.rpartition("\nRuntimeError: ")
        assert message, complaint
        return message

    @property
    def builds(self) -> int:
        log = Path(self.environment["BUILDS"])
        return log.read_text().count("build") if log.exists() else 0

    @property
    def libraries(self) -> list[Path]:
        return sorted(self.cache.glob("*.so"))


@pytest.fixture
def place(tmp_path: Path, sources: Path, quick: Path) -> Place:
    return Place(tmp_path, sources, quick)


# ---- The build


def test_an_import_builds_nothing_and_a_warm_cache_runs_nothing(place: Place) -> None:
    assert place.says("import disk") == "" and not place.cache.exists()
    place.says()
    told = "import sys; print({'subprocess', 'tempfile'} & set(sys.modules))"
    assert place.says(f"{MAKE}; {told}").endswith("\nset()\n")
    assert place.builds == 1


def test_ten_processes_at_once_build_once(place: Place) -> None:
    place.environment["SLOWLY"] = "1"
    started = [place.start(MAKE) for _ in range(10)]
    ended = [process.communicate(timeout=120) for process in started]
    assert len(set(ended)) == 1 and ended[0][1] == ""
    assert place.builds == 1
    assert len(place.libraries) == 1
    others = {path.name for path in place.cache.iterdir()} - {place.libraries[0].name}
    assert others == {"disk.lock"}
    assert not list(place.temporary.iterdir())


def test_without_locks_each_builds_its_own(place: Place) -> None:
    place.environment["SLOWLY"] = "1"
    code = f"import sys; sys.modules['fcntl'] = None; {MAKE}"
    started = [place.start(code) for _ in range(3)]
    ended = [process.communicate(timeout=120) for process in started]
    assert len(set(ended)) == 1 and ended[0][1] == ""
    assert place.builds == 3
    assert [path.suffix for path in place.cache.iterdir()] == [".so"]


def test_a_killed_build_harms_nobody(place: Place) -> None:
    place.environment["SLOWLY"] = "60"
    process = place.start(MAKE, start_new_session=True)
    while not place.builds:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not place.libraries
    place.environment["SLOWLY"] = "0"
    half = place.cache / "disk-of-somebody.so.0123abcd.tmp"
    half.write_text("half")
    place.says()
    (library,) = place.libraries
    half.rename(library.with_name(f"{library.name}.0123abcd.tmp"))
    place.says()
    assert place.builds == 2 and place.libraries == [library]


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damaged",
    [lambda data: data[: len(data) // 2], lambda data: b"", flipped],
    ids=["half", "empty", "flipped"],
)
def test_a_damaged_library_is_built_anew(
    place: Place, damaged: Callable[[bytes], bytes]
) -> None:
    """Half a library would load, and the process die of it."""
    said = place.says()
    (library,) = place.libraries
    whole = library.read_bytes()
    library.write_bytes(damaged(whole))
    assert place.says() == said
    assert place.builds == 2
    assert library.read_bytes() == whole and place.libraries == [library]


def test_a_library_that_does_not_load_is_built_elsewhere(place: Place) -> None:
    """As on a file system that is mounted without execution."""
    said = place.says()
    refuses = f"""
import ctypes
real = ctypes.CDLL
def refusing(path, *arguments):
    if path.startswith({str(place.cache)!r}):
        raise OSError("failed to map segment from shared object")
    return real(path, *arguments)
ctypes.CDLL = refusing
{MAKE}"""
    assert place.says(refuses) == said
    assert not list(place.temporary.iterdir())


@pytest.mark.parametrize("why", ["a file", "not writable", "no home", "not ours"])
def test_where_there_is_no_cache_the_build_is_temporary(
    place: Place, why: str, tmp_path: Path
) -> None:
    said = place.says()
    home = tmp_path / "home"
    home.mkdir()
    if why == "a file":
        place.environment["SPECC_CACHE"] = str(home / "file")
        (home / "file").touch()
    elif why == "not writable":
        if not os.path.isdir("/proc/self"):
            pytest.skip("needs a folder where even root cannot write")
        place.environment["SPECC_CACHE"] = "/proc"
    else:
        del place.environment["SPECC_CACHE"]
        place.environment["XDG_CACHE_HOME"] = "~/cache"
        if why == "not ours":
            if os.getuid():
                pytest.skip("only root gives folders away")
            (home / "specc").mkdir()
            os.chown(home / "specc", 12345, -1)
            place.environment["XDG_CACHE_HOME"] = str(home)
    before = sorted(tmp_path.rglob("*"))
    assert place.says() == said
    assert place.builds == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_the_cache_is_the_users_own(place: Place, tmp_path: Path) -> None:
    del place.environment["SPECC_CACHE"]
    place.environment.pop("XDG_CACHE_HOME", None)
    place.environment["HOME"] = str(tmp_path / "home")
    place.says()
    folder = tmp_path / "home" / ".cache" / "specc"
    assert len(list(folder.glob("*.so"))) == 1
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_cache_that_cannot_be_written_is_read(place: Place) -> None:
    said = place.says()

    def nothing_to_write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    assert place.says(preexec_fn=nothing_to_write) == said
    assert place.builds == 1


def test_a_full_disk_is_told(place: Place) -> None:
    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    assert "disk.c" in place.fails(preexec_fn=little)
    assert not place.libraries and not list(place.temporary.iterdir())
    full = "fatal error: error writing to disk.s: No space left on device"
    place.environment["CC"] = str(
        scripted(place.temporary.parent / "cc", f"echo '{full}' >&2; exit 1")
    )
    assert full in place.fails()
    place.environment["TMPDIR"] = str(place.work / "disk.c")
    refuses = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere']"
    assert "No usable temporary directory" in place.fails(f"{refuses}; {MAKE}")


def test_a_change_of_the_source_or_the_compiler_builds_anew(
    place: Place, tmp_path: Path, quick: Path
) -> None:
    def built(code: str = MAKE) -> int:
        before = place.builds
        place.says(code)
        return place.builds - before

    assert [built(), built()] == [1, 0]
    assert built(MAKE.replace("Model(", "Model(dtype='float64'")) == 1
    for name in ("disk.c", "disk.h"):
        with (place.work / name).open("a") as file:
            file.write("\n/* edited */\n")
        assert [built(), built()] == [1, 0]
    other = f"import disk; disk.processor = lambda command: 'another'; {MAKE}"
    assert [built(other), built(other), built()] == [1, 0, 0]
    place.environment["CC"] += " -DUNUSED='of some use'"
    assert [built(), built()] == [1, 0]
    compiler = tmp_path / "cc"
    shutil.copy(quick, compiler)
    place.environment["CC"] = str(compiler)
    assert [built(), built()] == [1, 0]
    with compiler.open("a") as file:  # a new release of it
        file.write("# 2.0\n")
    assert [built(), built()] == [1, 0]


def test_the_processor_is_told_apart(modules: Any, monkeypatch: Any) -> None:
    """By what Linux says, which does not change from call to call; else by the compiler."""
    disk = modules.disk
    if os.path.exists("/proc/cpuinfo"):
        said = disk.processor(["false"])
        assert said == disk.processor(["false"]) and "MHz" not in said
        assert any(word in said for word in ("flags", "Features", "isa"))

    def elsewhere(*arguments: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(disk, "open", elsewhere, raising=False)
    assert "__GNUC__" in disk.processor([shutil.which("cc")])


# ---- The compiler


def test_no_compiler_is_told_with_what_to_install(place: Place, tmp_path: Path) -> None:
    del place.environment["CC"]
    place.environment["PATH"] = str(tmp_path)
    said = place.fails()
    for word in ("needs a C compiler", "apt install", "brew", "xcode-select", "choco"):
        assert word in said


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("/no/such/cc -m64", "CC names '/no/such/cc -m64', which is not there"),
        ("cc -D'open", 'CC is "cc -D\'open": No closing quotation'),
    ],
)
def test_a_cc_that_names_nothing_is_told(place: Place, given: str, told: str) -> None:
    place.environment["CC"] = given
    assert told in place.fails()


@pytest.mark.parametrize("written", ["{}", "'{}' -DA='b c'", "  {}  "])
def test_cc_may_have_spaces_and_arguments(
    place: Place, tmp_path: Path, quick: Path, written: str
) -> None:
    (tmp_path / "my tools").mkdir()
    compiler = shutil.copy(quick, tmp_path / "my tools" / "my cc")
    place.environment["CC"] = written.format(compiler)
    place.says()
    assert place.builds == 1


def test_an_empty_cc_is_none(place: Place, quick: Path) -> None:
    place.environment["CC"] = " "
    shutil.copy(quick, place.temporary / "gcc")
    place.environment["PATH"] = f"{place.temporary}:{place.environment['PATH']}"
    chosen = place.says("import disk; print(disk.compiler())")
    assert chosen == f"{[shutil.which('cc')]}\n"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("echo 'no licence' >&2; exit 3", "failed:\nno licence"),
        ("exit 3", "failed:\nno message, exit status 3"),
        ("kill -9 $$", "failed:\nno message, exit status -9"),
        ("exit 0", "cannot build"),
    ],
)
def test_a_compiler_that_fails_has_its_say(
    place: Place, tmp_path: Path, lines: str, told: str
) -> None:
    place.environment["CC"] = str(scripted(tmp_path / "cc", lines))
    assert told in place.fails()
    assert not place.libraries and not list(place.temporary.iterdir())


def test_a_file_that_is_no_program_is_told(place: Place, tmp_path: Path) -> None:
    (tmp_path / "cc").write_bytes(b"\x7fELF")
    (tmp_path / "cc").chmod(0o755)
    place.environment["CC"] = str(tmp_path / "cc")
    assert "cannot run" in place.fails()


def test_a_mistake_in_the_source_is_told_with_its_place(place: Place) -> None:
    place.environment["CC"] = "cc"
    path = place.work / "disk.c"
    lines = path.read_text().count("\n")
    with path.open("a") as file:
        file.write("int mistaken(void) { return nothing; }\n")
    assert f"{path}:{lines + 1}:" in place.fails()


def test_a_compiler_that_does_not_know_the_machine_builds_without(
    place: Place, tmp_path: Path, quick: Path
) -> None:
    refuses = 'case "$*" in *-march=native*) echo "bad -march" >&2; exit 1;; esac'
    compiler = scripted(tmp_path / "cc", f'{refuses}\nBUILDS= exec "{quick}" "$@"')
    place.environment["CC"] = str(compiler)
    place.says()
    assert place.builds == 2
    place.says()
    assert place.builds == 2


# ---- Where the module lies


def test_paths_have_spaces_and_letters_of_any_kind(
    tmp_path: Path, sources: Path, quick: Path
) -> None:
    folder = tmp_path / "mes réseaux «ζ»"
    folder.mkdir()
    place = Place(folder, sources, quick)
    place.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0"}
    place.says()
    assert len(place.libraries) == 1


@pytest.mark.parametrize("ending", ["c", "h"])
def test_a_missing_file_is_told(place: Place, ending: str) -> None:
    path = place.work / f"disk.{ending}"
    path.unlink()
    said = place.fails()
    assert f"cannot read {path} (No such file or directory)" in said
    assert "disk.c and disk.h have to lie beside disk, as files" in said


def test_a_module_in_a_zip_file_is_told(place: Place) -> None:
    with zipfile.ZipFile(place.work / "all.zip", "w") as file:
        for path in place.work.glob("disk.*"):
            file.write(path, path.name)
    said = place.fails(f"import sys; sys.path.insert(0, 'all.zip'); {MAKE}")
    assert "all.zip" in said and "beside disk, as files" in said


def test_code_without_a_file_looks_in_the_current_folder(place: Place) -> None:
    code = "exec(pathlib.Path('disk.py').read_text(), {name}); print({name}['Model']())"
    assert "Model" in place.says(
        f"import pathlib; d = {{'__name__': 'd'}}; {code.format(name='d')}"
    )


def test_a_module_may_be_renamed_and_in_a_package(place: Place) -> None:
    package = place.work / "nets" / "small"
    package.mkdir(parents=True)
    for ending in "ch":
        shutil.move(place.work / f"disk.{ending}", package)
    shutil.move(place.work / "disk.py", package / "net.py")
    shutil.copy(package / "net.py", package / "again.py")
    code = """
from nets.small import again, net
x, y = again.np.ones((9, 2), "float32"), again.np.ones((9, 1), "float32")
a, b = again.Model(), net.Model()
a.train_step(x[:1], y[:1], 0.1)
print(a.loss(x, y) < b.loss(x, y), again.library("") is not net.library(""))
"""
    assert place.says(code) == "True True\n"
    assert place.builds == 1


def test_it_is_a_command(place: Place) -> None:
    command = [sys.executable, "-B", "disk.py", "--help"]
    done = subprocess.run(command, cwd=place.work, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 -> 25 -> 25 -> 25 -> 1" in done.stdout
    assert not place.cache.exists()


VARIANTS = {
    "nothing stops it": [("early_stopping", "#"), ("schedule ", "#")],
    "a rate by exp": [
        ("early_stopping", "#"),
        ("time_decay(decay=", "exponential_decay(rate="),
    ],
    "in order": [("seed=0", "seed=0, shuffle=false")],
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_unused_or_badly_laid_out(tmp_path: Path, variant: str) -> None:
    text = example("disk")
    for old, new in VARIANTS[variant]:
        assert old in text
        text = text.replace(old, new)
    made = compile_source(source(text), Request(target="c"))
    assert made.text is not None
    (tmp_path / "disk.py").write_text(made.text)
    tools = Path(sys.executable).parent
    for tool, *arguments in (
        ("ruff", "check", "--isolated", "--no-cache", "--select", "F,I"),
        ("black", "--check", "--quiet"),
    ):
        command = [tools / tool, *arguments, tmp_path / "disk.py"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


# ---- Processes, threads and signals


def drawn(module: Any, count: int, dtype: str = "float32") -> tuple[Any, Any]:
    draw = np.random.default_rng(5)
    x = draw.random((count, *module.INPUT_SHAPE), dtype=dtype)
    shape = (count, *module.TARGET_SHAPE)
    if hasattr(module, "check_classes"):
        return x, draw.integers(0, module.OUTPUT_SHAPE[-1], shape)
    return x, draw.random(shape).round().astype(dtype)


def test_a_child_process_goes_on(modules: Any) -> None:
    module = modules.diabetes
    x, y = drawn(module, 40)
    model = module.Model()
    model.train_step(x, y, 0.1)
    twin = copy.deepcopy(model)
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        model.fit(x, y, x, y, epochs=2)
        os.write(sender, model.flat_parameters.tobytes())
        os._exit(0)
    os.close(sender)
    with open(receiver, "rb") as file:
        said = file.read()
    assert os.waitpid(child, 0)[1] == 0
    assert (model.flat_parameters == twin.flat_parameters).all()
    model.fit(x, y, x, y, epochs=2)
    assert said == model.flat_parameters.tobytes()


def in_threads(*tasks: Callable[[], Any]) -> list[Any]:
    found: list[Any] = [None] * len(tasks)

    def run(index: int) -> None:
        found[index] = tasks[index]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float32", "float64")])
def test_models_in_two_threads_know_nothing_of_each_other(
    modules: Any, dtypes: tuple[str, str]
) -> None:
    def trained(seed: int, dtype: str) -> bytes:
        module = modules.diabetes
        x, y = drawn(module, 2000, dtype)
        model = module.Model(seed=seed, dtype=dtype)
        model.fit(x, y, x, y, epochs=3)
        numbers: bytes = model.flat_parameters.tobytes()
        return numbers

    alone = [trained(seed, dtype) for seed, dtype in enumerate(dtypes)]
    together = in_threads(
        *(lambda s=seed, d=dtype: trained(s, d) for seed, dtype in enumerate(dtypes))
    )
    assert together == alone and alone[0] != alone[1]


def test_the_first_models_may_be_made_in_threads(place: Place) -> None:
    code = """
import threading, disk
made = []
make = lambda: made.append(disk.Model().flat_parameters.sum())
threads = [threading.Thread(target=make) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(made), len(set(made)))
"""
    assert place.says(code) == "6 1\n"
    assert place.builds == 1 and len(place.libraries) == 1


INTERRUPTED = """
import time, numpy as np, disk
x = np.random.default_rng(0).random((2_000_000, 2), dtype=np.float32)
y = (((x - 0.5) ** 2).sum(1, keepdims=True) < 0.159).astype(np.float32)
model, kept = disk.Model(), []

def callback(epoch, logs):
    kept.append(model.flat_parameters.copy())
    print(logs["seconds"], flush=True)

history = model.fit(x, y, x[:100], y[:100], callback=callback)
print(time.monotonic(), len(history), history.stopped_by, history.best_epoch)
print((model.flat_parameters == kept[0]).all(), model.loss(x[:9], y[:9]) >= 0)
"""


@pytest.mark.alone
def test_ctrl_c_ends_a_long_epoch_at_once(place: Place) -> None:
    """The library that users have, for a slow one looks for Ctrl-C more seldom."""
    place.environment["CC"] = "cc"
    process = place.start(INTERRUPTED)
    assert process.stdout is not None
    seconds = float(process.stdout.readline())
    time.sleep(seconds / 2)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    ended, *rest = said.split()
    assert rest == ["1", "interrupted", "0", "True", "True"]
    assert float(ended) - sent < seconds / 4


class Interrupts:
    """Calls a library, and after some calls sends what Ctrl-C sends."""

    def __init__(self, library: Any, calls: int) -> None:
        self.library, self.left, self.calls = library, calls, 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            self.calls += 1
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGINT)
            return getattr(self.library, name)(*arguments)

        return called


def test_ctrl_c_between_calls_keeps_the_epochs_that_were_done(modules: Any) -> None:
    disk = modules.disk
    x, y = drawn(disk, 200)
    model = disk.Model()
    library = model._c

    class InterruptsAfter:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            def called(*arguments: Any) -> Any:
                found = getattr(library, name)(*arguments)
                if name == "disk_go_on":
                    raise KeyboardInterrupt
                return found

            return called

    model._c = InterruptsAfter()
    history = model.fit(x, y, x, y, epochs=7)
    assert history.stopped_by == "interrupted" and len(history) == 7
    losses = [logs["val_loss"] for logs in history]
    assert losses[history.best_epoch] == min(losses)
    model._c = library
    assert model.evaluate(x, y)["loss"] == min(losses)


@pytest.mark.parametrize("does", ["predict", "evaluate"])
def test_ctrl_c_ends_what_takes_long(
    modules: Any, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    disk = modules.disk
    monkeypatch.setattr(disk, "CHUNK", 1)
    x, y = drawn(disk, 10 * disk.HELD)
    model = disk.Model()
    model._c = Interrupts(model._c, 3)
    with pytest.raises(KeyboardInterrupt):
        model.predict(x) if does == "predict" else model.evaluate(x, y)
    assert model._c.calls == 3


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_as_good_as_the_whole(
    modules: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = getattr(modules, name)
    model = module.Model(dtype="float64")
    x, y = drawn(module, 10 * module.HELD + 3, "float64")
    predicted, found = model.predict(x), model.evaluate(x, y)
    monkeypatch.setattr(module, "CHUNK", 1)
    assert (model.predict(x) == predicted).all()
    assert model.evaluate(x, y) == pytest.approx(found, rel=1e-13)


# ---- Arrays


class Watches:
    """Calls a library, and remembers the addresses that it was given."""

    def __init__(self, library: Any) -> None:
        self.library, self.given = library, set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            self.given |= {each for each in arguments if isinstance(each, int)}
            samples = [each._obj for each in arguments if hasattr(each, "_obj")]
            self.given |= {at for pair in samples for at in (pair.x, pair.y)}
            return getattr(self.library, name)(*arguments)

        return called


def read_only(x: Any) -> Any:
    x.flags.writeable = False
    return x


def mapped(x: Any, mode: str = "r+") -> Any:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        x.tofile(file.name)
        return np.memmap(file.name, x.dtype, mode, shape=x.shape)


AS_THEY_ARE = {
    "plain": lambda x: x,
    "read only": read_only,
    "part": lambda x: np.concatenate([x, x])[: len(x)],
    "mapped": mapped,
    "mapped to read": lambda x: mapped(x, "r"),
    "tensor": torch.from_numpy,
    "with a gradient": lambda x: torch.from_numpy(x).requires_grad_(),
    "parameter": lambda x: torch.nn.Parameter(torch.from_numpy(x)),
}


@pytest.mark.parametrize("kind", AS_THEY_ARE)
def test_what_lies_in_order_is_not_copied(modules: Any, kind: str) -> None:
    module = modules.disk
    x, y = drawn(module, 40)
    given = AS_THEY_ARE[kind](x.copy())
    at = given.data_ptr() if isinstance(given, torch.Tensor) else given.ctypes.data
    model, twin = module.Model(), module.Model()
    model._c = Watches(model._c)
    for call in (
        lambda m, x: m.predict(x),
        lambda m, x: m.evaluate(x, y),
        lambda m, x: m.loss_and_gradients(x, y, input_gradient=True)[1]["point"],
        lambda m, x: m.train_step(x, y, 0.1),
        lambda m, x: m.fit(x, y, x, y, epochs=1)[0]["val_loss"],
    ):
        model._c.given.clear()
        assert np.all(call(model, given) == call(twin, x))
        assert at in model._c.given


def test_no_memory_is_taken(modules: Any) -> None:
    module = modules.disk
    x, y = drawn(module, 50_000)
    model = module.Model()
    model.evaluate(x, y)  # the workspace of this thread
    tracemalloc.start()
    model.evaluate(x, y)
    model.train_step(x, y, 0.1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000


def misaligned(x: Any) -> Any:
    memory = np.zeros(x.nbytes + 1, np.uint8)[1:]
    array = memory.view(x.dtype).reshape(x.shape)
    array[:] = x
    assert not array.flags.aligned
    return array


COPIED = {
    "Fortran's order": np.asfortranarray,
    "every second": lambda x: np.repeat(x, 2, axis=0)[::2],
    "some columns": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "misaligned": misaligned,
    "transposed tensor": lambda x: torch.from_numpy(x.T.copy()).T,
    "tensor's columns": lambda x: torch.from_numpy(np.repeat(x, 2, axis=1))[:, ::2],
}


@pytest.mark.parametrize("kind", COPIED)
def test_what_does_not_lie_in_order_is_copied(modules: Any, kind: str) -> None:
    module = modules.disk
    x, y = drawn(module, 40)
    given = COPIED[kind](x)
    model = module.Model()
    model._c = Watches(model._c)
    assert (model.predict(given) == model.predict(x)).all()
    assert not any(at % x.itemsize for at in model._c.given if at > 2**16)
    assert model.evaluate(given, y) == model.evaluate(x, y)
    found = model.loss_and_gradients(given, y, input_gradient=True)[1]
    for name, gradient in model.loss_and_gradients(x, y, input_gradient=True)[
        1
    ].items():
        assert (found[name] == gradient).all()


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (np.float32(1), "expected an array, found float32"),
        (np.array(1, "float32"), "expected shape (n, 2), found ()"),
        (np.zeros((0, 2), "float32"), "expected at least one sample, found none"),
        (
            np.zeros((3, 2), object),
            "expected float32, found object: use x.astype('float32')",
        ),
        (
            np.zeros((3, 2), ">f4"),
            "expected float32, found >f4: use x.astype('float32')",
        ),
        (np.zeros((3, 2)), f"expected float32, found float64: {DOUBLE}"),
        ([[1.0, 2.0]], "expected an array, found list"),
        (torch.zeros(3, 2, device="meta"), "expected it on the CPU, found meta"),
        (torch.zeros(3, 2).double(), f"expected float32, found float64: {DOUBLE}"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told(modules: Any, x: Any, told: str) -> None:
    model = modules.disk.Model()
    y = np.zeros((3, 1), np.float32)
    before = model.flat_parameters.copy()
    for call in (model.predict, lambda x: model.train_step(x, y, 0.1)):
        with pytest.raises(ValueError) as error:
            call(x)
        assert str(error.value) == f"x: {told}"
    assert (model.flat_parameters == before).all()


def test_a_tensor_elsewhere_is_told(modules: Any) -> None:
    """As one on a GPU would be, of which only the device is looked at."""

    class Tensor:
        __module__ = "torch"
        device = torch.device("cuda", 1)

    with pytest.raises(ValueError, match="^x: expected it on the CPU, found cuda:1$"):
        modules.disk.Model().predict(Tensor())


def test_labels_of_another_width_are_told(modules: Any) -> None:
    model = modules.iris.Model()
    x, y = drawn(modules.iris, 9)
    for given in (y.astype(np.int32), torch.from_numpy(y).int()):
        with pytest.raises(
            ValueError, match="^y: expected int64, found int32: use y.astype"
        ):
            model.train_step(x, given, 0.1)
    assert model.loss(x, torch.from_numpy(y)) == model.loss(x, y)


# ---- Copies, and how long memory lives


@pytest.mark.parametrize("by", ["pickle", "deepcopy", "copy"])
@pytest.mark.parametrize("name", ["diabetes", "disk"])
def test_a_copy_goes_on_as_the_model_would(modules: Any, name: str, by: str) -> None:
    module = getattr(modules, name)
    x, y = drawn(module, 9, "float64")
    model = module.Model(seed=3, dtype="float64")
    model.train_step(x, y, 0.1)
    made = {
        "pickle": lambda: pickle.loads(pickle.dumps(model)),
        "deepcopy": lambda: copy.deepcopy(model),
        "copy": lambda: copy.copy(model),
    }[by]()
    before = made.flat_parameters.copy()
    model.train_step(x, y, 0.1)
    assert (made.flat_parameters == before).all()
    made.train_step(x, y, 0.1)
    assert (made.flat_parameters == model.flat_parameters).all()
    assert not (made.flat_parameters == before).all()
    made.loss_and_gradients(x, y)
    for key, value in made.parameters.items():
        assert np.shares_memory(value, made.flat_parameters), key
        gradient = made.gradients[key]
        assert np.shares_memory(gradient, made.flat_gradients), key
        assert gradient.any() and not np.shares_memory(value, gradient), key


def churned() -> None:
    """Take memory that was given back, and write into it."""
    gc.collect()
    for size in (1_000, 7_000, 20_000, 40_000):
        [np.full(size, 0xAB, np.uint8) for _ in range(200)]


def test_parameters_outlive_their_model(modules: Any) -> None:
    model = modules.disk.Model()
    held = [model.flat_parameters, model.parameters["linear2.weight"], model.gradients]
    before = copy.deepcopy(held)
    del model
    churned()
    assert (held[0] == before[0]).all() and (held[1] == before[1]).all()
    assert np.shares_memory(held[0], held[1]) and not held[2]["linear1.bias"].any()


def test_a_model_holds_what_it_writes_to(modules: Any) -> None:
    """Whatever becomes of the arrays that it shows."""
    module = modules.disk
    x, y = drawn(module, 40)
    model, twin = module.Model(), module.Model()
    for name in (*model.parameters, *model.gradients):
        model.parameters.pop(name, None)
        model.gradients.pop(name, None)
    model.flat_parameters = model.flat_gradients = np.zeros(1, np.float32)
    churned()
    for given in (x[:1], x):
        loss = model._step(given, y[: len(given)], 0.1)
        assert loss == twin.train_step(given, y[: len(given)], 0.1)
    assert (model.predict(x) == twin.predict(x)).all()
