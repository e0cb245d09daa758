"""Which checks of `specc verify` find a fault: each in a process of its own, which may hang or die.

`python -m tests.verify.mutation.examine torch disk wine` writes what it finds, a JSON line a fault.
What an earlier example has in the same function and line is not planted again, nor what those of
`--after` have; `--every 3` examines a third of the rest, `--first 1` another. With `--unexplained`
what has a reason in `equivalent.py` is told without being tried. With `--again` it is the other
way round: planted is what an earlier example has too, where the reason is that example's own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from specc.model.model import Model
from specc.verify.checks import CHECKS, findings
from tests.verify.mutation.c_faults import c_faults, shared
from tests.verify.mutation.equivalent import own_reason, reason
from tests.verify.mutation.faults import Fault, faults

PATIENCE = 30
"""Seconds of a check after which a module hangs: the slowest of a sound one takes six."""


def killers(
    model: Model,
    target: str,
    files: Mapping[str, str],
    everything: bool = False,
    checks: Sequence[str] = tuple(check.name for check in CHECKS),
) -> list[str]:
    """Name the checks that find fault with a module's files (ending -> text).

    Without `everything` it is the first alone. What cannot be imported is found by `import`, what
    does not end by `hangs`, what kills its process by `dies`.
    """
    importlib.import_module("torch._dynamo")  # of optimizers: once, not in each child
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            found = _examined(model, target, files, everything, checks)
            os.write(writing, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if answer:
        return list(json.loads(answer))
    hangs = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
    return ["hangs"] if hangs else ["dies"]


def _examined(
    model: Model,
    target: str,
    files: Mapping[str, str],
    everything: bool,
    checks: Sequence[str],
) -> list[str]:
    import torch

    from specc.run.emitted import imported
    from specc.verify.compare.subject import subject

    torch.set_num_threads(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    found: list[str] = []
    with tempfile.TemporaryDirectory(prefix="specc_fault_") as folder:
        place = Path(folder) / "net.py"
        for ending, text in files.items():
            place.with_name(f"net{ending}").write_text(text, encoding="utf-8")
        try:
            module = imported(place)
            if hasattr(module, "FLAGS"):  # in C: built in half the time
                quick = {"-O3": "-O1"}
                module.FLAGS = tuple(quick.get(flag, flag) for flag in module.FLAGS)
        except Exception:
            return ["import"]
        examined = subject(model, module, target, 16, 0)
        for check in CHECKS:
            if check.name not in checks:
                continue
            signal.alarm(
                PATIENCE
            )  # which ends the process, also where C does not return
            told = findings(check, examined, whole=False)
            if any(not finding.ok for finding in told):
                found.append(check.name)
                if not everything:
                    break
    return found


def _told(example: str, target: str, fault: Fault, found: list[str]) -> dict[str, Any]:
    return {
        "example": example,
        "target": target,
        "kind": fault.kind,
        "function": fault.function,
        "old": fault.old,
        "new": fault.new,
        "killed_by": found,
    }


def _sound(example: str, target: str) -> dict[str, str]:
    """Give the files of an example's module, by their endings."""
    from specc.compiler import Request, compile_source
    from tests.cases.modules import example as text_of
    from tests.cases.modules import source

    made = compile_source(source(text_of(example)), Request(target=target, stem="net"))
    assert made.text is not None
    return {".py": made.text, **made.beside}


def _in_python(example: str, target: str) -> Iterator[tuple[Fault, dict[str, str]]]:
    for fault in faults(_sound(example, target)[".py"]):
        yield fault, {".py": fault.text}


def _in_c(example: str) -> Iterator[tuple[Fault, dict[str, str]]]:
    files = _sound(example, "c")
    other = _sound("iris" if example != "iris" else "disk", "c")
    kernels = shared(files[".c"], other[".c"])
    double = re.findall(r"\w+_DOUBLE", files[".c"])[0]
    for fault in c_faults(files[".c"], kernels, (f"-D{double}",)):
        yield fault, files | {".c": fault.text}


def _planted(name: str, target: str) -> list[tuple[Fault, dict[str, str]]]:
    """Give every fault of an example, and the files of each."""
    return list(_in_c(name) if target == "c" else _in_python(name, target))


def distinct(
    examples: Sequence[str], target: str
) -> Iterator[tuple[str, list[tuple[Fault, dict[str, str]]]]]:
    """Give each example with the faults that no earlier one has, and the files of each."""
    seen: set[tuple[str, ...]] = set()
    for name in examples:
        pairs = _planted(name, target)
        yield name, [pair for pair in pairs if _key(name, pair[0]) not in seen]
        seen.update(_key(name, fault) for fault, _ in pairs)


def again(
    examples: Sequence[str], target: str
) -> Iterator[tuple[str, list[tuple[Fault, dict[str, str]]]]]:
    """Give each example with the faults that one before has for a reason of its own alone."""
    excused: set[tuple[str, ...]] = set()
    for name in examples:
        pairs = _planted(name, target)
        keys = [_key(name, fault) for fault, _ in pairs]
        both = list(zip(keys, pairs, strict=True))
        told = [pair for key, pair in both if key in excused]
        yield name, [pair for pair in told if not reason(name, pair[0])]
        excused |= {key for key, (fault, _) in both if own_reason(name, fault)}


def _key(name: str, fault: Fault) -> tuple[str, ...]:
    """Give what is planted, whatever the network is called: all names of a C source have that."""
    named = re.compile(rf"\b({name}|{name.upper()})_")
    told = fault.function, fault.old, fault.new
    return tuple(named.sub("net_", text) for text in told)


def _compiles(files: Mapping[str, str]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        for ending, text in files.items():
            (Path(folder) / f"net{ending}").write_text(text)
        command = ["cc", "-fsyntax-only", "-w", f"{folder}/net.c"]
        return subprocess.run(command, capture_output=True).returncode == 0


def main() -> None:
    """Examine every fault of some examples' modules, or every so many."""
    from tests.cases.modules import checked, example

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("target")
    parser.add_argument("examples", nargs="+")
    parser.add_argument("--all", action="store_true", help="not the first finder alone")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="of those of `--every`")
    parser.add_argument("--after", nargs="+", default=[], metavar="EXAMPLE")
    parser.add_argument("--unexplained", action="store_true")
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    import torch  # once, for every child

    torch.set_num_threads(1)
    planted = again if given.again else distinct
    for name, pairs in planted([*given.after, *given.examples], given.target):
        if name in given.after or not pairs:
            continue
        model = checked(example(name))
        by = killers(model, given.target, _sound(name, given.target))
        if by:
            raise SystemExit(f"{name} without a fault is found by {by[0]}")
        start = time.time()
        for fault, files in pairs[given.first :: given.every]:
            if given.target == "c" and not _compiles(files):
                continue
            known = given.unexplained and reason(name, fault)
            by = [] if known else killers(model, given.target, files, given.all)
            print(json.dumps(_told(name, given.target, fault, by)), flush=True)
        print(f"{name}: {time.time() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
