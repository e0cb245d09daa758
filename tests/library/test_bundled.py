"""The sets of scikit-learn: the facts of a check, what is loaded, what is refused."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import datasets

from specc.cli.train import train_command
from specc.library import VOCABULARY
from specc.library.data.bundled import (
    BreastCancer,
    Bundled,
    Diabetes,
    Digits,
    Iris,
    Wine,
)
from specc.library.data.split import DataError, Split
from specc.library.vocabulary import ArgumentError
from tests.cases.specs import checked, spec

SETS: dict[str, type[Bundled]] = {
    "digits": Digits,
    "iris": Iris,
    "wine": Wine,
    "breast_cancer": BreastCancer,
    "diabetes": Diabetes,
}


def fitting(source: type[Bundled]) -> tuple[Any, ...]:
    """Give what a network that fits a set says of its samples."""
    if source.classes is None:
        return source.inputs[0], (1,), "real", None
    return source.inputs[0], (), "int", source.classes


def load(source: Bundled) -> Split:
    return source.load(None, *fitting(type(source)))


def test_every_set_is_tested() -> None:
    found = {
        word
        for word, entry in VOCABULARY["data"].items()
        if isinstance(entry.make, type) and issubclass(entry.make, Bundled)
    }
    assert found == SETS.keys()


@pytest.mark.parametrize("word", SETS)
def test_the_facts_are_those_of_scikit_learn(word: str) -> None:
    source, bunch = SETS[word], getattr(datasets, f"load_{word}")()
    assert source.word == word
    assert bunch.data.shape == (source.samples, *source.inputs[0])
    assert all(np.prod(shape) == bunch.data.shape[1] for shape in source.inputs)
    names = getattr(bunch, "target_names", None)
    if source.classes is None:
        assert names is None
        assert source.targets == (bunch.target.min(), bunch.target.max())
    else:
        assert sorted(set(bunch.target)) == list(range(source.classes))
        indices = tuple(map(str, range(source.classes)))
        assert tuple(map(str, names)) == (source.names or indices)


@pytest.mark.parametrize("word", SETS)
def test_the_parts_are_the_set(word: str) -> None:
    bunch = getattr(datasets, f"load_{word}")()
    split = load(SETS[word](test=17))
    parts = split.parts
    assert len(parts["test"][1]) == 17
    assert len(parts["validation"][1]) == int(0.2 * len(bunch.data) + 0.5)
    rows = [
        (*x.tolist(), float(y.item()))
        for xs, ys in parts.values()
        for x, y in zip(xs, ys, strict=True)
    ]
    theirs = np.column_stack([bunch.data, bunch.target]).tolist()
    assert sorted(rows) == sorted(map(tuple, theirs))
    assert split.features == tuple(bunch.feature_names)


@pytest.mark.parametrize("word", SETS)
def test_each_class_keeps_its_share_in_every_part(word: str) -> None:
    source = SETS[word]
    if source.classes is None:
        [fault] = source(stratify=True).problems(None, *fitting(source))
        assert fault.argument == "stratify"
        return
    share = np.bincount(getattr(datasets, f"load_{word}")().target) / source.samples
    for x, y in load(source(validation=0.25, test=0.25)).parts.values():
        assert len(x) == len(y)
        assert np.abs(np.bincount(y) - share * len(y)).max() < 2
    told = [load(source(stratify=choice)).train[1].tolist() for choice in (True, False)]
    assert load(source()).train[1].tolist() == told[0] != told[1]


# The beginning of the hash of the samples of seed 0: x and y of every part, in order.
PINNED = {
    "digits": "120d09f1ca3e3730",
    "iris": "c21496634bd85141",
    "wine": "4103b8c96de2e2ba",
    "breast_cancer": "c4fff9ebf7bed6da",
    "diabetes": "47ad6f2ec4e79878",
}


def fingerprint(split: Split) -> str:
    # Rounded, because scikit-learn computes some of the values.
    arrays = [np.round(array, 9) + 0 for part in split.parts.values() for array in part]
    whole = b"".join(array.tobytes() for array in arrays)
    return hashlib.sha256(whole).hexdigest()[:16]


@pytest.mark.parametrize("word", SETS)
def test_the_samples_of_seed_0_stay_what_they_are(word: str) -> None:
    source = SETS[word]
    assert fingerprint(load(source(test=0.1))) == PINNED[word]
    assert fingerprint(load(source(test=0.1, seed=1))) != PINNED[word]


@pytest.mark.parametrize("shape", Digits.inputs)
def test_digits_are_lines_or_images(shape: tuple[int, ...]) -> None:
    x, y = Digits().load(None, shape, (), "int", 10).train
    flat, same = load(Digits()).train
    assert x.shape[1:] == shape and x.dtype == np.float64
    assert x.reshape(-1, 64).tolist() == flat.tolist() and y.tolist() == same.tolist()
    assert (x.min(), x.max()) == (0, 16)


def test_breast_cancer_may_be_a_label() -> None:
    split = BreastCancer(stratify=False).load(None, (30,), (1,), "real", None)
    index = load(BreastCancer(stratify=False)).train[1]
    assert split.train[1].dtype == np.float64
    assert split.train[1][:, 0].tolist() == index.tolist()
    assert split.describe().endswith("classes: 0 = malignant, 1 = benign")


REFUSED: list[tuple[str, Any, Any, Any, int | None, str, str]] = [
    # set, input, target, its type, classes of the network, in the message, in the hint
    (
        "wine",
        (12,),
        (),
        "int",
        3,
        "has inputs real[13], but the spec declares real[12]",
        "real[13]`",
    ),
    ("digits", (28,), (), "int", 10, "real[64]", "`real[8, 8]` or `real[1, 8, 8]`"),
    (
        "digits",
        (64,),
        (),
        "int",
        3,
        "10 classes, but the network has outputs for 3",
        "linear(10)",
    ),
    (
        "wine",
        (13,),
        (),
        "int",
        4,
        "3 classes, but the network has outputs for 4",
        "linear(3)",
    ),
    (
        "iris",
        (4,),
        (1,),
        "real",
        None,
        "a class, but the spec declares real[1]",
        "`int[]`",
    ),
    ("iris", (4,), (1,), "int", 3, "a class, but the spec declares int[1]", "`int[]`"),
    (
        "diabetes",
        (10,),
        (),
        "int",
        9,
        "a number, but the spec declares int[]",
        "`real[1]`",
    ),
    ("diabetes", (10,), (2,), "real", None, "the spec declares real[2]", "`real[1]`"),
    ("breast_cancer", (30,), (), "real", None, "real[]", "`int[]` or `real[1]`"),
]


@pytest.mark.parametrize(
    ("word", "x", "y", "dtype", "classes", "message", "hint"), REFUSED
)
def test_what_does_not_fit_is_refused(
    word: str, x: Any, y: Any, dtype: Any, classes: Any, message: str, hint: str
) -> None:
    source = SETS[word]()
    [fault] = source.problems(None, x, y, dtype, classes)
    assert word in fault.message and message in fault.message
    assert hint in fault.hint
    with pytest.raises(DataError, match=word):
        source.load(None, x, y, dtype, classes)


@pytest.mark.parametrize("word", SETS)
def test_parts_beyond_the_set_are_refused(word: str) -> None:
    source = SETS[word]
    most = source.samples - 1
    assert source(validation=most).problems(None, *fitting(source)) == []
    [fault] = source(validation=most, test=1).problems(None, *fitting(source))
    assert fault.argument == "validation"
    assert f"the data has {source.samples:,} samples" in fault.message
    with pytest.raises(ArgumentError, match="neither a fraction"):
        source(test=1.5)


def test_without_scikit_learn_loading_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert Wine().problems(None, *fitting(Wine)) == []
    with pytest.raises(ModuleNotFoundError, match="sklearn"):
        load(Wine())


def test_checking_needs_neither_scikit_learn_nor_numpy() -> None:
    code = (
        "import sys\n"
        "from specc.library import VOCABULARY\n"
        f"for word, needs in {({w: fitting(s) for w, s in SETS.items()})!r}.items():\n"
        "    assert VOCABULARY['data'][word].make().problems(None, *needs) == []\n"
        "assert not {'numpy', 'sklearn'} & set(sys.modules)\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


@pytest.mark.parametrize("word", SETS)
def test_a_set_may_have_the_name_of_the_model(word: str) -> None:
    """Also that of its own source; `spec` is a network of two inputs and one output."""
    model, found = checked(spec(model=f"model {word}", data="data xor"))
    assert found == () and model is not None and model.name == word


TRAINED = {
    "digits": ("real[64]", "int[]", "linear(10)", "cross_entropy", 0.01),
    "iris": ("real[4]", "int[]", "linear(3)", "cross_entropy", 0.01),
    "wine": ("real[13]", "int[]", "linear(3)", "cross_entropy", 1e-5),
    "breast_cancer": (
        "real[30]",
        "real[1]",
        "linear(1) sigmoid",
        "binary_cross_entropy",
        1e-6,
    ),
    "diabetes": ("real[10]", "real[1]", "linear(1)", "mse", 0.001),
}


@pytest.mark.parametrize("word", SETS)
def test_a_network_trains_on_each_set(
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    x, y, layers, loss, lr = TRAINED[word]
    text = spec(
        model=f"model {word}",
        input=f"input x: {x}",
        target=f"target y: {y}",
        layers=f"layers {{ linear(8) tanh {layers} }}",
        loss=f"loss {loss}",
        optimizer=f"optimizer sgd(lr={lr})",
        train="train(epochs=3, batch_size=16)",
        data=f"data {word}(test=0.2)",
    )
    monkeypatch.chdir(tmp_path)
    Path("t.spec").write_text(text)
    code = train_command("t.spec", {}, None, None, None, "cpu", "float64", quiet=False)
    out, err = capsys.readouterr()
    assert code == 0, err
    names = SETS[word].names
    assert names is None or f"classes: 0 = {names[0]}, 1 = {names[1]}" in err
    history = Path("runs", word, "history.csv").read_text().splitlines()
    header, *rows = (row.split(",") for row in history)
    losses = [float(row[header.index("train_loss")]) for row in rows]
    assert len(losses) == 3 and losses[-1] < losses[0]
