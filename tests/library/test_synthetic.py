"""The sources that draw points: their formulas, their streams, what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specc.library import VOCABULARY
from specc.library.data.split import DataError, Split
from specc.library.data.synthetic import Disk, Moons, Spiral, Synthetic, Xor
from specc.library.streams import uniform
from tests.cases.specs import checked, spec

SOURCES: dict[str, type[Synthetic]] = {
    "disk": Disk,
    "xor": Xor,
    "spiral": Spiral,
    "moons": Moons,
}


def load(source: Synthetic, dtype: Any = "real") -> Split:
    whole = dtype == "int"
    return source.load(None, (2,), () if whole else (1,), dtype, 2 if whole else None)


def drawn(split: Split) -> np.ndarray[Any, Any]:
    return np.concatenate([x for x, _ in split.parts.values()])


def test_every_synthetic_source_is_tested() -> None:
    found = {
        word
        for word, entry in VOCABULARY["data"].items()
        if isinstance(entry.make, type) and issubclass(entry.make, Synthetic)
    }
    assert found == SOURCES.keys()
    assert all(source.word == word for word, source in SOURCES.items())


# x of sample 0 and 999 of seed 0, and how many of the first thousand are of class 1.
PINNED: dict[str, tuple[list[float], list[float], int]] = {
    "disk": (
        [0.08213569082972, 0.90132436015276],
        [0.94915610528116, 0.83827035743345],
        522,
    ),
    "xor": (
        [0.02607061758450, 0.28386611988992],
        [0.21771935037248, 0.36445789690235],
        507,
    ),
    "spiral": (
        [0.19194861300366, 0.66353155459667],
        [0.58835794364454, 0.72501972126686],
        504,
    ),
    "moons": (
        [1.46885281164771, -0.45842718409952],
        [1.67667989400978, -0.23636670036606],
        516,
    ),
}


@pytest.mark.parametrize("word", SOURCES)
def test_the_samples_of_seed_0_stay_what_they_are(word: str) -> None:
    first, last, ones = PINNED[word]
    x, y = load(SOURCES[word](validation=0)).train
    np.testing.assert_allclose(x[[0, -1]], [first, last], rtol=0, atol=1e-12)
    assert y.sum() == ones


@pytest.mark.parametrize("word", SOURCES)
def test_parts_are_disjoint_and_follow_each_other(word: str) -> None:
    split = load(SOURCES[word](train=30, validation=20, test=10, seed=3))
    assert [len(y) for _, y in split.parts.values()] == [30, 20, 10]
    assert len(np.unique(drawn(split), axis=0)) == 60
    whole = load(SOURCES[word](train=60, validation=0, seed=3))
    assert whole.validation is None and whole.test is None
    assert drawn(whole).tolist() == drawn(split).tolist()
    other = load(SOURCES[word](train=60, validation=0, seed=4))
    assert not np.isin(drawn(other), drawn(whole)).any()


@pytest.mark.parametrize("word", SOURCES)
def test_a_class_index_is_the_label(word: str) -> None:
    source = SOURCES[word](train=500, validation=0)
    (x, label), (same, index) = load(source).train, load(source, "int").train
    assert index.dtype == np.int64 and label.dtype == np.float64
    assert x.tolist() == same.tolist()
    assert label[:, 0].tolist() == index.tolist()
    assert 0.4 < index.mean() < 0.6
    assert np.isfinite(x).all()


def test_xor_is_one_coordinate_alone_above_a_half() -> None:
    x, y = load(Xor(seed=9)).train
    assert x.ravel().tolist() == uniform(9, "data/xor", 2000).tolist()
    alone = (x[:, 0] > 0.5) ^ (x[:, 1] > 0.5)
    assert y[:, 0].tolist() == alone.tolist()
    assert (Xor().margin(x) > 0).tolist() == alone.tolist()


def test_three_turns_are_the_spirals_of_lang_and_witbrock() -> None:
    """Their point i of 97 has angle i pi / 16 and radius 6.5 (104 - i) / 104."""
    i = np.arange(97)
    radius, angle = 6.5 * (104 - i) / 104, i * np.pi / 16
    theirs = radius[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    for second, sign in ((0.75, 1), (0.25, -1)):
        u = np.column_stack([np.full(97, second), 1 - i / 96])
        x, label = Spiral(turns=3)._points(u)
        np.testing.assert_allclose((x - 0.5) * 13, sign * theirs, atol=1e-12)
        assert set(label.tolist()) == {sign == 1}


@pytest.mark.parametrize("turns", [0.5, 1.0, 3.0])
def test_the_arms_of_a_spiral_lie_in_the_unit_square(turns: float) -> None:
    x, _ = load(Spiral(turns=turns)).train
    distance = np.hypot(*(x - 0.5).T)
    assert x.min() >= 0 and x.max() <= 1
    assert distance.min() >= 1 / 26 - 1e-12 and distance.max() < 0.5


def test_moons_lie_on_the_curves_of_scikit_learn() -> None:
    from sklearn.datasets import make_moons

    theirs, labels = make_moons(2000, shuffle=False)
    x, y = load(Moons(noise=0)).train
    for label in (0, 1):
        ours, curve = x[y[:, 0] == label], theirs[labels == label]
        gaps = np.hypot(*(ours[:, None] - curve).transpose(2, 0, 1)).min(axis=1)
        assert gaps.max() < 0.002  # half the distance of two of theirs


def test_moons_have_normal_noise_in_both_coordinates() -> None:
    arguments: dict[str, Any] = {"train": 20_000, "validation": 0}
    clean = load(Moons(noise=0, **arguments)).train[0]
    noise = (load(Moons(noise=0.3, **arguments)).train[0] - clean) / 0.3
    assert noise.mean(axis=0) == pytest.approx([0, 0], abs=0.03)
    assert noise.std(axis=0) == pytest.approx([1, 1], abs=0.03)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.03
    assert (np.abs(noise) < 1).mean() == pytest.approx(0.6827, abs=0.01)


REFUSED: list[tuple[tuple[int, ...], tuple[int, ...], Any, int | None, str, str]] = [
    # input, target, its type, classes of the network, in the message, in the hint
    (
        (3,),
        (1,),
        "real",
        None,
        "has inputs real[2], but the spec declares real[3]",
        "`real[2]`",
    ),
    ((2,), (), "real", None, "declares real[]", "`real[1]`"),
    ((2,), (1,), "int", 2, "declares int[1]", "`int[]`"),
    (
        (2,),
        (),
        "int",
        3,
        "has 2 classes, but the network has outputs for 3",
        "linear(2)",
    ),
    (
        (2,),
        (),
        "int",
        1,
        "has 2 classes, but the network has outputs for 1",
        "linear(2)",
    ),
]


@pytest.mark.parametrize(("x", "y", "dtype", "classes", "message", "hint"), REFUSED)
@pytest.mark.parametrize("word", SOURCES)
def test_what_does_not_fit_is_refused(
    word: str, x: Any, y: Any, dtype: Any, classes: Any, message: str, hint: str
) -> None:
    source = SOURCES[word]()
    [fault] = source.problems(None, x, y, dtype, classes)
    assert word in fault.message and message in fault.message
    assert hint in fault.hint
    with pytest.raises(DataError):
        source.load(None, x, y, dtype, classes)


ARGUMENTS = {
    "spiral(turns=2)": None,
    "spiral(turns=1.5, train=10)": None,
    "spiral(turns=0)": "above 0",
    "spiral(turns=1e9)": "at most 100",
    "moons(noise=0)": None,
    "moons(noise=-1)": "at least 0",
    "xor(train=0)": "at least 1",
}


@pytest.mark.parametrize("text", ARGUMENTS)
def test_arguments_are_checked(text: str) -> None:
    model, found = checked(spec(data=f"data {text}"))
    said = " ".join(f"{finding.message} {finding.label}" for finding in found)
    expected = ARGUMENTS[text]
    assert (model is not None) == (expected is None), said
    assert expected is None or expected in said


def test_checking_needs_no_numpy() -> None:
    code = (
        "import sys\n"
        "from specc.library import VOCABULARY\n"
        f"for word in {list(SOURCES)}:\n"
        "    source = VOCABULARY['data'][word].make()\n"
        "    assert source.problems(None, (2,), (1,), 'real') == []\n"
        "assert 'numpy' not in sys.modules\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
