"""The two plots of a run: its curves, and the learned region for inputs of two numbers.

Takes numbers, returns PNG images as bytes. Invariant: no display is needed, and the same numbers
give the same picture. The colours are those of Okabe and Ito, which are distinct for people with
any colour vision.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from specc.run.progress import SHARES, metric_names
from specc.syntax.excerpt import foreign

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
SERIES = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", RED, "#F0E442", "#000000")
_LOG_RANGE = 30
"""A loss is drawn on a log scale if its largest value is this many times its smallest."""
_GRID = 300

_TITLE = 80
"""The number of characters of a title that are drawn."""
_LABEL = 20
"""The number of characters of the name of a class that are drawn."""
_LABELLED = 20
"""The number of classes that the legend names."""

_FARTHEST = 1e290
"""Numbers farther from 0 are drawn there: matplotlib computes with their differences."""

Array = NDArray[np.float64]
Predict = Callable[[Array], Array]
Given = ParamSpec("Given")


def quietly(draw: Callable[Given, bytes]) -> Callable[Given, bytes]:
    """Return a function that draws without warnings, such as of a letter that the font lacks."""

    @functools.wraps(draw)
    def drawn(*args: Given.args, **kwargs: Given.kwargs) -> bytes:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return draw(*args, **kwargs)

    return drawn


@quietly
def curves(
    history: Sequence[Mapping[str, Any]], best_epoch: int | None, title: str
) -> bytes:
    """Return a PNG of the loss and each metric against the epochs, counted from 0."""
    names = metric_names(history[0])[:3]
    figure = _figure(5.2 * len(names), 3.9)
    epochs = np.arange(len(history))
    marker = "o" if len(history) < 3 else None
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(1, len(names), place)
        drawn = []
        for key, label, colour in (
            (f"train_{name}", "training", BLUE),
            (f"val_{name}", "validation", ORANGE),
        ):
            values = np.array([row.get(key, np.nan) for row in history], dtype=float)
            values = _in_reach(values)
            if np.isfinite(values).any():
                drawn.append(values[np.isfinite(values)])
                style: dict[str, Any] = {
                    "color": colour,
                    "linewidth": 1.6,
                    "marker": marker,
                }
                axes.plot(epochs, values, label=label, **style)
        if best_epoch is not None and best_epoch >= 0:
            label = f"kept: epoch {best_epoch}"
            style = {"color": GREY, "linewidth": 1.1, "linestyle": (0, (4, 3))}
            axes.axvline(best_epoch, label=label, zorder=0, **style)
        values = np.concatenate(drawn) if drawn else np.ones(1)
        if values.min() > 0 and values.max() > _LOG_RANGE * values.min():
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        if name in SHARES:
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
        _dress(axes)
        axes.legend(frameon=False, fontsize=9)
    figure.suptitle(as_text(title, _TITLE), fontsize=11)
    return _png(figure)


@quietly
def region(
    predict: Predict,
    x: Array,
    y: NDArray[Any],
    *,
    threshold: float | None,
    margin: Predict | None,
    names: tuple[str, str],
    classes: Sequence[str] | None,
    title: str,
) -> bytes:
    """Return a PNG of the predictions over the plane, with the samples x (n, 2) and y.

    An integer y is classes: the regions of the largest output. Otherwise y is (n, 1): with a
    `threshold` the region where the output is above it, without one the output itself. `margin` is
    above 0 where the true class is 1, None if that is unknown.
    """
    x, y = _in_reach(x), _in_reach(y)
    low, high = x.min(axis=0), x.max(axis=0)
    pad = np.where(high > low, 0.04 * (high - low), 0.5)
    pad = np.maximum(pad, 1e-9 * np.maximum(abs(low), abs(high)))
    if margin is not None:
        low, high, pad = np.zeros(2), np.ones(2), np.zeros(2)
    axis_x, axis_y = (
        np.linspace(a, b, _GRID) for a, b in zip(low - pad, high + pad, strict=True)
    )
    mesh_x, mesh_y = np.meshgrid(axis_x, axis_y)
    grid = np.column_stack([mesh_x.ravel(), mesh_y.ravel()])
    seen = _in_reach(predict(grid).reshape(_GRID, _GRID, -1))
    predicted = _in_reach(predict(x).reshape(len(x), -1))

    figure = _figure(5.6 if threshold is not None or y.ndim == 1 else 6.4, 5.2)
    axes = figure.add_subplot()
    plane = _Plane(axes, axis_x, axis_y, seen)
    if np.issubdtype(y.dtype, np.integer):
        labels = classes or [f"class {k}" for k in range(seen.shape[-1])]
        _largest(plane)
        _points(axes, x, y, predicted.argmax(axis=-1), labels)
    elif threshold is None:
        _shaded(figure, plane, x, y.reshape(-1))
    else:
        level = None if margin is None else margin(grid).reshape(_GRID, _GRID)
        _above(plane, threshold, level)
        truth = (y.reshape(-1) > threshold).astype(int)
        unnamed = ["outside", "inside"] if margin else ["class 0", "class 1"]
        labels = list(classes or unnamed)
        _points(axes, x, truth, (predicted[:, 0] > threshold).astype(int), labels)
    _framed(plane, names, title, equal=margin is not None)
    return _png(figure)


@dataclass(frozen=True)
class _Plane:
    """The axes of a plot, the coordinates of its grid, and the outputs there."""

    axes: Axes
    x: Array
    y: Array
    outputs: NDArray[Any]
    """(grid, grid, outputs)."""


def _largest(plane: _Plane) -> None:
    """Draw the regions of the largest output."""
    winner = plane.outputs.argmax(axis=-1)
    count = plane.outputs.shape[-1]
    _class_regions(plane.axes, plane.x, plane.y, winner, count)
    for k in range(count):
        _edge(plane.axes, plane.x, plane.y, (winner == k).astype(float), 0.5)


def _above(plane: _Plane, threshold: float, level: Array | None) -> None:
    """Draw the region above the threshold, and the true boundary where `level` is 0."""
    output = plane.outputs[..., 0]
    _class_regions(plane.axes, plane.x, plane.y, (output > threshold).astype(int), 2)
    _edge(plane.axes, plane.x, plane.y, output, threshold)
    if level is not None:
        style: dict[str, Any] = {
            "colors": "black",
            "linestyles": "dashed",
            "linewidths": 1.3,
        }
        plane.axes.contour(plane.x, plane.y, level, levels=[0.0], **style)
        plane.axes.plot([], [], color="black", linestyle="--", label="true boundary")


def _shaded(figure: Figure, plane: _Plane, x: Array, values: Array) -> None:
    """Draw the output as a shade, and samples with their true values."""
    shades: dict[str, Any] = {
        "vmin": values.min(),
        "vmax": values.max(),
        "cmap": "cividis",
    }
    output = plane.outputs[..., 0]
    plane.axes.pcolormesh(plane.x, plane.y, output, shading="auto", **shades)
    style: dict[str, Any] = {"s": 22, "edgecolors": "white", "linewidths": 0.6}
    dots = plane.axes.scatter(x[:, 0], x[:, 1], c=values, **style, **shades)
    figure.colorbar(dots, ax=plane.axes, label="predicted (plane), true (dots)")


def _framed(plane: _Plane, names: tuple[str, str], title: str, equal: bool) -> None:
    """Set limits, labels, title and legend of a plot."""
    axes = plane.axes
    axes.set_xlim(plane.x[0], plane.x[-1])
    axes.set_ylim(plane.y[0], plane.y[-1])
    if equal:
        axes.set_aspect("equal")
    axes.set_xlabel(as_text(names[0]))
    axes.set_ylabel(as_text(names[1]))
    axes.set_title(as_text(title, _TITLE), fontsize=11)
    if axes.get_legend_handles_labels()[0]:
        place: dict[str, Any] = {
            "loc": "upper center",
            "bbox_to_anchor": (0.5, -0.12),
            "ncols": 5,
        }
        axes.legend(frameon=False, fontsize=9, **place)


def _class_regions(
    axes: Axes, axis_x: Array, axis_y: Array, predicted: NDArray[Any], count: int
) -> None:
    """Fill the plane with the colour of the predicted class."""
    from matplotlib.colors import ListedColormap

    colours = [SERIES[k % len(SERIES)] for k in range(count)]
    style: dict[str, Any] = {
        "vmin": -0.5,
        "vmax": count - 0.5,
        "alpha": 0.28,
        "linewidth": 0,
    }
    palette = ListedColormap(colours)
    axes.pcolormesh(
        axis_x,
        axis_y,
        predicted,
        cmap=palette,
        shading="auto",
        rasterized=True,
        **style,
    )


def _edge(axes: Axes, axis_x: Array, axis_y: Array, field: Array, at: float) -> None:
    """Draw the contour of a field at the value `at`, if there is one."""
    if field.min() < at < field.max():
        axes.contour(axis_x, axis_y, field, [at], colors=GREY, linewidths=0.9)


def _points(
    axes: Axes,
    x: Array,
    truth: NDArray[Any],
    predicted: NDArray[Any],
    labels: Sequence[str],
) -> None:
    """Draw each sample in the colour of its class, and a cross where it is misclassified."""
    size = 16 if len(x) <= 400 else 7
    for k, label in enumerate(labels):
        mine = x[truth == k]
        style: dict[str, Any] = {
            "color": SERIES[k % len(SERIES)],
            "s": size,
            "linewidths": 0,
        }
        if k < _LABELLED:
            style["label"] = as_text(label, _LABEL)
        if len(mine):
            axes.scatter(mine[:, 0], mine[:, 1], alpha=0.75, **style)
    wrong = x[truth != predicted]
    label = f"misclassified: {len(wrong):,} of {len(x):,}"
    axes.scatter(
        wrong[:, 0],
        wrong[:, 1],
        marker="x",
        s=34,
        c="black",
        linewidths=1.2,
        label=label,
    )


def as_text(name: str, longest: int = 40) -> str:
    """Return a name, which may come from a file, so that matplotlib draws it as it is.

    Between dollars it would read mathematics, and a legend leaves out what begins with an
    underscore. A long name is shortened.
    """
    shown = foreign(name, longest).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def _in_reach(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return numbers that matplotlib can scale; NaN, integers and infinities are kept."""
    if np.issubdtype(numbers.dtype, np.integer):
        return numbers
    near = np.clip(numbers, -_FARTHEST, _FARTHEST)
    return np.where(np.isinf(numbers), numbers, near)


def _figure(width: float, height: float) -> Figure:
    import matplotlib

    # Agg needs no display; without pyplot a figure is freed when it goes out of scope.
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _dress(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.grid(color="#E3E3E3", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
