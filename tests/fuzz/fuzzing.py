"""Texts that nobody meant, and what the compiler has to make of each: a module, or findings.

`python -m tests.fuzz.fuzzing 100000 0` tries 100,000 of them from seed 0, 5,000 in a process, which
never imports torch. A text takes 2 seconds at most, where a processor compiles the disk in 55 ms,
and the process 300 MB. The modules that come of valid texts are imported, in a process that may; of
some in C a compiler reads the source.
"""

from __future__ import annotations

import ast
import hashlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import FrameType

import lark

from specc.cli.terminal import FORMATS
from specc.compiler import Compilation, Request, analyse, compile_source
from specc.emit import formatting
from specc.ir.functions import FUNCTIONS
from specc.library import VOCABULARY
from specc.syntax.diagnostics import render
from specc.syntax.parser import grammar_text
from specc.syntax.source import LARGEST, Source, Unreadable, read
from specc.targets.registry import TARGETS

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 5_000
SLOW = 2.0
"""Seconds of the processor that no text may take: on one that takes `YARDSTICK` for the disk, or
as many times what another takes for it; machines differ, and so does one from hour to hour."""
YARDSTICK = 0.055
LARGE = 300_000
"""Kilobytes that the process may take, Python and the compiler included."""
HANGS = 30
"""Seconds of the processor after which a text is given up."""
LONGEST = 20_000

FOLDERS = ("examples", "tests/check/diagnostics", "tests/fuzz/regressions")
TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|\w+|\s+|.', re.DOTALL)
NUMBER = re.compile(r"\d[\d_.]*(?:e[+-]?\d+)?", re.IGNORECASE)


@cache
def texts() -> list[str]:
    """Give the specs that others are made of: examples, those with faults, those that failed."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).glob("*.spec")]
    found = [path.read_text(encoding="utf-8") for path in sorted(files)]
    return [text for text in found if len(text) < 3000]


@cache
def sound() -> list[str]:
    """Give those without faults."""
    return [text for text in texts() if analyse(Source("net.spec", text), {})[0]]


HOSTILE = [
    "\0", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u2028", "\u00ad", "\r", "\t", "\f",
    "\x1b[2J", "ﬁ", "数", "ｍｏｄｅｌ", "𝐱", "é", "e\u0301", "😀", "{{ 1 }}", "{% raw %}",
    "{%- for x in y %}", "{# #}", "}}", '"""', "'''", "\\", "${x}", "%s", "# -*- coding: utf-7 -*-",
    "+AGEAIA-", "# coding: latin-1", "# type: ignore", "# noqa", "__import__('os')", "__class__",
    "__init__", "exec", "eval('1')", "lambda", "None", "self", "torch", "np", "Model", "forward",
    "backward", "update", "History", "d_x", "s", "p", "g", '"\\"', '"', '"\\\\"', '"{{ x }}"',
    "\"'\"", '"a\nb"', "*/", "/*", "//", "#include <x>", "\\u002a", "(" * 80, "{" * 80, "-" * 80,
    "[" * 80, "1e999", "1e-999", "9" * 400, "10^12", "2^62", "2^63", "0.1e-320", "0/0", "(-1)^0.5",
    "real[1e9]", "real[0]", "real[-1]", "int[]", "real[2, 2, 2, 2, 2]", "linear(10^12)",
    "linear(2^31)", "repeat(10^9) {", "repeat(0) {", "repeat(1) { }", "concat { } {", "residual {",
    "x = y = z", "param in in", "-D", "none", "true", "pi", "a" * 300, "#" * 300, " " * 3000,
    "\n" * 500, ";", "$", "@", "`", "~", "|", "&",
]  # fmt: skip
"""Pieces that mean something to Jinja, Python, C, a terminal or a reader."""

NUMBERS = [
    "0", "1", "-1", "2", "3", "1e-300", "1e300", "1e308", "1e-45", "0.5", "1.0", "64", "1000",
    "9999", "10^6", "2^31", "2^62", "9223372036854775808", "1_000", "0.1",
    "3.0000000000000000000001",
]  # fmt: skip

WORDS = sorted(
    {word for words in VOCABULARY.values() for word in words}
    | set(FUNCTIONS)
    | set(
        "model param input target def block layers loss optimizer schedule metric data train"
        " early_stopping in real int activation range log weight bias lr units eps momentum"
        " epochs batch_size monitor patience val_loss x y t p label class import print len"
        " batch buffers parameters gradient theta".split()
    )
)


# Texts.


def drawn(seed: int) -> str | bytes:
    """Make the text of a seed; bytes are of a file that may be no text."""
    chance = random.Random(seed)
    kind = chance.random()
    if kind < 0.06:
        return _clipped(grown(chance))
    if kind < 0.08:
        return _clipped(noise(chance))
    text = mutated(chance)
    return bytes_of(text, chance) if kind > 0.9 else text


def _clipped(text: str) -> str:
    return text[:LONGEST]


def mutated(chance: random.Random) -> str:
    """Change one of the specs, a few times."""
    text = chance.choice(sound() if chance.random() < 0.3 else texts())
    for _ in range(chance.choice((1, 1, 1, 1, 2, 2, 4, 8))):
        change = chance.choice(CHANGES)
        text = change(text, chance)
    return _clipped(text)


def by_tokens(text: str, chance: random.Random) -> str:
    """Cut, swap, repeat or splice tokens or characters."""
    parts = TOKEN.findall(text) if chance.random() < 0.7 else list(text)
    if not parts:
        return text
    at, end = sorted(chance.randrange(len(parts) + 1) for _ in range(2))
    end = min(end, at + chance.choice((1, 1, 3, 30)))
    other = TOKEN.findall(chance.choice(texts())) or [""]
    start = chance.randrange(len(other))
    match chance.randrange(8):
        case 0:
            parts = parts[:at]
        case 1:
            parts[at:end] = []
        case 2:
            parts[at:at] = [chance.choice(HOSTILE)]
        case 3:
            parts[at:end] = [chance.choice(HOSTILE)]
        case 4:
            parts[at:end] = parts[at:end] * chance.choice((2, 20))
        case 5:
            parts[at:end] = other[start : start + chance.choice((1, 3, 30))]
        case 6:
            parts[at:end] = [chance.choice(parts)]
        case 7:
            parts = parts[:at] + other[start:]
    return "".join(parts)


def by_words(text: str, chance: random.Random) -> str:
    """Put a word of the language, or of Python, in the place of another."""
    return _replaced(text, re.compile(r"[A-Za-z_]\w*"), WORDS, chance)


def by_numbers(text: str, chance: random.Random) -> str:
    """Put another number in the place of one."""
    return _replaced(text, NUMBER, NUMBERS, chance)


def _replaced(
    text: str, what: re.Pattern[str], by: Sequence[str], chance: random.Random
) -> str:
    found = list(what.finditer(text))
    if not found:
        return text
    start, end = chance.choice(found).span()
    return text[:start] + chance.choice(by) + text[end:]


def by_lines(text: str, chance: random.Random) -> str:
    """Move, repeat, drop or borrow a line: mostly a statement or a layer."""
    lines = text.split("\n")
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            lines[at], lines[to] = lines[to], lines[at]
        case 1:
            lines.insert(to, lines[at])
        case 2:
            del lines[at]
        case 3:
            lines[at] = chance.choice(chance.choice(texts()).split("\n"))
    return "\n".join(lines)


def by_bodies(text: str, chance: random.Random) -> str:
    """Put layers into a body, or more bodies behind it."""
    braces = [i for i, char in enumerate(text) if char == "{"]
    if not braces:
        return text
    at = chance.choice(braces) + 1
    depth, end = 1, at
    while end < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    inside = text[at : end - 1]
    made = chance.choice(
        (
            f"repeat({chance.choice(NUMBERS)}) {{ {inside} }}",
            f"residual {{ {inside} }}",
            f"concat {{ {inside} }} {{ {inside} }}",
            f"{inside} {inside}",
            f"named = {inside.strip()}",
            "repeat(9) { " * 30 + inside + " }" * 30,
        )
    )
    return f"{text[:at]} {made} {text[end - 1 :]}"


def by_grammar(text: str, chance: random.Random) -> str:
    """Put a statement that the grammar allows in the place of a line."""
    lines = text.split("\n")
    lines[chance.randrange(len(lines))] = derived("statement", chance)
    return "\n".join(lines)


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    by_tokens, by_tokens, by_tokens, by_words, by_words, by_numbers, by_numbers, by_lines,
    by_bodies, by_grammar,
)  # fmt: skip


def noise(chance: random.Random) -> str:
    """Give characters, or pieces that mean something, in no order."""
    pieces = [*HOSTILE, *WORDS, *NUMBERS, *'(){}[]=,:+-*/^<>"# \n']
    if chance.random() < 0.3:
        return "".join(
            chr(chance.choice((chance.randrange(128), chance.randrange(0x3000))))
            for _ in range(chance.randrange(400))
        )
    return " ".join(chance.choice(pieces) for _ in range(chance.randrange(200)))


def bytes_of(text: str, chance: random.Random) -> bytes:
    """Damage the bytes of a file."""
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[at:at] = bytes([chance.randrange(256)])
            case 1:
                data[at : at + 1] = b""
            case 2 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 3:
                del data[at:]
            case 4:
                data[:0] = chance.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
            case 5:
                data = data.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\r")))
    return bytes(data)


# The grammar's own texts.


@cache
def grammar() -> lark.Lark:
    """Read the grammar as the compiler does."""
    return lark.Lark(grammar_text(), parser="lalr", lexer="basic", start="file")


@cache
def productions() -> dict[str, list[list[tuple[str, bool]]]]:
    """Give what each rule may become: names, and whether they are terminals."""
    found: dict[str, list[list[tuple[str, bool]]]] = {}
    for rule in grammar().rules:
        parts = [(part.name, part.is_term) for part in rule.expansion]
        found.setdefault(rule.origin.name, []).append(parts)
    return found


@cache
def depths() -> dict[str, int]:
    """Tell how deep the shortest text of each rule is."""
    found: dict[str, int] = {}
    changed = True
    while changed:
        changed = False
        for name, ways in productions().items():
            known = [d for d in (_depth(way, found) for way in ways) if d is not None]
            if known and found.get(name, 1 << 30) > min(known):
                found[name], changed = min(known), True
    return found


def _depth(way: list[tuple[str, bool]], known: dict[str, int]) -> int | None:
    """Give how deep one way to go on is, where all of it is known."""
    below = [0 if terminal else known.get(name) for name, terminal in way]
    return (
        1 + max((d for d in below if d is not None), default=0)
        if None not in below
        else None
    )


def derived(start: str, chance: random.Random) -> str:
    """Give a text that the grammar allows."""
    words: list[str] = []
    waiting = [(start, start not in productions(), 0)]
    while waiting and len(words) < 300:
        name, terminal, depth = waiting.pop()
        if terminal:
            words.append(_word(name, chance))
            continue
        ways = productions()[name]
        if chance.random() < depth / 9 or len(waiting) > 60:
            ways = [min(ways, key=lambda way: _depth(way, depths()) or 0)]
        way = chance.choice(ways)
        waiting += [(part, term, depth + 1) for part, term in reversed(way)]
    return " ".join(words)


def _word(terminal: str, chance: random.Random) -> str:
    match terminal:
        case "NAME":
            return chance.choice(WORDS)
        case "NUMBER":
            return chance.choice(
                [n for n in NUMBERS if n[0].isdigit() and "^" not in n]
            )
        case "STRING":
            return chance.choice(('""', '"a"', '"points.csv"', '"{{ x }}"', '"\\""'))
        case "COMPARISON":
            return chance.choice(("<", "<=", ">", ">=", "==", "!="))
    pattern = grammar().get_terminal(terminal).pattern
    return str(pattern.value).replace("\\", "")


def grown(chance: random.Random) -> str:
    """Give a spec that the grammar allows, of statements in a usual order or in none."""
    if chance.random() < 0.3:
        return "model net\n" + "\n".join(
            derived("statement", chance) for _ in range(chance.randrange(1, 9))
        )
    statements = {
        "before": chance.choice(("param", "definition", "block")),
        "layers": "layers",
        "after": chance.choice(("clause", "setting", "feature")),
    }
    made = {name: derived(rule, chance) for name, rule in statements.items()}
    layers = (
        made["layers"]
        if chance.random() < 0.5
        else "layers { linear(4) relu linear(1) }"
    )
    return (
        f"model net\n{made['before']}\ninput x: real[2]\ntarget y: real[1]\n{layers}\n"
        f"loss mse\noptimizer sgd(lr=0.1)\n{made['after']}\n"
    )


# What has to hold.


class Tried:
    """What came of some texts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Where the modules are kept that are to be imported."""
        self.count = 0
        self.modules: dict[str, int] = {}
        """Digests of the modules, and of which seed each was the first."""
        self.unreadable = 0
        self.slowest = 0.0
        self.failures: list[tuple[int, str]] = []


class Hanging(BaseException):
    """A text took too long."""


def _give_up(number: int, frame: FrameType | None) -> None:
    raise Hanging


def examine(text: str | bytes, seed: int, tried: Tried) -> str:
    """Compile a text in the examples' folder; give what was wrong with that, or nothing."""
    if isinstance(text, bytes):
        path = tried.folder / "net.spec"
        path.write_bytes(text)
        try:
            text = read(str(path)).text
        except Unreadable:
            tried.unreadable += 1
            return ""
    if len(text) > LARGEST or "\0" in text:
        return ""  # which `read` refuses
    source = Source(str(ROOT / "examples" / "net.spec"), text)
    chance = random.Random(seed)
    target = chance.choices(TARGETS, weights=(5, 5, 2))[0]
    made, shown, took = compiled(source, target)
    if took > SLOW:  # or the machine was busy
        took = min(took, compiled(source, target)[2]) / max(slowness(), 1.0)
    for output_format, told in shown.items():
        if re.search(r"[\0-\x08\x0b-\x1f\x7f\u200b\u202e\u2028\u2066]", told):
            return f"{output_format} shows a control character"
    tried.slowest = max(tried.slowest, took)
    if took > SLOW:
        return f"took {took:.1f} s"
    errors = [d for d in made.diagnostics if d.severity == "error"]
    if bool(errors) == (made.text is not None):
        return "a module in spite of errors, or none without"
    for found in made.diagnostics:
        if not 0 <= found.span.start <= found.span.end <= len(found.span.source.text):
            return f"{found.code} points outside the text"
    if made.text is None:
        return ""
    ast.parse(made.text)
    for piece in (made.text, *made.beside.values()):
        if not piece.isascii():
            return "the module is not plain ASCII"
    digest = hashlib.sha256(made.text.encode()).hexdigest()[:16]
    if tried.modules.setdefault(digest, seed) == seed:
        (tried.folder / f"m_{digest}.py").write_text(made.text)
        if ".c" in made.beside and chance.random() < 0.1:
            for ending, piece in made.beside.items():
                (tried.folder / f"net{ending}").write_text(piece)
            return _compiles(tried.folder / "net.c")
    return ""


def compiled(source: Source, target: str) -> tuple[Compilation, dict[str, str], float]:
    """Compile a text; give what is shown of the findings, and the seconds both took."""
    formatting.forget()
    start = time.process_time()
    made = compile_source(source, Request(target=target, stem="net"))
    shown = {form: render(made.diagnostics, form) for form in FORMATS}
    return made, shown, time.process_time() - start


def slowness() -> float:
    """Tell how many times as long as on the yardstick's processor the disk takes here and now."""
    path = ROOT / "examples" / "disk.spec"
    disk = Source(str(path), path.read_text())
    return min(compiled(disk, "numpy")[2] for _ in range(3)) / YARDSTICK


def _compiles(path: Path) -> str:
    """Let a compiler of C read a source."""
    command = ["cc", "-std=c99", "-fsyntax-only", "-Wall", "-Werror", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True)
    return "" if ran.returncode == 0 else f"cc: {' '.join(ran.stderr.split())[:500]}"


def largest_size() -> int:
    """Give the kilobytes that the process has had at most.

    `getrusage` counts those of the process that started it, where the system tells no other.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        if found:
            return int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def trial(first: int, count: int, folder: Path) -> Tried:
    """Try the texts of so many seeds."""
    tried = Tried(folder)
    signal.signal(signal.SIGPROF, _give_up)
    for seed in range(first, first + count):
        signal.setitimer(signal.ITIMER_PROF, HANGS)
        try:
            problem = examine(drawn(seed), seed, tried)
        except Hanging:
            problem = f"no end after {HANGS} s"
        except Exception:
            problem = traceback.format_exc(limit=-3).strip().replace("\n", " | ")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        tried.count += 1
        size = largest_size()
        if size > LARGE:
            problem = problem or f"{size / 1000:.0f} MB"
        if problem:
            tried.failures.append((seed, problem))
        if size > LARGE:
            break  # what comes after it cannot be told
    return tried


IMPORTING = """
import importlib.util, sys, pathlib
for path in sorted(pathlib.Path(sys.argv[1]).glob("m_*.py")):
    made = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(made)
    try:
        made.loader.exec_module(module)
        assert module.SPEC and module.PARAMETERS is not None
    except Exception as error:
        print(path.stem[2:], type(error).__name__, error)
"""


def imported(tried: Tried) -> Iterator[tuple[int, str]]:
    """Import every module, in a process of its own; give what fails, with its seed."""
    command = [sys.executable, "-c", IMPORTING, str(tried.folder)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        yield -1, f"importing: {ran.stderr[-500:]}"
    for line in ran.stdout.splitlines():
        digest, _, problem = line.partition(" ")
        yield tried.modules.get(digest, -1), f"does not import: {problem}"


def chunk(first: int, count: int) -> Tried:
    """Try some texts, and import what came of them."""
    folder = Path(tempfile.mkdtemp(prefix="specc_fuzz_"))
    try:
        tried = trial(first, count, folder)
        tried.failures += imported(tried)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return tried


def main() -> None:
    """Try many, a process for each chunk of them; tell what failed, and how to see it again."""
    count, seed = (int(argument) for argument in sys.argv[1:3])
    if "--chunk" in sys.argv:
        tried = chunk(seed, count)
        for failed, problem in tried.failures:
            print(f"FAILED seed {failed}: {problem}")
        print("TRIED", tried.count, len(tried.modules), tried.unreadable, tried.slowest)
        return
    start = time.time()
    done, modules, unreadable, slowest, failed = 0, 0, 0, 0.0, 0
    at = seed * 10_000_000
    while done < count:
        size = min(CHUNK, count - done)
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.fuzzing",
            str(size),
            str(at),
            "--chunk",
        ]
        ran = subprocess.run(command, capture_output=True, text=True)
        *bad, last = ran.stdout.splitlines() or [""]
        if not last.startswith("TRIED"):
            bad.append(f"FAILED chunk {at}: {ran.stderr[-1000:]}")
            last = f"TRIED {size} 0 0 0"
        _, tried, made, refused, slow = last.split()
        done, at = done + int(tried), at + int(tried)
        modules, unreadable = modules + int(made), unreadable + int(refused)
        slowest, failed = max(slowest, float(slow)), failed + len(bad)
        print(*bad, sep="\n", end="\n" if bad else "")
        print(
            f"{done:,} texts, {modules:,} modules, {unreadable:,} unreadable, slowest"
            f" {slowest:.2f} s, {time.time() - start:.0f} s, {failed} failed",
            flush=True,
        )


if __name__ == "__main__":
    main()
