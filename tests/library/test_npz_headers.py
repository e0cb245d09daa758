"""Headers of arrays: what passes a check is what training reads."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from specc.library.data.files import Npz
from specc.library.data.split import DataError

NEEDS = {"input_shape": (2,), "target_shape": (1,), "target_dtype": "real"}
X = np.arange(20.0).reshape(10, 2)


def archive(folder: Path, x: bytes, *more: tuple[str, bytes]) -> None:
    """Write an archive with the bytes of x, and a y."""
    y = io.BytesIO()
    np.save(y, np.arange(10.0)[:, None])
    with zipfile.ZipFile(folder / "d.npz", "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in (("x.npy", x), ("y.npy", y.getvalue()), *more):
            file.writestr(name, data)


def array(descr="'<f8'", order="False", shape="(10, 2)", version=b"\1\0", tail=""):
    """Return the bytes of an array whose header is written by hand."""
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}{tail}}}"
    size = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + size + header.encode("latin-1") + X.tobytes()


def both(folder: Path) -> tuple[list[str], str]:
    """Return the errors of the check, and that of loading ("" if it loads)."""
    source = Npz("d.npz")
    found = [fault.message for fault in source.problems(folder, **NEEDS)]
    try:
        source.load(folder, **NEEDS)
    except DataError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize(
    "header",
    [
        {"descr": "'f3'"},
        {"descr": "'f'"},
        {"descr": "'b'"},
        {"descr": "'<f8 '"},
        {"descr": "'|O'"},
        {"descr": "[('a', '<f8')]"},
        {"descr": "'<c16'", "shape": "(5, 2)"},
        {"descr": "None"},
        {"order": "0"},
        {"order": "None"},
        {"shape": "(True, 20)"},
        {"shape": "(-10, -2)"},
        {"shape": "[10, 2]"},
        {"shape": "(10.0, 2)"},
        {"shape": "(99999999999999999999999999, 2)"},
        {"shape": "(4611686018427387904, 2)"},
        {"shape": "(11, 2)"},
        {"shape": "()"},
        {"tail": ", 'more': 1"},
        {"version": b"\4\0"},
        {"version": b"\1\7"},
    ],
    ids=str,
)
def test_what_numpy_would_not_read_is_refused_by_the_check(
    header: dict[str, str], tmp_path: Path
) -> None:
    archive(tmp_path, array(**header))
    check, load = both(tmp_path)
    assert check and load.startswith(check[0])


@pytest.mark.parametrize("version", [b"\1\0", b"\2\0", b"\3\0"])
@pytest.mark.parametrize("order", ["False", "True"])
def test_what_numpy_reads_is_read_alike(
    order: str, version: bytes, tmp_path: Path
) -> None:
    archive(tmp_path, array(order=order, version=version))
    assert both(tmp_path) == ([], "")
    parts = Npz("d.npz", validation=0).load(tmp_path, **NEEDS)
    with np.load(tmp_path / "d.npz") as held:
        assert np.array_equal(parts.train[0], held["x"])


@pytest.mark.parametrize(
    "dtype", ["<f2", "<f4", ">f8", "<i2", ">i8", "|u1", "<u8", "|b1", "<f16"]
)
def test_every_type_of_numbers_is_read_as_numpy_reads_it(
    dtype: str, tmp_path: Path
) -> None:
    x = X.astype(dtype)
    np.savez(tmp_path / "d.npz", x=x, y=X[:, :1])
    assert both(tmp_path) == ([], "")
    parts = Npz("d.npz", validation=0).load(tmp_path, **NEEDS)
    assert np.array_equal(parts.train[0], x.astype(float))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["x", "x.npy"])
def test_two_arrays_of_one_name_are_refused(other: str, tmp_path: Path) -> None:
    archive(tmp_path, array(), (other, array()))
    check, load = both(tmp_path)
    assert check == ["'d.npz' has 2 arrays called 'x'"] and load == check[0]


def test_damaged_numbers_are_refused(tmp_path: Path) -> None:
    archive(tmp_path, array())
    whole = (tmp_path / "d.npz").read_bytes()
    for place in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        (tmp_path / "d.npz").write_bytes(changed)
        both(tmp_path)  # neither raises anything else


@pytest.mark.parametrize("how", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_compression_is_refused(how: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w", how) as file:
        file.writestr("x.npy", array())
        file.writestr("y.npy", array())
    whole = (tmp_path / "d.npz").read_bytes()
    (tmp_path / "d.npz").write_bytes(whole.replace(whole[60:90], b"\xff" * 30, 1))
    check, load = both(tmp_path)
    assert check and load


def test_a_header_runs_and_warns_of_nothing(tmp_path: Path) -> None:
    archive(tmp_path, array(descr=r"'\d'"))
    check, load = both(tmp_path)
    assert check == ["the array 'x' is not in NumPy's format"] and load == check[0]
