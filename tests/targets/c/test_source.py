"""The source and the header that `--target c` emits, as a C compiler and a C program see them.

Every spec of a table is compiled at every width of vectors without a warning, as plain C99, and run
by a driver that calls everything with arrays of exactly the size that the header asks for: to the
same numbers at every width. Some are run under sanitizers too.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import itertools
import os
import random
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from specc.compiler import Request, compile_source
from specc.derive.network import differs
from specc.library import VOCABULARY
from specc.targets.python.loop import rated_by_length
from tests.cases.definitions import DEFINITIONS
from tests.cases.fits import GROWING
from tests.cases.modules import EXAMPLES, ROOT, example, module_of_spec, source
from tests.cases.modules import checked as analysed
from tests.cases.networks import CASES
from tests.cases.traces import TRACES, VARIANTS, ruled

DRIVER = Path(__file__).with_name("driver.c")
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
OPTIMIZED = ["-O2", "-O0", "-Os", "-O0"]
SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
LIBM = set(
    "cos erf exp expm1 floor fmax fmin log log1p pow sin sqrt sqrtf tanh".split()
)
"""All that a net may ask of a library, beside what a compiler asks for itself."""
ASKED_BY_COMPILERS = {"memcmp", "memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"}

pytestmark = pytest.mark.skipif(not COMPILERS, reason="there is no C compiler")


def spec(
    layers: str,
    x: str = "real[4]",
    y: str = "real[3]",
    loss: str = "mse",
    sgd: str = "lr=0.1",
    train: str = "batch_size=4",
    more: str = "",
) -> str:
    return f"""model net
{more}
input x: {x}
target y: {y}
layers {{ {layers} }}
loss {loss}
optimizer sgd({sgd})
train(epochs=3, {train})
"""


SMALL = "linear(9) relu linear(3)"
CLASSES = {"loss": "cross_entropy", "y": "int[]"}
STARTS = """xavier_uniform xavier_normal(truncated=true) he_uniform he_normal(mode=fan_out) uniform
normal(mean=0.1) normal(truncated=true) constant(0.1) zeros ones torch_default orthogonal""".split()

DEFINED = "\n".join(
    definition.text
    for definition in DEFINITIONS.values()
    if definition.kind == "activation"
)
USED = " ".join(
    f"linear({2 + i % 5}) {definition.use}"
    for i, definition in enumerate(DEFINITIONS.values())
    if definition.kind == "activation"
)

SPECS = {
    "reshape": spec("reshape([4]) linear(5) relu linear(3)", x="real[2, 2]"),
    "every activation": spec(
        "linear(5) leaky_relu(0.1) linear(17) elu linear(4) selu linear(6) gelu linear(3)"
        " gelu(approximate=tanh) linear(5) silu linear(2) mish linear(5) softplus linear(7)"
        " hard_tanh linear(5) hard_sigmoid linear(4) softsign linear(5) log_softmax linear(3)",
        loss="huber(delta=0.5)",
    ),
    "definitions": spec(f"{USED} linear(3)", loss="mae", more=DEFINED),
    "widths 1 to 5": spec(
        "linear(1) relu linear(2) tanh linear(3) sigmoid linear(4) relu linear(5)",
        x="real[1]",
        y="real[5]",
    ),
    "residuals": spec(
        "residual { linear(4) tanh } linear(17) residual { linear(17) relu"
        " residual { tanh linear(17) } } linear(3)",
        x="real[4]",
        y="real[3]",
    ),
    "residuals to classes": spec(
        "linear(5) residual { relu } repeat(2) { residual { softmax linear(5) } } softmax",
        x="real[3]",
        y="int[]",
        loss="cross_entropy",
    ),
    "flattened": spec("flatten linear(5) relu linear(3)", x="real[2, 9]", y="real[3]"),
    "widths by the vector": spec(
        "linear(16) relu linear(17) tanh linear(33) sigmoid linear(1)",
        x="real[9]",
        y="real[1]",
        train="batch_size=9",
        more="metric accuracy",
    ),
    "wide": spec("linear(130) relu linear(129) tanh linear(2)", y="real[2]"),
    "wide, whole vectors": spec(
        "linear(128) relu linear(128) linear(4)", x="real[70]", y="real[4]"
    ),
    "wide input": spec("linear(40) sigmoid linear(3)", x="real[260]"),
    "deep sums, many samples": spec(
        "linear(280) relu linear(20)",
        x="real[300]",
        y="real[20]",
        train="batch_size=40",
    ),
    "no bias": spec(
        "linear(18, bias=none) relu linear(2, bias=none) linear(3, bias=none)"
    ),
    "one layer": spec("linear(1)", y="real[1]", train="batch_size=1"),
    "one layer, two inputs": spec("linear(3) tanh", x="real[2]"),
    "chains": spec(
        "tanh relu linear(9) relu tanh linear(6) sigmoid sigmoid linear(3) tanh"
    ),
    "softmax everywhere": spec(
        "softmax linear(6) softmax linear(3) softmax", x="real[17]"
    ),
    "half": spec("linear(20) identity linear(7) tanh linear(3)", loss="mse(half=true)"),
    "bce": spec("linear(12) tanh linear(3) sigmoid", loss="binary_cross_entropy"),
    "bce of logits": spec(
        "linear(12) linear(1)",
        y="real[1]",
        loss="binary_cross_entropy",
        more="metric accuracy(threshold=0.4)",
    ),
    "bce of relu": spec("linear(17) relu", y="real[17]", loss="binary_cross_entropy"),
    "classes": spec(
        "linear(12) relu linear(17) softmax", **CLASSES, more="metric accuracy"
    ),
    "logits": spec(
        "linear(12, bias=none) linear(2)", **CLASSES, more="metric accuracy"
    ),
    "smoothed": spec(
        "linear(12) relu linear(5)",
        x="real[2, 4]",
        y="int[2]",
        loss="cross_entropy(label_smoothing=0.1, reduction=batch_mean)",
        more="metric accuracy",
    ),
    "errors": spec(
        "linear(12) tanh linear(3)",
        loss="mse(reduction=batch_mean)",
        more="metric mse metric mae",
    ),
    "errors of probabilities": spec(
        "linear(3)", loss="binary_cross_entropy", more="metric mae"
    ),
    "a panel of few rows": spec(
        "linear(200) relu linear(30) relu linear(1)",
        y="real[1]",
        train="batch_size=8",
    ),
    "a wide layer before a narrow one": spec(
        "linear(40) relu linear(2100) relu linear(4)",
        x="real[5]",
        y="real[4]",
        sgd="lr=0.001",
        train="batch_size=8",
    ),
    "positions": spec(
        "linear(7) tanh linear(5) softmax",
        x="real[3, 6]",
        y="int[3]",
        loss="cross_entropy",
    ),
    "positions of reals": spec(
        "linear(25) relu linear(2)",
        x="real[3, 6]",
        y="real[3, 2]",
        train="batch_size=1",
    ),
    "two": spec(SMALL, train="batch_size=2, shuffle=false"),
    "seven": spec(
        SMALL, train="batch_size=7, drop_last=true", sgd="lr=0.1, momentum=0.9"
    ),
    "eight": spec(
        SMALL,
        train="batch_size=8",
        sgd="lr=0.1, momentum=0.9, nesterov=true, weight_decay=0.01",
    ),
    "parts": spec(SMALL, train="batch_size=300", more="schedule step_decay(0.5, 2)"),
    "parts and momentum": spec(
        SMALL,
        train="batch_size=300, shuffle=false, drop_last=true",
        sgd="lr=0.1, momentum=0.5, weight_decay=0.1",
        more="early_stopping(monitor=train_loss, patience=2, restore_best=false)",
    ),
    **{
        word: spec(SMALL, train="batch_size=8").replace("sgd(lr=0.1)", word)
        for word in ("adam", "adamw", "rmsprop(momentum=0.5)", "adagrad")
    },
    **{
        word: spec(SMALL, train="batch_size=8", more=f"schedule {word}")
        for word in (
            "multi_step([1, 2], 0.5)",
            "polynomial(warmup=1)",
            "cosine(end=0.01)",
        )
    },
    "decay alone": spec(
        SMALL,
        sgd="lr=0.1, weight_decay=0.01",
        more="schedule exponential_decay(rate=0.1) early_stopping(patience=2, min_delta=0.01)",
    ),
    "best accuracy": spec(
        SMALL,
        more="schedule exponential_decay(gamma=0.9) metric accuracy"
        " early_stopping(monitor=val_accuracy, patience=1, start=2)",
    ),
    "starts": spec(
        " ".join(f"linear({6 + i % 2}, weight={w})" for i, w in enumerate(STARTS))
        + " linear(3, weight=zeros, bias=normal)",
    ),
    "state of layers": spec(
        "standardize linear(9, bias=none) batch_norm relu dropout(0.3) linear(5)"
        " layer_norm tanh dropout(0.1) linear(3)",
        sgd="lr=0.1, momentum=0.5",
        more="early_stopping(patience=2)",
    ),
    "wide state": spec(
        "layer_norm linear(70, bias=none) batch_norm(weight=none) dropout(0.5) linear(37)"
        " layer_norm(bias=none) relu linear(3)",
        x="real[33]",
        train="batch_size=300",
    ),
    "norms of rows": spec(
        "standardize linear(3) layer_norm relu dropout(0.2) linear(2)",
        x="real[5, 4]",
        y="real[5, 2]",
        train="batch_size=60",
    ),
    "narrow state": spec(
        "batch_norm dropout(0.1) linear(1) layer_norm linear(2) tanh linear(1)",
        x="real[1]",
        y="real[1]",
    ),
    "names": spec(
        "mask = linear(3) vec = tanh main = linear(4) first = relu low = linear(3)"
    ).replace("input x", "input linux"),
}
TABLE = {**{name: example(name) for name in EXAMPLES}, **SPECS}
ROWS = ("views_in_concat", "softmax_middle_axis", "reshape_classes")
TABLE |= {name: CASES[name] for name in ("rms_norm", "hard_swish", *ROWS)}
ACTIVATIONS = [
    word
    for word, entry in VOCABULARY["activation"].items()
    if not any(argument.required for argument in entry.arguments)
]
TABLE["activations"] = spec(
    " ".join(f"linear(5) {word}" for word in ACTIVATIONS) + " linear(3)"
)


checked = functools.cache(analysed)


@functools.cache
def emitted(text: str) -> dict[str, str]:
    """Give ending -> text of what a spec makes; the files are called `net`."""
    made = compile_source(source(text), Request(target="c", stem="net"))
    assert made.text is not None, made.diagnostics
    return {".py": made.text, **made.beside}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the folder where a spec's net.py, net.c and net.h lie."""

    @functools.cache
    def place(text: str) -> Path:
        folder: Path = tmp_path_factory.mktemp("net")
        for ending, made in emitted(text).items():
            (folder / f"net{ending}").write_text(made)
        return folder

    return place


def run(command: Sequence[str | Path], cwd: Path) -> str:
    """Run a command that has to succeed; give what it prints."""
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stderr}"
    return done.stdout


def side_by_side(
    work: Callable[..., Any], jobs: Iterable[tuple[Any, ...]]
) -> list[Any]:
    """Do the jobs two at a time, for the compilers are processes of their own."""
    with ThreadPoolExecutor(2) as pool:
        return [each.result() for each in [pool.submit(work, *job) for job in jobs]]


@functools.cache
def widths() -> dict[str, list[str]]:
    """Give the flags of each width of vectors, in bytes, that this machine has."""
    asked = [COMPILERS[0], "-march=native", "-dM", "-E", "-xc", "/dev/null"]
    machine = run(asked, ROOT)
    flags = {"0": ["-DVECTOR_BYTES=0"], "16": ["-DVECTOR_BYTES=16"]}
    if "__AVX2__" in machine:
        flags["32"] = ["-DVECTOR_BYTES=32", "-mavx2", "-mfma"]
    if "__AVX512F__" in machine:
        flags["64"] = ["-DVECTOR_BYTES=64", "-march=native"]
    return flags


@dataclass(frozen=True)
class Build:
    """What a net is compiled for."""

    width: str
    kind: str
    optimized: tuple[str, ...] = ()
    compiler: str = COMPILERS[0] if COMPILERS else ""

    def command(self, text: str) -> list[str]:
        """Give the command, up to what it is to compile."""
        upper = checked(text).name.upper()
        double = [f"-D{upper}_DOUBLE"] if self.kind == "double" else []
        return [
            *(self.compiler, *STRICT, "-ffp-contract=fast", *self.optimized),
            *(*widths()[self.width], *double, "-I."),
        ]

    @property
    def name(self) -> str:
        return "-".join((self.width, self.kind, *self.optimized)).replace("=", "-")


def driver_flags(text: str) -> list[str]:
    """Say to the driver what the header cannot."""
    model = checked(text)
    classes = model.output_shape[-1] if model.target.dtype == "int" else 0
    stopping = model.early_stopping
    monitors = stopping is not None and stopping.monitor.startswith("val")
    return [
        f"-DNAME={model.name}",
        f"-DUPPER={model.name.upper()}",
        '-DHEADER="net.h"',
        f"-DTARGET={'int64_t' if classes else 'real'}",
        f"-DCLASSES={classes}",
        f"-DSHUFFLES={int(model.train.shuffle)}",
        f"-DMONITORS={int(monitors)}",
        f"-DMODES={int(differs(model))}",
        f"-DLENGTH={', 3' if rated_by_length(model) else ''}",
        f"-DREDUCES={int(model.schedule.use.entry.name == 'plateau')}",
    ]


Told = dict[str, list[float]]


def driven(folder: Path, text: str, build: Build) -> Told:
    """Build the net in `folder` with the driver and run it: label -> what it prints."""
    object_file, program = f"{build.name}.o", f"./{build.name}"
    command = build.command(text)
    run([*command, "-c", "net.c", "-o", object_file], folder)
    flags = [*driver_flags(text), str(DRIVER), object_file]
    run([*command, *flags, "-o", program, "-lm"], folder)
    told: Told = {}
    misplaced = run([program, "16"], folder)
    printed = run([program, "0"], folder)
    assert printed == misplaced
    for line in printed.splitlines():
        label, number = line.split()
        told.setdefault(label, []).append(float(number))
    return told


def apart(found: Told, expected: Told) -> float:
    """The largest difference of what two drivers print, relative where it is large."""
    assert found.keys() == expected.keys()
    pairs = [
        pair
        for label, numbers in expected.items()
        for pair in zip(found[label], numbers, strict=True)
    ]
    assert len(pairs) > 100 and all(np.isfinite(pairs).ravel())
    return max(abs(a - b) / max(1, abs(b)) for a, b in pairs)


HEAVY = {"digits_wide", "deep sums, many samples"}
"""What takes long where the compiler does not optimize."""
BY_NAME = pytest.mark.parametrize("name", TABLE)


# What compilers say.


def test_every_word_is_in_the_table() -> None:
    """A new word of the language fails here until a spec has it."""
    models = [checked(text) for text in TABLE.values()]
    used = {node.use.entry.name for model in models for node in model.nodes}
    for model in models:
        clauses = [model.loss, model.optimizer, model.schedule, *model.metrics]
        used |= {clause.use.entry.name for clause in clauses}
        used |= {p.initializer.entry.name for p in model.parameters.values()}
    kinds = "layer activation loss optimizer schedule metric initializer".split()
    assert {word for kind in kinds for word in VOCABULARY[kind]} - used == set()


def silent(folder: Path, text: str, compiler: str, width: str, kind: str) -> None:
    command = Build(width, kind, compiler=compiler).command(text)
    run([*command, "-fsyntax-only", "net.c"], folder)


@BY_NAME
def test_compilers_have_no_warning(name: str, folder: Callable[[str], Path]) -> None:
    text = TABLE[name]
    one = list(widths())[list(TABLE).index(name) % len(widths())]
    every = itertools.product(COMPILERS, {"0", one}, ("float", "double"))
    side_by_side(silent, [(folder(text), text, *each) for each in every])


def test_every_optimization_is_without_warning(folder: Callable[[str], Path]) -> None:
    """More is seen, and less is inlined, at other levels."""
    text = TABLE["disk"]
    every = itertools.product(COMPILERS, ("-O0", "-Os", "-O3"), ("0", "16"))

    def compiled(compiler: str, level: str, width: str) -> None:
        build = Build(width, "float", (level,), compiler)
        run(
            [*build.command(text), "-c", "net.c", "-o", f"{build.name}.o"], folder(text)
        )

    side_by_side(compiled, every)


def test_a_warning_is_found(tmp_path: Path) -> None:
    text = TABLE["disk"]
    for ending, made in emitted(text).items():
        (tmp_path / f"net{ending}").write_text(
            f"{made}\nstatic int idle(int n) {{ return 1; }}\n"
        )
    with pytest.raises(AssertionError, match="unused parameter"):
        silent(tmp_path, text, COMPILERS[0], "0", "float")


@pytest.mark.parametrize("length", [40, 70, 84, 160])
def test_a_name_may_be_long(length: int, tmp_path: Path) -> None:
    """Whether or not what it stands in can be broken."""
    text = TABLE["wine"].replace("model wine", f"model {'n' * length}")
    for ending, made in emitted(text).items():
        (tmp_path / f"net{ending}").write_text(made)
    silent(tmp_path, text, COMPILERS[0], "0", "float")


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler")
@pytest.mark.parametrize("name", ["disk", "iris", "two", "eight"])
def test_the_header_is_one_of_cpp_too(name: str, folder: Callable[[str], Path]) -> None:
    place = folder(TABLE[name])
    model = checked(TABLE[name]).name
    (place / "uses.cpp").write_text(
        f'#include "net.h"\n#include "net.h"\n{model}_model net;\n'
        f"int main() {{ {model}_init(&net, 0); }}\n"
    )
    flags = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    for standard in ("c++98", "c++17"):
        more = ["-Wno-long-long", "-Wno-variadic-macros"]
        run(["g++", f"-std={standard}", *flags, *more, "uses.cpp"], place)


def test_without_gnu_c_the_source_is_plain_c(tmp_path: Path) -> None:
    """Another compiler, which defines nothing, sees neither vectors nor attributes."""
    for text in TABLE.values():
        made = emitted(text)
        own = made[".c"].replace('#include "net.h"', made[".h"])
        includes = re.findall(r"^#include <.*>$", own, flags=re.M)
        assert len(includes) == 5
        (tmp_path / "own.c").write_text(re.sub(r"^#include.*$", "", own, flags=re.M))
        command = [COMPILERS[0], "-std=c99", "-undef", "-E", "-P", "own.c"]
        seen = run(command, tmp_path)
        assert not re.search(r"__|vector_size|may_alias", seen)
        (tmp_path / "seen.c").write_text("\n".join([*includes, seen]))
        # a static inline function that nothing calls is no mistake in plain C
        run(
            [COMPILERS[0], *STRICT, "-pedantic-errors", "-fsyntax-only", "seen.c"],
            tmp_path,
        )


def test_the_net_of_the_paper_compiles_as_sixty_loops_do(
    folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """That is about a second, and as many times more as a machine is slower."""
    loop = "for (int k = 0; k < n; k++) s += x[k] * (k ^ {i});"
    sixty = [
        f"int f{i}(const int *x, int n) {{ int s = {i}; {loop.format(i=i)} return s; }}"
        for i in range(60)
    ]
    (tmp_path / "loops.c").write_text("\n".join(sixty))
    command = [COMPILERS[0], "-O3", "-march=native", "-ffp-contract=fast", "-c"]
    seconds: dict[str, list[float]] = {"net.c": [], "loops.c": []}
    for _ in range(3):
        for name, place in ("net.c", folder(TABLE["disk"])), ("loops.c", tmp_path):
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            run([*command, name], place)
            after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            seconds[name].append(after - before)
    net, loops = (min(several) for several in seconds.values())
    print(
        f"net.c of disk.spec is compiled in {net:.2f} s, sixty loops in {loops:.2f} s"
    )
    assert net < 2.5 * loops


# What the driver sees.


@pytest.mark.parametrize("name", list(TABLE)[::2])
def test_every_width_gives_the_same(name: str, folder: Callable[[str], Path]) -> None:
    """And nothing but libm is asked for, and nothing is kept."""
    text, number = TABLE[name], list(TABLE).index(name)
    vectors = list(widths())[1:]
    level = ["-O2"] if name in HEAVY else OPTIMIZED
    builds = [
        Build(
            vectors[(number + turn) % len(vectors)] if turn else "0",
            "float" if turn == 2 else "double",
            (level[(number // 3 + turn) % len(level)],),
        )
        for turn in range(2 if number % 3 else 3)
    ]
    place = folder(text)
    scalar, vector, *single = side_by_side(driven, [(place, text, b) for b in builds])
    assert apart(vector, scalar) <= 1e-12
    assert all(apart(told, scalar) <= 1e-4 for told in single)
    for build in builds:
        check_symbols(place / f"{build.name}.o", checked(text).name)


def check_symbols(path: Path, model: str) -> None:
    """See that an object file is pure: it exports the net, asks libm, holds no variable."""
    for line in run(["nm", "-f", "posix", path], path.parent).splitlines():
        name, kind, *_ = line.split()
        if kind == "U":
            assert name in LIBM | ASKED_BY_COMPILERS, name
        elif kind.isupper():
            assert kind == "T" and name.startswith(f"{model}_"), line
        else:
            assert kind in "tr", line


@pytest.mark.parametrize(
    "planted",
    ["static int calls; int net_calls(void) { return ++calls; }"]
    + ["#include <stdlib.h>\nvoid *net_room(void) { return malloc(9); }"]
    + ['#include <stdio.h>\nvoid net_say(void) { puts(""); }', "int net_state = 1;"]
    + ["int helper(void); int helper(void) { return 1; }"],
)
def test_what_is_not_pure_is_found(planted: str, tmp_path: Path) -> None:
    (tmp_path / "net.c").write_text(planted)
    run([COMPILERS[0], "-c", "net.c"], tmp_path)
    with pytest.raises(AssertionError):
        check_symbols(tmp_path / "net.o", "net")


def zoned(header: str, model: str) -> str:
    """Put 64 bytes behind each array of the workspace, which the driver lets nobody touch."""
    end = header.index(f"}} {model}_workspace;")
    start = header.rindex("typedef struct {", 0, end)
    numbers = itertools.count(1)
    body, count = re.subn(
        r"^  \w+ \w+\[\d+\];.*$",
        lambda member: f"{member[0]}\n  unsigned char zone{next(numbers)}[64];",
        header[start:end],
        flags=re.M,
    )
    assert count > 4
    zones = " ".join(f"X(zone{number + 1})" for number in range(count))
    whole = f"{header[:start]}{body}{header[end:]}\n#define ZONES(X) {zones}\n"
    for what in ("model", "workspace"):
        said = rf"(#define \w+_{what.upper()}_BYTES) \d+"
        whole = re.sub(said, rf"\1 sizeof({model}_{what})", whole)
    return whole


def test_any_number_of_threads_gives_the_same(folder: Callable[[str], Path]) -> None:
    """To the bit: a strip of a product is computed as by one thread."""
    text = TABLE["wide"]
    assert "#pragma omp" in emitted(text)[".c"]
    place, build = folder(text), Build("16", "float", ("-O2",))
    command, program = [*build.command(text), *driver_flags(text)], "./threads"
    try:
        run([*command, "-fopenmp", "-o", program, DRIVER, "net.c", "-lm"], place)
    except AssertionError as error:
        if "gomp" in str(error) or "omp.h" in str(error):
            pytest.skip("the compiler has no OpenMP")
        raise
    run([*command, "-o", "./alone", DRIVER, "net.c", "-lm"], place)
    alone = run(["./alone", "0"], place)
    for threads in ("1", "2", "3"):
        assert run(["env", f"OMP_NUM_THREADS={threads}", program, "0"], place) == alone


SANITIZED_SPECS = {
    "disk": ("64", "float"),
    "digits": ("32", "double"),
    "widths 1 to 5": ("64", "double"),
    "wide": ("32", "float"),
    "positions": ("16", "float"),
    "a panel of few rows": ("64", "double"),
    "a wide layer before a narrow one": ("32", "float"),
    "starts": ("0", "double"),
    "every activation": ("64", "float"),
    "definitions": ("32", "double"),
    "state of layers": ("64", "float"),
    "wide state": ("32", "double"),
    "norms of rows": ("16", "float"),
    "narrow state": ("0", "double"),
}


@pytest.mark.parametrize("name", SANITIZED_SPECS)
def test_sanitizers_find_nothing(name: str, tmp_path: Path) -> None:
    width, kind = SANITIZED_SPECS[name]
    sanitized(TABLE[name], width if width in widths() else "16", kind, tmp_path)


def sanitized(
    text: str, width: str, kind: str, folder: Path, right: str = "", wrong: str = ""
) -> None:
    """Run a net under the sanitizers, with `wrong` in place of what is `right` in it."""
    made = emitted(text)
    assert not right or (made[".c"] + made[".h"]).count(right) == 1
    header = zoned(
        made[".h"].replace(right, wrong) if right else made[".h"], checked(text).name
    )
    (folder / "net.h").write_text(header)
    (folder / "net.c").write_text(
        made[".c"].replace(right, wrong) if right else made[".c"]
    )
    driven(folder, text, Build(width, kind, tuple(SANITIZED)))


FAULTS = {
    "a short array": ("disk_real relu1[256];", "disk_real relu1[225];"),
    "one sample more": (
        "at + (size_t)s;\n    memcpy",
        "at + (size_t)s + 1;\n    memcpy",
    ),
    "one target more": ("w->label[s] = y[k]", "w->label[s] = y[k + 1]"),
    "a large shift": ("(z ^ (z >> 30))", "(z ^ (z >> (z & 127)))"),
    "vectors that are aligned": ("aligned(REAL_BYTES), may_alias", "may_alias"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_sanitizers_find_a_planted_fault(fault: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Sanitizer|runtime error"):
        sanitized(TABLE["disk"], list(widths())[-1], "float", tmp_path, *FAULTS[fault])


WRONG = {
    "a sum of some lanes": ("lane[i] += lane[i + half];", "lane[i] += lane[half];"),
    "a stream that depends on the width": (
        "(index + 1) * GOLDEN",
        "(index + LANES) * GOLDEN",
    ),
    "the padding of a gradient": ("memset(g, 0, sizeof *g);", ""),
}


@pytest.mark.parametrize("fault", WRONG)
def test_the_driver_finds_a_planted_fault(fault: str, tmp_path: Path) -> None:
    right, wrong = WRONG[fault]
    made = emitted(TABLE["disk"])
    assert made[".c"].count(right) == 1
    (tmp_path / "net.h").write_text(made[".h"])
    (tmp_path / "net.c").write_text(made[".c"].replace(right, wrong))
    widest = list(widths())[-1]
    scalar, vector = (Build(width, "double", ("-O0",)) for width in ("0", widest))
    with pytest.raises(AssertionError):
        expected = driven(tmp_path, TABLE["disk"], scalar)
        assert apart(driven(tmp_path, TABLE["disk"], vector), expected) <= 1e-12


# Training in C.

ENDED = ("epochs", "early_stopping", "callback", "interrupted", "non_finite")
Logs = list[list[float]]


class Samples(ctypes.Structure):
    """Samples as the header declares them."""

    _fields_ = [("x", ctypes.c_void_p), ("y", ctypes.c_void_p), ("n", ctypes.c_size_t)]


class Native:
    """A net in C without its Python module: what it needs is given here."""

    def __init__(self, text: str, library: str, kind: str = "double") -> None:
        model = checked(text)
        header = emitted(text)[".h"]
        self.c, self.name, self.model = ctypes.CDLL(library), model.name, model
        self.real: Any = np.float64 if kind == "double" else np.float32
        self.label: Any = np.int64 if model.target.dtype == "int" else self.real

        def sized(what: str) -> Any:
            double, single = re.findall(rf"_{what}_BYTES (\d+)", header)
            size = int(double if kind == "double" else single)
            return np.full(size // 8 + 8, np.nan)  # junk

        self.memory, self.run = sized("MODEL"), sized("RUN")
        self.count = int(re.findall(r"_PARAMETERS = (\d+)", header)[0])
        self.figures = 1 + len(model.metrics)

    def call(self, name: str, *given: Any, gives: Any = None) -> Any:
        function = getattr(self.c, f"{self.name}_{name}")
        function.restype = gives
        return function(*given)

    def at(self, array: Any) -> ctypes.c_void_p:
        return ctypes.c_void_p(None if array is None else array.ctypes.data)

    def init(self, seed: int) -> None:
        self.call("init", self.at(self.memory), ctypes.c_uint64(seed))

    def parameters(self) -> Any:
        flat = np.empty(self.count, self.real)
        self.call("get", self.at(self.memory), self.at(flat))
        return flat

    def fit(
        self,
        data: Sequence[Any],
        epochs: int,
        seed: int = 0,
        stop: Callable[[int], bool] = lambda epoch: False,
    ) -> dict[str, Any]:
        """Train; give how it ended, every epoch's figures, and its parameters."""
        x, y, x_val, y_val = data
        logs: Logs = []
        states: list[Any] = []
        figures = self.figures

        def called(now: Any, user: Any) -> int:
            epoch, validated = ctypes.cast(now + 8 * (2 * figures + 1), INT32)[:2]
            numbers = ctypes.cast(now, DOUBLE)[: 2 * figures + 1]
            told = [*numbers[:figures], *numbers[figures : 2 * figures * validated]]
            logs.append([epoch, numbers[-1], *told])
            states.append(self.parameters())
            return int(stop(epoch))

        order = np.full(2 * len(x) + 1, 2**32 - 1, np.uint32)
        train = Samples(self.at(x), self.at(y), len(x))
        held_out = None
        if x_val is not None:
            held_out = Samples(self.at(x_val), self.at(y_val), len(x_val))
        ended = self.call(
            "fit",
            *(self.at(self.memory), self.at(self.run), ctypes.byref(train)),
            None if held_out is None else ctypes.byref(held_out),
            *([self.at(order)] if self.model.train.shuffle else []),
            *(ctypes.c_int32(epochs), ctypes.c_uint64(seed), CALLBACK(called), None),
            gives=ctypes.c_int,
        )
        return {
            "ended": ENDED[ended],
            "logs": logs,
            "states": states,
            "parameters": self.parameters(),
        }


DOUBLE = ctypes.POINTER(ctypes.c_double)
INT32 = ctypes.POINTER(ctypes.c_int32)
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def samples(native: Native, count: int, seed: int) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    model = native.model
    x = draw.uniform(-1, 1, (count, *model.input.shape)).astype(native.real)
    top = model.output_shape[-1] if model.target.dtype == "int" else 2
    y = draw.integers(0, top, (count, *model.target.shape)).astype(native.label)
    return x, y


def module_in(folder: Path) -> ModuleType:
    """Import net.py, which stands beside its net.c."""
    name = f"net_in_{folder.name}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, folder / "net.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def fit_in_python(
    module: Any, data: Sequence[Any], native: Native, epochs: int, stop: Any
) -> dict[str, Any]:
    """Give the same as `Native.fit`."""
    model = module.Model(dtype=native.real)
    states: list[Any] = []

    def called(epoch: int, logs: dict[str, float]) -> bool:
        states.append(flat(model))
        return bool(stop(epoch))

    history = model.fit(*data, epochs=epochs, callback=called)
    names = [["epoch", "lr", *(n for n in log if "_" in n)] for log in history]
    return {
        "ended": history.stopped_by,
        "logs": [[log[n] for n in ns] for log, ns in zip(history, names, strict=True)],
        "states": states,
        "parameters": flat(model),
    }


def flat(model: Any) -> Any:
    return np.concatenate([p.ravel() for p in model.parameters.values()])


def never(epoch: int) -> bool:
    return False


def growing(sgd: str, batch: int, more: str = "") -> str:
    return GROWING.format(sgd=sgd, batch=batch) + more


FITS: dict[str, tuple[str, int, Callable[[int], bool]]] = {
    "disk": (example("disk"), 6, never),
    "iris": (example("iris"), 6, never),
    "one epoch": (TABLE["best accuracy"], 1, never),
    "stopped early": (TABLE["best accuracy"], 30, never),
    "stopped early, all losses": (TABLE["decay alone"], 30, never),
    "the last is kept": (TABLE["parts and momentum"], 30, never),
    "stopped by the callback": (TABLE["disk"], 9, lambda epoch: epoch == 3),
    "stopped at once": (TABLE["eight"], 9, lambda epoch: True),
    "short batches dropped": (TABLE["seven"], 5, never),
    "positions": (TABLE["positions"], 3, never),
    "state of layers": (TABLE["state of layers"], 9, never),
    "state of rows": (TABLE["norms of rows"], 3, never),
    "exploding": (growing("lr=1e3", 50), 300, never),
    "exploding in batches": (growing("lr=0.9, momentum=0.5", 5), 300, never),
    "exploding, the best kept": (
        growing("lr=3", 6, "early_stopping(patience=300)"),
        300,
        never,
    ),
}


DOUBLE_FITS = {name for name in FITS if "exploding" in name or "stopped" in name}


@pytest.mark.parametrize("name", FITS)
def test_fit_is_that_of_the_module(name: str, folder: Callable[[str], Path]) -> None:
    """The program that calls C gets what Python gets: to the bit, from the same library."""
    text, epochs, stop = FITS[name]
    kind = "double" if name in DOUBLE_FITS else "float"
    module = module_in(folder(text))
    native = Native(
        text, module.library("_double" if kind == "double" else "")._name, kind
    )
    count = 301 if "parts" in name or "last" in name else 60
    data = [*samples(native, count, 1), *samples(native, 23, 2)]
    native.init(module.SEED)
    found = native.fit(data, epochs, module.SEED, stop)
    expected = fit_in_python(module, data, native, epochs, stop)
    assert found["ended"] == expected["ended"]
    assert found["logs"] == expected["logs"]
    for mine, theirs in zip(found["states"], expected["states"], strict=True):
        assert mine.tobytes() == theirs.tobytes()
    assert found["parameters"].tobytes() == expected["parameters"].tobytes()
    if "exploding" in name:
        assert found["ended"] == "non_finite" and np.isfinite(found["parameters"]).all()


@pytest.mark.parametrize("name", [name for name in FITS if "exploding" in name])
def test_what_is_left_of_an_exploding_fit_is_as_with_numpy(
    name: str, folder: Callable[[str], Path]
) -> None:
    text, epochs, _ = FITS[name]
    native = Native(text, module_in(folder(text)).library("_double")._name)
    data = [*samples(native, 60, 1), *samples(native, 23, 2)]
    native.init(0)
    found = native.fit(data, epochs)
    model = module_of_spec(text, target="numpy")._inner.Model(dtype="float64")
    history = model.fit(*data, epochs=epochs)
    assert found["ended"] == history.stopped_by == "non_finite"
    assert len(found["logs"]) == len(history)
    np.testing.assert_allclose(found["parameters"], flat(model), rtol=1e-9)


def library_told(
    text: str, figure: str, folder: Path, right: str = "", wrong: str = ""
) -> str:
    """Build a net whose validation says what x_val holds, epoch by epoch."""
    name = checked(text).name
    source = emitted(text)[".c"].replace(right, wrong) if right else emitted(text)[".c"]
    evaluated = rf"now\.validation = {name}_evaluate\([^;]*\);"
    told = f"(void)w, now.validation.{figure} = validation->x[epoch];"
    source, count = re.subn(evaluated, told, source)
    assert count == 1
    (folder / "net.h").write_text(emitted(text)[".h"])
    (folder / "told.c").write_text(source)
    command = Build("16", "double", ("-O0",)).command(text)
    run([*command, "-fPIC", "-shared", "-o", "told.so", "told.c", "-lm"], folder)
    return str(folder / "told.so")


def patient(early: str) -> str:
    more = f"metric accuracy early_stopping({early})"
    return spec(SMALL, y="real[3]", train="batch_size=2", more=more)


def check_traces(
    text: str, rule: Any, traces: Iterable[list[float]], library: str
) -> None:
    """See that a fit in C ends and keeps what the rule says, whatever validation says."""
    for trace in traces:
        native = Native(text, library)
        x, y = samples(native, 3, 0)
        x_val = np.array(trace)
        native.init(0)
        found = native.fit([x, y, x_val, y], len(trace))
        last, best = rule(trace)
        states = [state.tobytes() for state in found["states"]]
        assert len(found["logs"]) == last + 1 == len(set(states))
        assert found["parameters"].tobytes() == states[best]
        early = len(trace) > last + 1 or found["ended"] == "early_stopping"
        assert found["ended"] == ("early_stopping" if early else "epochs")


def drawn_traces() -> list[list[float]]:
    """Draw traces of figures that are often equal, and often no numbers."""
    draw = random.Random(0)
    values = [0.0, 0.5, 1.0, 1.25, 2.0, 3.0, np.nan, np.inf, -np.inf]
    return [draw.choices(values, k=draw.randint(1, 9)) for _ in range(60)]


@pytest.mark.parametrize("early", VARIANTS)
def test_early_stopping_keeps_its_rule(early: str, tmp_path: Path) -> None:
    monitor, (patience, delta, sign, start) = VARIANTS[early]
    text = patient(early)
    library = library_told(text, monitor.removeprefix("val_"), tmp_path)

    def rule(trace: list[float]) -> tuple[int, int]:
        return ruled(trace, patience, delta, sign, start)

    check_traces(text, rule, drawn_traces(), library)


def test_early_stopping_on_traces_written_out(tmp_path: Path) -> None:
    text = patient("patience=2")
    library = library_told(text, "loss", tmp_path)
    for trace, last, best in TRACES.values():
        check_traces(text, lambda _, end=(last, best): end, [trace], library)


LATE = {
    "an epoch late": ("run->waited >= NET_PATIENCE", "run->waited > NET_PATIENCE"),
    "the last kept": ("run->best = m->parameters;", "(void)m;"),
    "ties count": ("value < run->best_value", "value <= run->best_value"),
    "infinity counts": (
        "if (isfinite(value) && value < run->best_value)",
        "if (value < run->best_value)",
    ),
}


@pytest.mark.parametrize("fault", LATE)
def test_a_fault_of_early_stopping_is_found(fault: str, tmp_path: Path) -> None:
    text = patient("patience=2")
    right, wrong = LATE[fault]
    assert emitted(text)[".c"].count(right) == 1
    library = library_told(text, "loss", tmp_path, right, wrong)
    with pytest.raises(AssertionError):
        check_traces(
            text, lambda trace: ruled(trace, 2, 0, 1, 0), drawn_traces(), library
        )


# The functions of float32.


@pytest.fixture
def ulp(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import benchmarks/ulp.py, the command for the proof over all inputs."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("ulp")


def test_functions_are_within_2_ulp(
    ulp: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """At a million floats and all special ones, at every width of vectors."""
    assert ulp.main(["--stride", "4093"]) == 0
    said = capsys.readouterr().out
    lines = [line.split()[0] for line in said.splitlines()[:-1]]
    assert set(lines) == {
        *("exp", "expm1", "log1p", "tanh", "sigmoid", "erf", "sin", "cos")
    }
    assert len(lines) >= 4 * len(widths())
    assert "every 4093th input: within 2 ulp" in said


ELEMENTARY = {
    "a coefficient of exp": ("p * r + 0.500000358f", "p * r + 0.500001f"),
    "NaN of log1p": ("0x400000u)", "0)"),
    "the sign of tanh": ("bits_of(t) | sign", "bits_of(t)"),
    "sigmoid far below 0": ("x < -105.0f", "x < -85.0f"),
    "expm1 far above 0": ("fill(2.0f), fill(1.0f)", "fill(1.0f), fill(1.0f)"),
    "expm1 far below 0": ("x < -18.0f), fill(-18.0f)", "x < -13.0f), fill(-13.0f)"),
    "a coefficient of erf": ("p * w + 0.112816826f", "p * w + 0.11282f"),
    "a part of pi": ("low = n * 2.563344e-12f", "low = n * 2.563344e-11f"),
    "the quadrant of cos": ("sine(x, 1)", "sine(x, 3)"),
    "sin far away": ("> 12000.0f", "> 90000.0f"),
    "where erf is 1": ("a > 4.0f), fill(4.0f)", "a > 3.0f), fill(3.0f)"),
}


@pytest.mark.parametrize("fault", ELEMENTARY)
def test_a_fault_of_a_function_is_found(
    fault: str, ulp: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = ELEMENTARY[fault]

    def broken(*given: Any, **named: Any) -> Any:
        made = compile_source(*given, **named)
        assert made.beside[".c"].count(right) == 1
        text = made.beside[".c"].replace(right, wrong)
        return replace(made, beside={**made.beside, ".c": text})

    monkeypatch.setattr("specc.compiler.compile_source", broken)
    monkeypatch.setattr(ulp, "WIDTHS", {"scalar": ulp.WIDTHS["scalar"]})
    assert ulp.main(["--stride", "20011", "--optimize=-O1"]) == 1


# The example.


def test_the_example_does_what_its_readme_says(tmp_path: Path) -> None:
    """Its commands, one after another, in a copy of the folder; then strictly compiled."""
    place = tmp_path / "examples" / "c"
    shutil.copytree(ROOT / "examples" / "c", place)
    shutil.copy(ROOT / "examples" / "disk.spec", place.parent)
    (tmp_path / "bin").mkdir()
    specc = tmp_path / "bin" / "specc"
    specc.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m specc "$@"\n')
    specc.chmod(0o755)
    path = f"{specc.parent}{os.pathsep}{os.environ['PATH']}"
    readme = (place / "README.md").read_text()
    commands, shown = re.findall(r"^```\n(.*?)^```$", readme, re.S | re.M)
    done = subprocess.run(
        ["sh", "-e", "-c", commands],
        cwd=place,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for printed in (shown, done.stdout):
        ended, accuracy = printed.splitlines()[-2:]
        assert re.fullmatch(r"\d+ epochs \(stopped early\), kept epoch \d+", ended)
        numbers = re.fullmatch(r"accuracy (.*)%, validation (.*)%", accuracy)
        assert numbers is not None
        assert min(map(float, numbers.groups())) > 97.5
    assert "epoch  20  loss 0." in done.stdout
    for program in ("train_disk.c", "make_data.c"):
        run([COMPILERS[0], *STRICT, "-O2", "-c", program], place)
    run(["./train_disk", "train.bin", "train.bin"], place)
    wrong = subprocess.run(["./train_disk", "none", "train.bin"], cwd=place)
    assert wrong.returncode == 1
