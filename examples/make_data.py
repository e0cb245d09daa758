"""Make the data files of the examples from the sets that scikit-learn brings along.

Takes nothing, writes `iris.csv`, `diabetes.csv` and `digits.npz` beside this file.
Invariant: the same version of scikit-learn gives the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, load_digits, load_iris

HERE = Path(__file__).parent


def iris() -> str:
    """Give 150 flowers: four lengths in centimetres and the name of the species."""
    found = load_iris()
    names = [
        name.removesuffix(" (cm)").replace(" ", "_") for name in found.feature_names
    ]
    lines = [",".join([*names, "species"])]
    for row, species in zip(found.data, found.target, strict=True):
        lines.append(",".join([*map(str, row), found.target_names[species]]))
    return "\n".join(lines) + "\n"


def diabetes() -> str:
    """Give 442 patients: ten measurements and how far the illness went in a year.

    Every column has mean 0 and standard deviation 1, the target too: its mean was 152.13
    and its standard deviation 77.01.
    """
    found = load_diabetes()
    table = np.column_stack([found.data, found.target])
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    lines = [",".join([*found.feature_names, "progression"])]
    lines += [",".join(f"{value:.6f}" for value in row) for row in table]
    return "\n".join(lines) + "\n"


def digits() -> bytes:
    """Give 1,797 digits: 8 by 8 shades from 0 to 1, and which digit it is."""
    found = load_digits()
    x = (found.data / 16).astype(np.float32)
    return archive(x=x, y=found.target.astype(np.int64))


def archive(**arrays: NDArray[np.generic]) -> bytes:
    """Write arrays as numpy.savez_compressed does, less the time of day."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as held:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            held.writestr(entry, member.getvalue())
    return content.getvalue()


if __name__ == "__main__":
    (HERE / "iris.csv").write_text(iris(), encoding="utf-8", newline="\n")
    (HERE / "diabetes.csv").write_text(diabetes(), encoding="utf-8", newline="\n")
    (HERE / "digits.npz").write_bytes(digits())
