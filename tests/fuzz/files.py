"""Data files that nobody meant, and what `specc check` and `specc train` have to make of each.

`python -m tests.fuzz.files 5000 0` tries 5,000 from seed 0 in one process: CSV files, NumPy
archives and specs with bytes of all kinds, whole and damaged. Neither command may end in a bug of
specc or take long, or print what a terminal acts on; what `check` refuses does not train, and no
header of an array is refused by `train` alone.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import shutil
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from specc.cli.main import main as specc

SLOW = 5.0
"""Seconds of the processor that no file may take."""
ROWS = 24
HOSTILE = (
    "$x^$",
    r"$\frac$",
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\u202egnp.exe",
    "_hidden",
    "a%0A::error::b",
    "[bold]",
    "{x}",
    "\u0000",
    "e\u0301" * 9,
    "\U0001f600",
    "nan",
    "inf",
    "1e308",
    "-1e308",
    "5e-324",
    "1_0",
    "0x10",
    "١٢",
    "1,5",
    "1;2",
    '"',
    '""',
    "\r",
    "\n",
    "\u2028",
    "\ufeff",
    "",
    " ",
    "x" * 200_000,
    "9" * 400,
)
ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What a terminal acts on, beside the ends of lines and tabs."""
BUG = 70

SPEC = """model net
input x: real[2]
target y: {target}
layers {{ linear(2) tanh linear({outputs}) }}
loss {loss}
optimizer sgd(lr=0.1)
train(epochs=1, batch_size=8)
data {data}
"""


@dataclass
class Tried:
    """What came of the files."""

    ends: Counter[str] = field(default_factory=Counter)
    """How `check` and `train` ended -> the number of files."""
    lost: list[str] = field(default_factory=list)
    """What went wrong, with its seed."""
    slowest: float = 0.0


def of_csv(folder: Path, chance: random.Random) -> str:
    """Write a CSV file, perhaps a damaged one; give its spec."""
    classes = chance.random() < 0.5
    names = ["a", "b", "y"]
    labels = ["one", "two"] if chance.random() < 0.5 else ["0", "1"]
    if not classes:
        labels = ["0.5", "1", "-2"]
    for place in range(3):
        if chance.random() < 0.1:
            names[place] = chance.choice(HOSTILE)
    if classes and chance.random() < 0.3:
        labels[0] = chance.choice(HOSTILE)
    rows = [names]
    for _ in range(ROWS):
        numbers = [f"{chance.gauss(0, 1):.3f}" for _ in range(2)]
        rows.append([*numbers, chance.choice(labels)])
    for _ in range(chance.choice((0, 0, 0, 0, 1, 3))):
        row = chance.choice(rows[1:])
        row[chance.randrange(3)] = chance.choice(HOSTILE)
    if chance.random() < 0.1:
        chance.choice(rows).append("1")

    def quoted(cell: str) -> str:
        if chance.random() < 0.97 and any(sign in cell for sign in ',"\r\n'):
            return '"' + cell.replace('"', '""') + '"'
        return cell

    ends = chance.choice(("\n", "\r\n", "\r", "\n\n"))
    text = ends.join(",".join(map(quoted, row)) for row in rows) + ends
    encoding = chance.choice(("utf-8",) * 12 + ("utf-8-sig", "utf-16", "cp1252"))
    data = damaged(text.encode(encoding, "replace"), chance)
    (folder / "data.csv").write_bytes(data)
    target = _escaped(names[2])
    return _spec(f'csv("data.csv", target="{target}")', classes)


def of_npz(folder: Path, chance: random.Random) -> str:
    """Write an archive of arrays, perhaps a damaged one or one with odd headers."""
    classes = chance.random() < 0.5
    kinds = ("<f8", "<f4", "<f2", ">f8", "<i8", "|i1", "<u8", "|b1", "<c16", "<U3")
    x = np.array([[chance.gauss(0, 1) for _ in range(2)] for _ in range(ROWS)])
    y = np.array([chance.randrange(2) for _ in range(ROWS)])
    with np.errstate(all="ignore"):
        x = x.astype(chance.choice(kinds) if chance.random() < 0.3 else float)
        y = y.astype(chance.choice(kinds) if chance.random() < 0.3 else int)
    if not classes:
        y = y.reshape(-1, 1)
    if x.dtype.kind == "f" and chance.random() < 0.2:
        x[3, 1] = chance.choice((np.nan, np.inf, 6e4))
    x = np.asfortranarray(x) if chance.random() < 0.3 else x
    pieces = {}
    for name, array in (("x", x), ("y", y)):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, allow_pickle=False)
        data = stream.getvalue()
        if chance.random() < 0.3:
            data = _with_header(data, chance)
        pieces[name] = damaged(data, chance) if chance.random() < 0.2 else data
    archive = io.BytesIO()
    how = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(archive, "w", how) as file:
        for name, data in pieces.items():
            for _ in range(2 if chance.random() < 0.03 else 1):
                ending = chance.choice((".npy",) * 9 + ("",))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of two files with one name
                    file.writestr(name + ending, data)
    data = archive.getvalue()
    data = damaged(data, chance) if chance.random() < 0.3 else data
    (folder / "data.npz").write_bytes(data)
    return _spec('npz("data.npz")', classes)


def of_spec(folder: Path, chance: random.Random) -> str | bytes:
    """Damage a spec that trains; give it."""
    rows = "\n".join(
        f"{chance.random()},{chance.random()},{k % 2}" for k in range(ROWS)
    )
    (folder / "data.csv").write_text(f"a,b,y\n{rows}\n")
    text = _spec('csv("data.csv", target="y")', chance.random() < 0.5)
    for _ in range(chance.choice((0, 1, 2))):
        place = chance.randrange(len(text))
        text = text[:place] + chance.choice(HOSTILE)[:99] + text[place:]
    return damaged(text.encode("utf-8", "replace"), chance)


KINDS: tuple[Callable[[Path, random.Random], str | bytes], ...] = (
    of_csv,
    of_npz,
    of_spec,
)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")


def _spec(data: str, classes: bool) -> str:
    target, outputs = ("int[]", 2) if classes else ("real[1]", 1)
    loss = "cross_entropy" if classes else "mse"
    return SPEC.format(target=target, outputs=outputs, loss=loss, data=data)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Change, remove, repeat or insert some bytes, or none."""
    made = bytearray(data)
    for _ in range(chance.choice((0, 0, 0, 0, 0, 1, 1, 2))):
        place = chance.randrange(len(made) + 1)
        end = min(len(made), place + chance.choice((1, 1, 2, 8, 64)))
        match chance.randrange(5):
            case 0 if place < len(made):
                made[place] ^= 1 << chance.randrange(8)
            case 1:
                del made[place:end]
            case 2:
                made[place:place] = made[place:end]
            case 3:
                odd = (b"\0", b"\xff", b'"', b"\r", b"\n", b",", b"\xed\xa0\x80")
                made[place:place] = chance.choice(odd)
            case 4 if chance.random() < 0.2:
                del made[place:]
    return bytes(made)


def _with_header(data: bytes, chance: random.Random) -> bytes:
    """Give an array another header, of the right length: one that lies, or is none."""
    length = int.from_bytes(data[8:10], "little")
    header, numbers = data[10 : 10 + length].decode("latin-1"), data[10 + length :]
    shape = header[header.index("(") : header.index(")") + 1]
    descr = header[header.index("descr") + 8 : header.index("fortran") - 3]
    changes = (
        (shape, f"(True, {shape[1:]}"),
        (shape, f"[{shape[1:-1]}]"),
        (shape, "(-1, 2)"),
        (shape, f"({'9' * 25}, 2)"),
        (shape, f"({2**61}, 2)"),
        (shape, "()"),
        (shape, "(0, 2)"),
        (shape, f"{shape[:-1]}, 1)"),
        (descr, "'f3'"),
        (descr, "'b'"),
        (descr, "'f'"),
        (descr, "'<f16'"),
        (descr, "'|O'"),
        (descr, "[('a', '<f8')]"),
        (descr, "'<M8[ns]'"),
        (descr, r"'\d'"),
        ("False", "0"),
        ("False", "True"),
        ("'fortran_order'", "'order'"),
        ("}", "'more': 1}"),
        ("{", "{" * 500),
        ("{", "\0{"),
    )
    old, new = chance.choice(changes)
    made = header.replace(old, new, 1).rstrip() + "\n"
    version = chance.choice((b"\1\0",) * 8 + (b"\2\0", b"\3\0", b"\4\0", b"\1\7"))
    width = 2 if version[0] == 1 else 4
    size = len(made).to_bytes(width, "little")
    return b"\x93NUMPY" + version + size + made.encode("latin-1") + numbers


def run(*arguments: str) -> tuple[int, str]:
    """Run a command in this process; give its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = specc(list(arguments))
    return code, out.getvalue() + err.getvalue()


def examine(seed: int, folder: Path, tried: Tried) -> None:
    """Write the files of a seed and run both commands on them."""
    chance = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    spec = kind(folder, chance)
    path = folder / "net.spec"
    path.write_bytes(spec if isinstance(spec, bytes) else spec.encode())
    shutil.rmtree(folder / "run", ignore_errors=True)
    begun = time.process_time()
    formats = ("full", "concise", "github", "json")
    check, said = run("check", str(path), "--output-format", chance.choice(formats))
    train, more = run("train", str(path), "--out", str(folder / "run"), "--epochs", "1")
    seconds = time.process_time() - begun
    tried.slowest = max(tried.slowest, seconds)
    tried.ends[f"{kind.__name__[3:]}: check {check}, train {train}"] += 1
    name = f"seed {seed} ({kind.__name__[3:]})"
    for command, code, text in (("check", check, said), ("train", train, more)):
        if code not in (0, 1, 2) or "Traceback" in text or "Warning" in text:
            tried.lost.append(f"{name}: {command} ends with {code}: {text[-300:]!r}")
        if ACTS.search(text):
            tried.lost.append(f"{name}: {command} prints {ACTS.findall(text)[:3]}")
        if len(text) > 20_000:
            tried.lost.append(f"{name}: {command} prints {len(text):,} characters")
    if check and not train:
        tried.lost.append(f"{name}: check ends with {check}, and train with 0")
    if not check and train and "in NumPy's format" in more:
        tried.lost.append(f"{name}: train alone refuses a header: {more[-200:]!r}")
    if seconds > SLOW:
        tried.lost.append(f"{name}: {seconds:.1f} s")


def trial(count: int, first: int) -> Tried:
    """Try the files of `count` seeds."""
    tried = Tried()
    with tempfile.TemporaryDirectory() as place:
        for seed in range(first, first + count):
            examine(seed, Path(place), tried)
    return tried


def main() -> None:
    """Try as many files as the command line asks for."""
    count, first = (int(word) for word in [*sys.argv[1:], *("1000", "0")][:2])
    tried = trial(count, first)
    for end, number in sorted(tried.ends.items()):
        print(f"{number:8,}  {end}")
    print(f"{count:,} tried, {len(tried.lost):,} lost; slowest {tried.slowest:.1f} s")
    print(*tried.lost[:40], sep="\n")
    sys.exit(bool(tried.lost))


if __name__ == "__main__":
    main()
