"""Specs at random: a fixed two hundred of them, those that failed once, and as many as one likes.

`python -m tests.fuzz.test_random_specs 10000 0` tries 10,000 of them from seed 0. With `--target c`
all are compiled for C, and `--checks c-api ownership overflow` are then made of each, and not one
by chance. What fails is made as small as it can be and kept in `regressions/`, which the tests here
go through.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.internal.conjecture import engine

from specc.library import VOCABULARY
from tests.cases.modules import TARGETS
from tests.fuzz.random_checks import ALONE, OTHERS, of_text, problems
from tests.fuzz.random_specs import Spec, specs

REGRESSIONS = Path(__file__).parent / "regressions"
KEPT = sorted(REGRESSIONS.glob("*.spec"))
CHUNK = 100
"""Specs of one process: what it imports stays in memory."""
SHRINKING = 60
"""Seconds that making a spec small may take."""
FIXED = 20
"""Specs of each test here, of which there are ten."""


pytestmark = pytest.mark.usefixtures("one_thread")


class Tried:
    """How many specs were tried, and the smallest that failed last."""

    def __init__(self) -> None:
        self.count = 0
        self.failed: Spec | None = None
        self.why: list[str] = []


def trial(
    first: int,
    count: int,
    shrinks: bool = False,
    target: str = "",
    checks: Sequence[str] = (),
) -> Tried:
    """Try so many specs; the same seed gives the same ones. What fails may be made small."""
    tried = Tried()

    @seed(first)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(specs())
    def run(spec: Spec) -> None:
        tried.count += tried.failed is None
        digest = hashlib.sha256(spec.text.encode()).digest()
        try:
            found = list(problems(spec, random.Random(digest), target, checks))
        except Exception as error:  # of the compiler, or of a module
            found = [f"{type(error).__name__}: {error}"]
        if found:
            tried.failed, tried.why = spec, found
        assert not found

    try:
        run()
    except AssertionError:
        if tried.failed is None:
            raise
    return tried


def keep(spec: Spec, why: list[str]) -> Path:
    """Write a spec that failed among the regressions, with what was wrong."""
    name = hashlib.sha256(spec.text.encode()).hexdigest()[:8]
    path = REGRESSIONS / f"{name}.spec"
    told = "".join(f"# {line.splitlines()[0]}\n" for line in why[:3])
    path.write_text(told + spec.text, encoding="utf-8")
    return path


@pytest.mark.parametrize("first", range(10))
def test_specs_at_random_are_right(first: int) -> None:
    """Compiled, clean, the same bytes twice; gradients to 1e-9, twenty steps, a fit, a relation."""
    tried = trial(first, FIXED)
    assert tried.failed is None, f"{tried.why}\n{tried.failed.text}"
    assert tried.count >= FIXED


def kept() -> list[tuple[str, str]]:
    """Give every spec that failed, with the target of which it was a module's, or with all."""
    found = []
    for path in KEPT:
        first = re.match(r"# (\w+),", path.read_text(encoding="utf-8"))
        targets = (first[1],) if first and first[1] in TARGETS else TARGETS
        found += [(path.stem, target) for target in targets]
    return found


@pytest.mark.parametrize(("stem", "target"), kept())
def test_what_failed_once_is_right(stem: str, target: str) -> None:
    text = (REGRESSIONS / f"{stem}.spec").read_text(encoding="utf-8")
    failed = re.match(r"# \w+, ([\w -]+),", text)
    checks = ("autograd", "optimizer", failed[1]) if failed else ALONE
    assert list(of_text(text, target, checks)) == []


def test_every_word_is_drawn() -> None:
    """Among five hundred specs, every word that a spec may have but data."""
    texts: list[str] = []

    @seed(0)
    @settings(
        max_examples=500,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(specs())
    def draw(spec: Spec) -> None:
        texts.append(spec.text)

    draw()
    said = re.findall(r"\w+", " ".join(texts))
    words = {w for kind, ws in VOCABULARY.items() if kind != "data" for w in ws}
    assert words - set(said) == set()


def main() -> None:
    """Try many, a process for each chunk of them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--target", choices=TARGETS, default="")
    parser.add_argument("--checks", nargs="+", choices=OTHERS, default=[])
    parser.add_argument("--chunk", action="store_true", help="in this process, once")
    asked = parser.parse_args()
    count, first = asked.count, asked.seed
    if asked.chunk:
        torch.set_num_threads(1)
        engine.MAX_SHRINKING_SECONDS = SHRINKING
        tried = trial(first, count, True, asked.target, asked.checks)
        if tried.failed is not None:
            print(f"FAILED {keep(tried.failed, tried.why)}: {tried.why}", flush=True)
        print(f"TRIED {tried.count}", flush=True)
        return
    start, done, failed = time.time(), 0, 0
    number = 0
    while done < count:
        command = [sys.executable, "-m", "tests.fuzz.test_random_specs", str(CHUNK)]
        command += [str(1000 + first * 100_000 + number), "--chunk"]
        command += ["--target", asked.target] if asked.target else []
        command += ["--checks", *asked.checks] if asked.checks else []
        ran = subprocess.run(command, capture_output=True, text=True)
        lines = ran.stdout.splitlines()
        tried = [int(line.split()[1]) for line in lines if line.startswith("TRIED")]
        done += sum(tried) or count  # a chunk that tried none would do so for ever
        bad = [line for line in lines if line.startswith("FAILED")]
        bad += [] if ran.returncode == 0 else [ran.stderr[-2000:]]
        failed += len(bad)
        print(*bad, sep="\n", end="\n" if bad else "", flush=True)
        number += 1
        if number % 5 == 0:
            print(f"{done:,} specs, {time.time() - start:.0f} s", flush=True)
    print(f"{done:,} specs in {time.time() - start:.0f} s, {failed} failed", flush=True)


if __name__ == "__main__":
    main()
