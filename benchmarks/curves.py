"""Draws a sample's time against batch size and against width, peers and peak as lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

COLOURS = {
    "specc c": "#c1121f",
    "specc torch": "#f08c00",
    "specc numpy": "#8d6708",
    "eager torch": "#222222",
    "torch.compile": "#868e96",
    "NumPy by hand": "#2b8a3e",
    "JAX jit": "#74a9e0",
    "JAX scan": "#1c5fb0",
    "scikit-learn": "#9c36b5",
    "Keras": "#e377c2",
}
MARKERS = dict(zip(COLOURS, "o^vsDPXxhd", strict=True))
Row = dict[str, Any]


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write the pictures for which there are figures; give their paths."""
    rows, top = results["steps"], results["peak_gflops"]
    networks = dict.fromkeys(row["network"] for row in rows if not _by_width(row))
    paper = [name for name in networks if name == "2-25-25-25-1"]
    others = [name for name in networks if name not in paper]
    batches = sorted({row["batch"] for row in rows if _by_width(row)})

    def by_network(names: list[str]) -> list[tuple[str, list[Row]]]:
        return [
            (name, [row for row in rows if row["network"] == name]) for name in names
        ]

    def by_batch() -> list[tuple[str, list[Row]]]:
        found = []
        for batch in batches:
            chosen = [row for row in rows if _by_width(row) and row["batch"] == batch]
            found.append((f"2-w-w-w-1 at batch {batch}", chosen))
        return [(title, chosen) for title, chosen in found if len(chosen) > 2]

    pictures = (
        ("batch.png", "batch size", by_network(paper), lambda row: row["batch"]),
        (
            "batch_digits.png",
            "batch size",
            by_network(others),
            lambda row: row["batch"],
        ),
        ("width.png", "width w", by_batch(), lambda row: row["widths"][1]),
    )
    paths = []
    for name, label, panels, position in pictures:
        panels = [(title, found) for title, found in panels if len(found) > 1]
        if panels:
            paths.append(folder / name)
            _picture(paths[-1], label, panels, position, top)
    return paths


def _by_width(row: Row) -> bool:
    first, *hidden, last = row["widths"]
    power_of_two = hidden[0] & (hidden[0] - 1) == 0
    return (first, len(hidden), last) == (2, 3, 1) and power_of_two


def _picture(
    path: Path,
    label: str,
    panels: list[tuple[str, list[Row]]],
    position: Callable[[Row], int],
    top: float | None,
) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    figure = Figure(figsize=(1.9 + 4.4 * len(panels), 4.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    lines: dict[str, Any] = {}
    for axis, (title, rows) in zip(axes, panels, strict=True):
        rows = sorted(rows, key=position)
        for name, colour in COLOURS.items():
            found = [row for row in rows if "fit_us" in row["rows"].get(name, {})]
            if not found:
                continue
            own = name.startswith("specc")
            (lines[name],) = axis.plot(
                [position(row) for row in found],
                [row["rows"][name]["fit_us"] / row["batch"] for row in found],
                color=colour,
                marker=MARKERS[name],
                markersize=5 if own else 4,
                linewidth=2.2 if own else 1.2,
                zorder=4 if own else 3,
                label=name,
            )
            if found[0]["rows"][name].get("note", "").startswith("without"):
                lines[name].set_label(f"{name} (no tanh)")
        if top:
            (lines["peak of the core"],) = axis.plot(
                [position(row) for row in rows],
                [row["flop"] / top / 1e3 for row in rows],
                color="#222222",
                linestyle=(0, (4, 3)),
                linewidth=1.2,
                label="peak of the core",
            )
        axis.set(xscale="log", yscale="log", xlabel=label, title=title)
        places = sorted({position(row) for row in rows})
        axis.xaxis.set_major_locator(FixedLocator(places))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.tick_params(axis="x", labelsize=8)
        axis.grid(which="major", color="#dddddd", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("training, microseconds a sample (float32, one core)")
    drawn = sorted(lines.values(), key=lambda line: -line.get_ydata()[0])
    figure.legend(
        drawn,
        [line.get_label() for line in drawn],
        loc="outside right center",
        frameon=False,
        fontsize=9,
    )
    figure.savefig(path, dpi=150)
