"""The command `specc train`: compiles a spec, trains its module, reports the run.

Takes the options of the command line; returns the exit code. Pictures come last: whatever happens
to them, the parameters and the history are saved.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from specc.cli.destinations import recorded_command
from specc.cli.terminal import message, show
from specc.emit import seal
from specc.run import folder as run_folder
from specc.run.samples import Refused
from specc.run.train import Run, TrainRequest, prepare, resumed, train
from specc.syntax.diagnostics import Diagnostic
from specc.syntax.source import Unreadable, read

FINE, FINDINGS, USAGE, INTERRUPTED = 0, 1, 2, 130


def train_command(
    path: str,
    overrides: Mapping[str, str],
    out: str | None,
    seed: int | None,
    epochs: int | None,
    device: str,
    dtype: str,
    quiet: bool,
) -> int:
    """Train the spec at `path`; return the exit code.

    `seed` and `epochs` are the spec's where they are None; `dtype` is float32 or
    float64.
    """

    def asked() -> TrainRequest:
        return TrainRequest(
            source=read(path),
            overrides=overrides,
            command=recorded_command(path, overrides, "torch"),
            stem=None if path == "-" else Path(path).stem,
            data_folder=None if path == "-" else Path(path).parent,
            out=out,
            seed=seed,
            epochs=epochs,
            device=device,
            dtype=dtype,
            quiet=quiet,
        )

    return _train(asked)


def resume_command(folder: str, quiet: bool) -> int:
    """Go on with the run in a folder; return the exit code."""
    return _train(lambda: resumed(Path(folder), quiet))


def _train(asked: Callable[[], TrainRequest]) -> int:
    try:
        with contextlib.ExitStack() as stack:
            request = asked()
            run = prepare(request, _show, stack)
            for note in run.notes:
                message(note, "warning")
            if not request.quiet:
                message(f"data: {run.split.describe()}")
                message(f"run: {run.folder}")
            return _finish(run, request)
    except Unreadable as error:
        message(str(error), "error")
        return USAGE
    except Refused as error:
        message(str(error), "error")
        return FINDINGS if error.finding else USAGE
    except OSError as error:
        reason = error.strerror or str(error)
        place = f"{error.filename}: " if error.filename else ""
        message(f"{place}{reason}", "error")
        return USAGE
    except KeyboardInterrupt:
        message("interrupted")
        return INTERRUPTED


def _show(diagnostics: tuple[Diagnostic, ...]) -> None:
    show(diagnostics, "full", sys.stderr)


def _finish(run: Run, request: TrainRequest) -> int:
    """Train, report, and return the exit code."""
    network, history = train(run, request)
    most = request.epochs or run.model.train.epochs
    try:
        tell(run, network, history, most)
    except KeyboardInterrupt:
        kept = "the parameters and the history are saved in"
        message(f"interrupted: {kept} {run.folder}")
        return INTERRUPTED
    codes = {"interrupted": INTERRUPTED, "non_finite": FINDINGS}
    return codes.get(history.stopped_by, FINE)


def tell(run: Run, network: Any, history: Any, epochs: int) -> None:
    """Print the metrics and how training ended, draw the plots, then print all paths."""
    from specc.run.figures import drawn
    from specc.run.progress import console, endings, final_table

    out = console(sys.stdout)
    metrics = {part: network.evaluate(*s) for part, s in run.samples.items()}
    out.print(final_table(metrics))
    out.print(endings(history, epochs))
    if history.note:
        message(history.note, "error")
    pictures = drawn(run.model, run.data, run.split, network, history)
    for name, picture in pictures.items():
        seal.replace_whole(run.folder / name, picture)
    names = (run_folder.WEIGHTS, run_folder.HISTORY, *pictures)
    written = [run.module_path, *(run.folder / name for name in names)]
    out.print("\n".join(f"  {path}" for path in written))
