"""The plots show text of files as text, and numbers however large."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

from specc.run import plots

POINTS = np.random.default_rng(0).normal(size=(20, 2))
CLASSES = np.arange(20) % 2
HOSTILE = (
    "$x^$",
    r"$\frac$",
    r"\$",
    "$",
    "_hidden",
    "a\nb",
    "\x1b[2J",
    "\u202egnp",
    "",
    "日本",
    "x" * 9000,
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the texts of the figures as they are drawn."""
    texts: list[str] = []
    png = plots._png

    def kept(figure):
        made = png(figure)
        for text in figure.findobj(Text):
            shown, is_math = text._preprocess_math(text.get_text())
            texts.append(shown)
            assert not is_math or "mathdefault" in shown  # a tick
        return made

    monkeypatch.setattr(plots, "_png", kept)
    return texts


def region(x=POINTS, y=CLASSES, outputs=2, **more):
    """Draw a region of constant predictions."""
    given = {"threshold": None, "margin": None, "names": ("a", "b"), "classes": None}

    def predict(points):
        return np.zeros((len(points), outputs))

    return plots.region(predict, x, y, **(given | {"title": "net"} | more))


@pytest.mark.parametrize("name", ["$x^$", r"$\frac$", r"\$", "$"])
def test_names_are_drawn_as_text(drawn: list[str], name: str) -> None:
    region(names=(name, name), classes=[name, name])
    assert drawn.count(name) == 4


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_stops_a_plot(drawn: list[str], name: str) -> None:
    assert region(names=(name, name), classes=[name, f"{name}2"])[:4] == b"\x89PNG"
    for text in drawn:
        assert len(text) <= 80 and (text.isprintable() or not name.isascii())


def test_a_legend_names_a_class_that_begins_with_an_underscore(
    drawn: list[str],
) -> None:
    region(classes=["_a", "__b"])
    assert " _a" in drawn and " __b" in drawn


def test_a_legend_names_few_of_many_classes(drawn: list[str]) -> None:
    y = np.arange(40)
    x = np.column_stack([y, y % 7]).astype(float)
    region(x, y, outputs=40, classes=[f"class{k}" for k in y])
    assert sum(text.startswith("class") for text in drawn) == 20


@pytest.mark.parametrize("size", [1e308, 1e300, 1e17, 1e-320, 5e-324])
@pytest.mark.parametrize("alike", [False, True])
def test_numbers_of_any_size_are_drawn(size: float, alike: bool) -> None:
    signs = np.ones(20) if alike else np.where(CLASSES > 0, 1.0, -1.0)
    x = np.column_stack([signs, signs]) * size
    assert region(x)
    assert region(POINTS, signs[:, None] * size, outputs=1)
    history = [{"train_loss": sign * size, "lr": 0.1} for sign in signs]
    assert plots.curves(history, 0, "net")
