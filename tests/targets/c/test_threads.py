"""The C source in several threads and after a fork: as the header says which calls may meet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from specc.compiler import Request, compile_source
from tests.cases.modules import source

pytestmark = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("gcc"), reason="needs gcc and POSIX"
)
NET = """model net
input  x: real[30]
target y: real[1]
layers { standardize linear(24) batch_norm relu dropout(0.2) linear(1) sigmoid }
loss binary_cross_entropy
optimizer adam(lr=0.01)
train(epochs=2, batch_size=16)
metric accuracy
"""
WIDE = """model net
input  x: real[64]
target y: real[4]
layers { linear(256) relu linear(192) tanh linear(4) }
loss mse
optimizer sgd(lr=0.1)
train(epochs=2, batch_size=32)
"""
READERS = """
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "net.h"

enum { THREADS = 4, N = 300, CALLS = 8, SIZES = 4 };
static const size_t sizes[SIZES] = {1, 7, 40, N};
static NET_ALIGNED net_model net, other[THREADS];
static NET_ALIGNED net_workspace workspaces[THREADS];
static net_real x[N][NET_INPUT], y[N][NET_TARGET];
static net_real right[SIZES][N][NET_OUTPUT], found[THREADS][N][NET_OUTPUT];
static net_parameters g[THREADS];
static int wrong[THREADS];

static void *work(void *given) {
  const int number = (int)(size_t)given;
  const net_model *m = &net; /* reading asks for no more */
  net_workspace *w = number ? &workspaces[number] : &net.workspace;
  for (int i = 0; i < CALLS; ++i) {
    const int at = (i + number) % SIZES;
    const size_t n = sizes[at];
    net_predict(m, w, x[0], n, found[number][0]);
    wrong[number] += memcmp(found[number], right[at], n * sizeof right[0][0]) != 0;
    wrong[number] += !(net_evaluate(m, w, x[0], y[0], n).loss > 0);
    const double loss = net_loss_and_gradients(m, w, x[0], y[0], 16, &g[number], NULL, 1);
    wrong[number] += !(loss > 0);
    net_train_step(&other[number], x[0], y[0], 16, 0.01); /* a model of its own */
  }
  return NULL;
}

int main(void) {
  for (int i = 0; i < N; ++i) {
    for (int k = 0; k < NET_INPUT; ++k) x[i][k] = (net_real)((i * 7 + k * 13) % 31) / 31;
    y[i][0] = (net_real)(i % 2);
  }
  net_init(&net, 1);
  for (int i = 0; i < THREADS; ++i) net_init(&other[i], 1);
  for (int i = 0; i < 20; ++i) net_train_step(&net, x[16 * i], y[16 * i], 16, 0.01);
  for (int i = 0; i < SIZES; ++i)
    net_predict(&net, &net.workspace, x[0], sizes[i], right[i][0]);
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, work, (void *)i);
  int sum = 0;
  for (int i = 0; i < THREADS; ++i) {
    pthread_join(threads[i], NULL);
    sum += wrong[i] + (memcmp(&g[i], &g[0], sizeof g[0]) != 0);
    sum += memcmp(&other[i].parameters, &other[0].parameters, sizeof g[0]) != 0;
  }
  printf("%d wrong\\n", sum);
  return 0;
}
"""
FORKS = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "net.h"

enum { N = 64 };
static NET_ALIGNED net_model net;
static net_real x[N][NET_INPUT], y[N][NET_TARGET], right[N][NET_OUTPUT], found[N][NET_OUTPUT];

int main(void) {
  for (int i = 0; i < N; ++i)
    for (int k = 0; k < NET_INPUT; ++k) x[i][k] = (net_real)((i * 7 + k * 13) % 31) / 31;
  net_init(&net, 1);
  net_train_step(&net, x[0], y[0], N, 0.1);
  net_predict(&net, &net.workspace, x[0], N, right[0]);
  const pid_t child = fork();
  if (!child) {
    alarm(20);
    net_predict(&net, &net.workspace, x[0], N, found[0]);
    int wrong = memcmp(found, right, sizeof right) != 0;
    net_train_step(&net, x[0], y[0], N, 0.1);
    _exit(wrong);
  }
  int status;
  waitpid(child, &status, 0);
  printf("%d\\n", status);
  return 0;
}
"""
FORKS_OF_PYTHON = """
import multiprocessing, numpy as np, net
draw = np.random.default_rng(0)
x, y = draw.random((64, 64)), draw.random((64, 4))
model = net.Model(dtype="float64")
model.fit(x, y, epochs=1)
expected = model.predict(x)

def child():
    assert (model.predict(x) == expected).all()
    model.fit(x, y, epochs=1)
    narrow = x.astype("float32"), y.astype("float32")
    net.Model().fit(*narrow, epochs=1)  # of a library that its parent did not load

process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join(20)
print(process.exitcode)
process.kill()
"""


def files(text: str, folder: Path) -> None:
    """Compile a spec for C into a folder, as `net`."""
    made = compile_source(source(text), Request(target="c", stem="net"))
    assert made.text is not None, made.diagnostics
    for ending, part in {".py": made.text, **made.beside}.items():
        (folder / f"net{ending}").write_text(part)


def built(program: str, folder: Path, *flags: str) -> None:
    """Build a program with the net; skip where the compiler lacks what a flag asks for."""
    (folder / "main.c").write_text(program)
    command = "gcc -std=gnu99 -Wall -Wextra -Werror -O1 -o main main.c net.c".split()
    done = subprocess.run(
        [*command, *flags, "-lm"], cwd=folder, capture_output=True, text=True
    )
    if "cannot find" in done.stderr or "libgomp.spec" in done.stderr:
        pytest.skip(f"the compiler has no {flags}")
    assert done.returncode == 0, done.stderr


def said(*command: str, folder: Path, **more: str) -> str:
    """Run a command in a folder that has to succeed; return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer does not run here")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("text", [NET, WIDE], ids=["state", "wide"])
def test_threads_that_read_one_model_do_not_meet(text: str, tmp_path: Path) -> None:
    """Under the thread sanitizer, each with a workspace and a model that it trains."""
    files(text, tmp_path)
    program = READERS
    if text is WIDE:
        program = program.replace(", NULL, 1)", ", NULL)")  # it has no modes
    built(program, tmp_path, "-fsanitize=thread", "-pthread")
    assert said("./main", folder=tmp_path) == "0 wrong"


def test_a_workspace_that_threads_share_is_seen(tmp_path: Path) -> None:
    files(NET, tmp_path)
    own = "number ? &workspaces[number] : &net.workspace"
    program = READERS.replace(own, "&workspaces[0]")
    assert program != READERS
    built(program, tmp_path, "-fsanitize=thread", "-pthread")
    done = subprocess.run(
        "./main",
        cwd=tmp_path,
        env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1"},
        capture_output=True,
        text=True,
    )
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer does not run here")
    assert "data race" in done.stderr


def test_a_forked_child_does_not_wait_for_threads(tmp_path: Path) -> None:
    files(WIDE, tmp_path)
    built(FORKS, tmp_path, "-fopenmp")
    assert said("./main", folder=tmp_path, OMP_NUM_THREADS="3") == "0"


def test_a_forked_child_of_python_does_not_either(tmp_path: Path) -> None:
    files(WIDE, tmp_path)
    more = {"CC": "gcc -fopenmp -O0", "SPECC_CACHE": str(tmp_path / "cache")}
    command = (sys.executable, "-B", "-c", FORKS_OF_PYTHON)
    asked = [*more["CC"].split(), "-E", "-xc", os.devnull]
    if subprocess.run(asked, capture_output=True).returncode:
        pytest.skip("the compiler has no OpenMP")
    assert said(*command, folder=tmp_path, OMP_NUM_THREADS="3", **more) == "0"
