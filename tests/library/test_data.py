"""What data sources refuse, and where; what they load; how samples are divided."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specc.library.data import class_labels
from specc.library.data.files import Csv, Npz
from specc.library.data.source import Source
from specc.library.data.split import DataError, divide, sizes
from specc.library.data.synthetic import Disk
from specc.library.vocabulary import ArgumentError

HEADER = "a,b,kind\n"
ROWS = "".join(f"{i},{i / 2},{'xyz'[i % 3]}\n" for i in range(30))


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)


def faults(
    source: Source,
    folder: Path | None,
    shape: tuple[int, ...] = (2,),
    target: tuple[int, ...] = (),
    dtype: Any = "int",
    classes: int | None = 3,
) -> list[tuple[str, str, str]]:
    found = source.problems(folder, shape, target, dtype, classes)
    return [(fault.argument, fault.message, fault.hint) for fault in found]


CSV_FAULTS: dict[str, tuple[str | bytes, dict[str, Any], str, str, str]] = {
    # claim: (file, arguments of csv, argument at fault, in the message, in the hint)
    "empty": ("", {}, "file", "the file is empty", ""),
    "only a header": (HEADER, {}, "file", "no row below the header", ""),
    "not UTF-8": (b"a,b,kind\n1,2,\xff\n", {}, "file", "not UTF-8", "save it"),
    "no header": ("1,2,x\n3,4,y\n", {}, "file", "has the number '1'", "header"),
    "duplicate column": ("a,a,kind\n1,2,x\n", {}, "file", "'a' 2 times", ""),
    "unnamed column": ("a,,kind\n1,2,x\n", {}, "file", "column 2 has no name", ""),
    "missing target": (
        "a,b,kinds\n1,2,x\n",
        {},
        "target",
        "no column 'kind'",
        "did you mean 'kinds'?",
    ),
    "missing feature": (
        HEADER + ROWS,
        {"features": ("a", "bb")},
        "features",
        "'bb'",
        "did you mean 'b'?",
    ),
    "feature twice": (
        HEADER + ROWS,
        {"features": ("a", "a")},
        "features",
        "'a' is listed 2 times",
        "",
    ),
    "target as feature": (
        HEADER + ROWS,
        {"features": ("a", "kind")},
        "features",
        "among the features",
        "",
    ),
    "no feature": ("kind\nx\n", {}, "file", "no column is left", ""),
    "semicolons": (
        "a;b;kind\n1;2;x\n",
        {},
        "target",
        "no column",
        "by commas, not by ';'",
    ),
    "text": (
        HEADER + "1,2,x\n1,two,y\n",
        {},
        "file",
        "line 3 of 't.csv', column 'b': 'two' is not a number",
        "",
    ),
    "underscore": (HEADER + "1_0,2,x\n", {}, "file", "'1_0' is not a number", ""),
    "nan": (
        HEADER + "nan,2,x\n",
        {},
        "file",
        "line 2 of 't.csv', column 'a': 'nan' is not a finite",
        "",
    ),
    "overflow": (HEADER + "1e999,2,x\n", {}, "file", "'1e999' is not a finite", ""),
    "empty cell": (
        HEADER + "1,,x\n",
        {},
        "file",
        "line 2 of 't.csv', column 'b' is empty",
        "fill",
    ),
    "empty target": (HEADER + "1,2, \n", {}, "target", "column 'kind' is empty", ""),
    "short row": (
        HEADER + "1,2,x\n1,2\n",
        {},
        "file",
        "line 3 of 't.csv' has 2 cells",
        "",
    ),
    "long row": (
        HEADER + "1,2,x,4\n",
        {},
        "file",
        "line 2 of 't.csv' has 4 cells, but the header has 3",
        "",
    ),
    "open quote": (HEADER + '1,"2,x\n', {}, "file", "is not CSV", ""),
    "too few features": (
        "a,kind\n1,x\n2,y\n",
        {},
        "file",
        "1 feature, but the input",
        "real[1]",
    ),
    "too many features": ("a,b,c,kind\n1,2,3,x\n", {}, "file", "3 features", "real[3]"),
    "too many classes": (
        HEADER + "1,2,p\n1,2,q\n1,2,r\n1,2,s\n1,2,s\n",
        {},
        "target",
        "4 classes",
        "'p'",
    ),
    "class out of range": (HEADER + "1,2,0\n1,2,3\n", {}, "target", "line 3", "0 to 2"),
    "negative class": (
        HEADER + "1,2,0\n1,2,-1\n",
        {},
        "target",
        "'-1' is out",
        "0 to 2",
    ),
    "missing class": (
        HEADER + "1,2,0\n1,2,N/A\n",
        {},
        "target",
        "line 3 of 't.csv', column 'kind': 'N/A' marks a missing value",
        "rename it",
    ),
    "a word among numbers": (
        HEADER + "1,2,0\n1,2,1\n1,2,1O\n1,2,2\n",
        {},
        "target",
        "line 4, column 'kind': '1O' is not a number, unlike the others",
        "all as names",
    ),
    "a number among words": (
        HEADER + "1,2,x\n1,2,y\n1,2,3\n1,2,x\n",
        {},
        "target",
        "line 4, column 'kind': '3' is a number, unlike the others",
        "all as names",
    ),
    "as many words as numbers": (
        HEADER + "1,2,0\n1,2,l\n",
        {},
        "target",
        "line 3, column 'kind': 'l' is not a number",
        "",
    ),
    "infinite class": (
        HEADER + "1,2,0\n1,2,1\n1,2,inf\n",
        {},
        "target",
        "'inf' is not a number",
        "",
    ),
    "fractional class": (
        HEADER + "1,2,0.5\n",
        {},
        "target",
        "'0.5' is not a class",
        "integers",
    ),
    "too large a count": (
        HEADER + ROWS,
        {"validation": 30},
        "validation",
        "30 for validation leave none",
        "",
    ),
    "too large together": (
        HEADER + ROWS,
        {"test": 29},
        "test",
        "29 for test leave",
        "",
    ),
    "too small a fraction": (
        HEADER + ROWS,
        {"test": 0.001},
        "test",
        "`test=0.001` of 30 samples",
        "",
    ),
}


@pytest.mark.parametrize("claim", CSV_FAULTS)
def test_csv_refuses(claim: str, tmp_path: Path) -> None:
    text, arguments, argument, message, hint = CSV_FAULTS[claim]
    write(tmp_path, text)
    source = Csv("t.csv", target="kind", **arguments)
    found = faults(source, tmp_path)
    assert found, claim
    assert found[0][0] == argument
    assert message in found[0][1]
    assert hint in found[0][2]
    with pytest.raises(DataError) as raised:
        source.load(tmp_path, (2,), (), "int", 3)
    assert message in str(raised.value)


def test_csv_refuses_a_target_that_does_not_fit(tmp_path: Path) -> None:
    write(tmp_path, HEADER + ROWS)
    source = Csv("t.csv", target="kind")
    assert "cannot fill" in faults(source, tmp_path, target=(4,))[0][1]
    real, *_ = faults(source, tmp_path, target=(1,), dtype="real", classes=None)
    assert real == (
        "target",
        "line 2 of 't.csv', column 'kind': 'x' is not a number, and so in 29 more rows",
        "if it names classes, declare the target as `int[]`, write"
        " `loss cross_entropy` and end with `linear(3)`",
    )


MISSING = "nan NaN na NA n/a N/A null NULL none None ? -".split()


@pytest.mark.parametrize("others", ["0", "x"])
@pytest.mark.parametrize("cell", MISSING)
def test_a_missing_class_is_no_class(cell: str, others: str, tmp_path: Path) -> None:
    write(tmp_path, HEADER + f"1,2,{others}\n" * 5 + f"1,2, {cell} \n")
    [(argument, message, _)] = faults(Csv("t.csv", target="kind"), tmp_path)
    assert argument == "target"
    assert message.startswith(f"line 7 of 't.csv', column 'kind': {cell!r} marks")


@pytest.mark.parametrize("words", ["a1 a2 3b", "x1.5 nano nonet", "1_0 2_0 --"])
def test_classes_may_be_words_with_digits(words: str, tmp_path: Path) -> None:
    cells = words.split()
    write(tmp_path, HEADER + "".join(f"1,2,{cell}\n" for cell in cells * 3))
    split = Csv("t.csv", target="kind").load(tmp_path, (2,), (), "int", 3)
    assert split.classes == tuple(sorted(cells))


def test_what_is_odd_beyond_the_probed_rows_is_refused_in_load(tmp_path: Path) -> None:
    write(tmp_path, HEADER + "1,2,0\n" * 1200 + "1,2,O\n")
    source = Csv("t.csv", target="kind")
    assert faults(source, tmp_path) == []
    with pytest.raises(
        DataError, match="line 1202, column 'kind': 'O' is not a number"
    ):
        source.load(tmp_path, (2,), (), "int", 3)


STRATIFIED: list[tuple[tuple[int, ...], Any, bool]] = [
    ((), "int", True),
    ((), "real", False),
    ((1,), "real", False),
    ((1,), "int", False),
]


@pytest.mark.parametrize(("target", "dtype", "fits"), STRATIFIED)
def test_only_class_labels_are_stratified(
    target: tuple[int, ...], dtype: Any, fits: bool, tmp_path: Path
) -> None:
    write(tmp_path, HEADER + ROWS.translate(str.maketrans("xyz", "012")))
    np.savez(tmp_path / "t.npz", x=X, y=Y.reshape(-1, *target))
    for make in (Csv, Npz):
        named: dict[str, Any] = {"target": "kind"} if make is Csv else {}
        name = "t.csv" if make is Csv else "t.npz"
        for choice in ("auto", False):
            source = make(name, stratify=choice, **named)
            assert faults(source, tmp_path, (2,), target, dtype) == []
        source = make(name, stratify=True, **named)
        found = faults(source, tmp_path, (2,), target, dtype)
        assert [argument for argument, *_ in found] == ["stratify"] * (not fits)
        if not fits:
            assert f"the target is {dtype}{list(target)}" in found[0][1]
            with pytest.raises(DataError, match="stratify needs class labels"):
                source.load(tmp_path, (2,), target, dtype, 3)


@pytest.mark.parametrize("choice", ["auto", True])
def test_class_labels_are_stratified_unless_told_otherwise(
    choice: Any, tmp_path: Path
) -> None:
    write(tmp_path, HEADER + ROWS)
    source = Csv("t.csv", target="kind", validation=9, stratify=choice)
    split = source.load(tmp_path, (2,), (), "int", 3)
    assert split.validation is not None
    assert np.bincount(split.validation[1]).tolist() == [3, 3, 3]


def test_csv_tells_a_few_faults_at_once(tmp_path: Path) -> None:
    write(tmp_path, HEADER + "x,y,z\n" * 50)
    assert len(faults(Csv("t.csv", target="kind"), tmp_path)) < 10


def test_a_missing_file_is_named_with_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, HEADER + ROWS)
    (tmp_path / "sub").mkdir()
    near = faults(Csv("tt.csv", target="kind"), tmp_path)
    assert near == [("file", "no file 'tt.csv'", "did you mean 't.csv'?")]
    assert "a folder" in faults(Csv("sub", target="kind"), tmp_path)[0][1]
    assert "no file" in faults(Csv("no/where", target="kind"), tmp_path)[0][1]
    for hostile in ("\0", "x" * 5000, "/dev/zero"):
        assert len(faults(Csv(hostile, target="kind"), tmp_path)) == 1
    assert faults(Csv("sub/../t.csv", target="kind"), tmp_path) == []


def test_a_path_is_relative_to_the_spec_or_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, HEADER + ROWS)
    source = Csv("t.csv", target="kind")
    assert faults(source, tmp_path) == []
    assert faults(source, tmp_path.parent) != []
    monkeypatch.chdir(tmp_path)
    assert faults(source, None) == []


def test_csv_loads_names_in_sorted_order(tmp_path: Path) -> None:
    write(tmp_path, "\ufeffb,kind,a\n" + "1,z,2\n3, y ,4\n\n5,x,6\n7,x,8\n")
    split = Csv("t.csv", target="kind", validation=0, stratify=False).load(
        tmp_path, (2,), (), "int", 3
    )
    assert split.classes == ("x", "y", "z") and split.features == ("b", "a")
    assert split.train[0].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert split.train[1].tolist() == [2, 1, 0, 0]
    assert split.train[1].dtype == np.int64 and split.train[0].dtype == np.float64
    assert split.validation is None and split.test is None
    assert split.describe() == "4 train; classes: 0 = x, 1 = y, 2 = z"


def test_csv_loads_numbers_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, 'a,"b, c",kind\r\n1,-2e-3,0\r\n3,4,2.0\r\n5,6,1\r\n')
    source = Csv("t.csv", target="kind", features=("b, c", "a"), validation=0)
    split = source.load(tmp_path, (2,), (), "int", 3)
    assert split.classes is None
    assert split.train[0].tolist() == [[-0.002, 1], [4, 3], [6, 5]]
    assert split.train[1].tolist() == [0, 2, 1]
    real = source.load(tmp_path, (2,), (1,), "real")
    assert real.train[1].tolist() == [[0], [2], [1]]


def test_load_finds_what_lies_beyond_the_probed_rows(tmp_path: Path) -> None:
    write(tmp_path, HEADER + "1,2,x\n" * 1200 + "1,?,x\n")
    source = Csv("t.csv", target="kind")
    assert faults(source, tmp_path) == []
    with pytest.raises(
        DataError, match="line 1202 of 't.csv', column 'b': '\\?' is not a number"
    ):
        source.load(tmp_path, (2,), (), "int", 3)


@pytest.mark.parametrize("share", [1.0, 1.5])
def test_a_share_is_a_fraction_or_a_count(share: float) -> None:
    with pytest.raises(ArgumentError, match="neither a fraction"):
        Csv("t.csv", target="kind", test=share)
    with pytest.raises(ArgumentError, match="no training samples"):
        Npz("t.npz", validation=0.5, test=0.5)


def test_sizes_round_half_up() -> None:
    assert sizes(150, 0.2, 0.1) == (30, 15)
    assert sizes(5, 0.1, 0) == (1, 0)
    assert sizes(10, 3, 6) == (3, 6)
    with pytest.raises(ArgumentError):
        sizes(10, 4, 6)


@pytest.mark.parametrize("stratify", [True, False])
def test_parts_are_disjoint_seeded_and_complete(stratify: bool) -> None:
    x = np.arange(103.0)[:, None]
    y = (np.arange(103) % 10 == 0).astype(np.int64)
    parts = divide(x, y, 20, 11, 5, stratify)
    held = [part[0][:, 0].tolist() for part in parts if part is not None]
    assert [len(part) for part in held] == [72, 20, 11]
    assert sorted(sum(held, [])) == list(range(103))
    assert all(part == sorted(part) for part in held)
    again, other = (divide(x, y, 20, 11, seed, stratify) for seed in (5, 6))
    assert again[0][0].tolist() == parts[0][0].tolist()
    assert other[0][0].tolist() != parts[0][0].tolist()
    for part in parts:
        assert part is not None
        assert not stratify or abs(part[1].sum() - len(part[1]) * 11 / 103) < 1.5


def test_stratified_parts_have_each_class_in_its_share() -> None:
    y = np.repeat(np.arange(3), 50)
    _, validation, test = divide(np.zeros((150, 1)), y, 30, 15, 0, True)
    assert validation is not None and test is not None
    assert np.bincount(validation[1]).tolist() == [10, 10, 10]
    assert np.bincount(test[1]).tolist() == [5, 5, 5]


def test_disk_draws_the_stream_in_order() -> None:
    from specc.library.streams import uniform

    split = Disk(train=3, validation=2, test=4, seed=9).load(None, (2,), (1,), "real")
    assert split.validation is not None and split.test is not None
    drawn = np.concatenate([split.train[0], split.validation[0], split.test[0]])
    assert drawn.ravel().tolist() == uniform(9, "data/disk", 18).tolist()
    inside = ((split.test[0] - 0.5) ** 2).sum(1) < 1 / (2 * np.pi)
    assert split.test[1].tolist() == inside[:, None].astype(float).tolist()
    large = Disk(train=100_000, validation=0).load(None, (2,), (1,), "real")
    assert large.train[1].mean() == pytest.approx(0.5, abs=0.005)
    assert large.validation is None and large.test is None


def test_disk_refuses_other_shapes() -> None:
    assert faults(Disk(), None, (2,), (1,), "real") == []
    assert "real[2]" in faults(Disk(), None, (3,), (1,), "real")[0][2]
    assert "real[1]" in faults(Disk(), None, (2,), (), "real")[0][2]
    assert "found" not in faults(Disk(), None, (2,), (1,), "int")[0][1]
    with pytest.raises(DataError, match="real\\[1\\]"):
        Disk().load(None, (2,), (), "real")


X, Y = np.arange(20.0).reshape(10, 2), np.arange(10) % 3
NPZ_FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "missing array": ({"x": X, "yy": Y}, "y", "no array 'y'"),
    "wrong trailing shape": ({"x": X[:, :1], "y": Y}, "x", "shape (10, 1)"),
    "missing axis": ({"x": X, "y": Y[:, None]}, "y", "int[] needs (n,)"),
    "a lone number": ({"x": X, "y": np.array(3)}, "y", "shape ()"),
    "lengths": ({"x": X, "y": Y[:5]}, "y", "x has 10 samples and y has 5"),
    "objects": ({"x": X, "y": Y.astype(object)}, "y", "object"),
    "texts": ({"x": X.astype(str), "y": Y}, "x", "dtype str,"),
    "records": ({"x": np.zeros(10, "f8,f8"), "y": Y}, "x", "dtype structured,"),
    "complex": ({"x": X * 1j, "y": Y}, "x", "dtype complex128,"),
    "real classes": (
        {"x": X, "y": Y * 1.0},
        "y",
        "dtype float64, but the target int[]",
    ),
    "boolean classes": ({"x": X, "y": Y > 0}, "y", "dtype bool, but the target int[]"),
    "no samples": ({"x": X[:0], "y": Y[:0]}, "x", "no sample"),
    "too few": ({"x": X[:1], "y": Y[:1]}, "validation", "of 1 samples"),
}


@pytest.mark.parametrize("claim", NPZ_FAULTS)
def test_npz_refuses(claim: str, tmp_path: Path) -> None:
    arrays, argument, message = NPZ_FAULTS[claim]
    np.savez(tmp_path / "t.npz", **arrays)
    found = faults(Npz("t.npz"), tmp_path)
    assert found[0][0] == argument and message in found[0][1]
    with pytest.raises(DataError):
        Npz("t.npz").load(tmp_path, (2,), (), "int", 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_npz_load_refuses_values(bad: float, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.where(X == 5, bad, X), y=Y)
    assert faults(Npz("t.npz"), tmp_path) == []
    with pytest.raises(DataError, match=f"{bad} at \\[2, 1\\]"):
        Npz("t.npz").load(tmp_path, (2,), (), "int", 3)
    np.savez(tmp_path / "t.npz", x=X, y=Y)
    with pytest.raises(DataError, match="class 2 at \\[2\\] is out of range"):
        Npz("t.npz").load(tmp_path, (2,), (), "int", 2)


DTYPES = {
    "complex64": np.dtype(np.complex64),
    "str": np.dtype("<U5"),
    "bytes": np.dtype("|S3"),
    "structured": np.dtype([("a", "f8"), ("b", "i4")]),
    "void": np.dtype("V3"),
    "object": np.dtype(object),
    "datetime64[D]": np.dtype("M8[D]"),
    "datetime64[25s]": np.dtype("M8[25s]"),
    "timedelta64[ns]": np.dtype("m8[ns]"),
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_npz_names_the_dtype_found_and_the_one_needed(
    dtype: str, tmp_path: Path
) -> None:
    wrong = np.zeros((10, 2), DTYPES[dtype])
    np.savez(tmp_path / "t.npz", x=wrong, y=wrong[:, 0])
    never = "objects are not read; " if dtype == "object" else ""
    assert faults(Npz("t.npz"), tmp_path) == [
        (
            "x",
            f"the array has dtype {dtype}, but the input real[2] needs real numbers",
            f"{never}save it as float64",
        ),
        (
            "y",
            f"the array has dtype {dtype}, but the target int[] needs class indices",
            f"{never}save it as int64",
        ),
    ]


@pytest.mark.parametrize("classes", [3, None])
def test_npz_tells_a_class_as_it_is_stored(classes: int | None, tmp_path: Path) -> None:
    labels = Y.astype(np.uint64)
    labels[4] = 2**64 - 2
    np.savez(tmp_path / "t.npz", x=X, y=labels)
    with pytest.raises(
        DataError, match="class 18446744073709551614 at \\[4\\] is out of range"
    ):
        Npz("t.npz").load(tmp_path, (2,), (), "int", classes)
    np.savez(tmp_path / "t.npz", x=X, y=Y - 1)
    with pytest.raises(DataError, match="class -1 at \\[0\\] is out of range"):
        Npz("t.npz").load(tmp_path, (2,), (), "int", classes)


def test_npz_refuses_what_is_no_archive(tmp_path: Path) -> None:
    whole = io.BytesIO()
    np.savez_compressed(whole, x=X, y=Y)
    for cut in (b"", b"hello", whole.getvalue()[:-30]):
        write(tmp_path, cut, "t.npz")
        assert "npz archive" in faults(Npz("t.npz"), tmp_path)[0][1]
    for member in (b"", b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY\x01\x00\x02\x00[]"):
        with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
            archive.writestr("x.npy", member)
            archive.writestr("y.npy", member)
        assert "not in NumPy's format" in faults(Npz("t.npz"), tmp_path)[0][1]


def test_npz_never_trusts_a_header_over_the_archive(tmp_path: Path) -> None:
    member = io.BytesIO()
    np.save(member, X)
    huge = member.getvalue().replace(b"(10, 2)", b"(99, 2)")
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("x.npy", huge)
        archive.writestr("y.npy", huge)
    assert "truncated" in faults(Npz("t.npz"), tmp_path)[0][1]


def test_npz_loads_any_real_type(tmp_path: Path) -> None:
    np.savez_compressed(
        tmp_path / "t.npz",
        a=np.asfortranarray(X.astype(np.float16)),
        b=Y.astype(np.uint8),
    )
    split = Npz("t.npz", x="a", y="b", validation=0.3).load(
        tmp_path, (2,), (), "int", 3
    )
    assert split.describe() == "7 train, 3 validation"
    assert split.train[0].dtype == np.float64 and split.train[1].dtype == np.int64
    assert {tuple(row) for row in split.train[0].tolist()} <= {
        tuple(r) for r in X.tolist()
    }


def test_checking_needs_no_numpy(tmp_path: Path) -> None:
    write(tmp_path, HEADER + ROWS)
    np.savez(tmp_path / "t.npz", x=X, y=Y)
    code = (
        "import sys, pathlib\n"
        "from specc.library.data.files import Csv, Npz\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "for s in (Csv('t.csv', target='kind'), Npz('t.npz')):\n"
        "    assert s.problems(folder, (2,), (), 'int', 3) == []\n"
        "assert 'numpy' not in sys.modules\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_classes_are_numbered_in_sorted_order() -> None:
    cells = [f"name{i}" for i in range(40, 10, -1)]
    names = class_labels.names_of(cells)
    assert names == tuple(reversed(cells))
    assert class_labels.indices(cells, names) == list(range(29, -1, -1))


def test_each_class_keeps_a_training_sample() -> None:
    """A class of one sample is only trained; the counts of the parts stay."""
    x = np.zeros((24, 1))
    y = np.array([0] + [1] * 2 + [2] * 3 + [3] * 18)
    for seed in range(20):
        train, validation, test = divide(x, y, 8, 6, seed, True)
        assert set(train[1].tolist()) == {0, 1, 2, 3}
        assert validation is not None and len(validation[1]) == 8
        assert test is not None and len(test[1]) == 6
    with pytest.raises(ArgumentError, match="4 classes cannot all keep"):
        divide(x, y, 21, 0, 0, True)


def test_equal_remainders_are_not_ordered_by_name() -> None:
    """Of four classes of five samples, a validation part of 2 has other classes by seed."""
    x, y = np.zeros((20, 1)), np.repeat(np.arange(4), 5)
    found = set()
    for seed in range(20):
        _, validation, _ = divide(x, y, 2, 0, seed, True)
        assert validation is not None
        found |= set(validation[1].tolist())
    assert found == {0, 1, 2, 3}
