"""The command `specc train`: compile a spec, train the module on the spec's data, keep
the run.

Takes a spec and what the command line changes; leaves a folder with the spec, the
module, the history, the parameters and the figures. Invariant: the network is trained
by the emitted module alone, through its public names, exactly as a user of the module
would do it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specc import output, run_folder
from specc.library.split import DataError, Split
from specc.model import Clause, Model
from specc.terminal import message, show

FINE, FINDINGS, USAGE, INTERRUPTED = 0, 1, 2, 130


class Refused(Exception):
    """A run that cannot go on: what to say, and the exit code."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Run:
    """A checked spec with its samples, also as tensors by part, and its folder."""

    model: Model
    data: Clause
    split: Split
    samples: dict[str, tuple[Any, Any]]
    folder: Path

    @property
    def module_path(self) -> Path:
        """Where the module lies."""
        return self.folder / f"{self.model.name}.py"


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
    """Train the spec at `path` and give the exit code.

    `seed` and `epochs` are the spec's where they are None; `dtype` is float32 or
    float64.
    """
    try:
        run = prepare(path, overrides, out, device, dtype)
        if not quiet:
            message(f"data: {run.split.describe()}")
            message(f"run: {run.folder}")
        return execute(run, seed, epochs, device, quiet)
    except Refused as error:
        message(str(error), "error")
        return error.code
    except OSError as error:
        reason = error.strerror or str(error)
        place = f"{error.filename}: " if error.filename else ""
        message(f"{place}{reason}", "error")
        return USAGE


def prepare(
    path: str, overrides: Mapping[str, str], out: str | None, device: str, dtype: str
) -> Run:
    """Compile the spec, load its data, make the folder and write spec and module into it."""
    from specc.compiler import compile_source
    from specc.emitted import tensors
    from specc.place import recorded_command
    from specc.source import Unreadable, read

    try:
        source = read(path)
    except Unreadable as error:
        raise Refused(str(error)) from None
    command = recorded_command(path, overrides, "torch")
    result = compile_source(source, overrides, "torch", "code", command)
    show(result.diagnostics, "full", sys.stderr)
    model, text = result.model, result.text
    if model is None or text is None:
        raise Refused(f"{source.name} does not compile", FINDINGS)
    if model.data is None:
        hint = "add one, such as `data disk(train=1000, validation=1000)`"
        raise Refused(f"{source.name} has no `data` statement to train on; {hint}")
    split = load(model, model.data, None if path == "-" else Path(path).parent)
    try:
        samples = tensors(split, device, dtype)
    except ValueError as error:
        raise Refused(f"cannot use --device {device}: {error}") from None
    try:
        folder = run_folder.make(model.name, out)
    except run_folder.NotARun as error:
        raise Refused(str(error)) from None
    run = Run(model, model.data, split, samples, folder)
    stem = model.name if path == "-" else Path(path).stem
    try:
        output.write(run.module_path, text, force=False)
    except output.EditedByHand as error:
        text = f"{error.path} was edited by hand: choose another --out"
        raise Refused(text) from None
    output.replace_whole(folder / f"{stem}.spec", source.text.encode())
    run_folder.begin(folder)
    return run


def load(model: Model, data: Clause, folder: Path | None) -> Split:
    """Load the spec's samples, and see that early stopping has what it monitors."""
    target = model.target
    classes = model.output_shape[-1] if target.dtype == "int" else None
    place = f"{model.source.name}:{data.span.line}: " if data.span else ""
    try:
        split: Split = data.use().load(
            folder, model.input.shape, target.shape, target.dtype, classes
        )
    except DataError as error:
        raise Refused(f"{place}{error}", FINDINGS) from None
    except MemoryError:
        raise Refused(f"{place}the samples do not fit into memory") from None
    stopping = model.early_stopping
    if stopping and stopping.monitor.startswith("val_") and split.validation is None:
        text = f"early stopping monitors `{stopping.monitor}`, and the data have no"
        raise Refused(f"{place}{text} validation samples", FINDINGS)
    return split


def execute(
    run: Run,
    seed: int | None,
    epochs: int | None,
    device: str,
    quiet: bool,
) -> int:
    """Train the module in the run's folder, write what came out, and print the figures."""
    from specc.emitted import imported, threads
    from specc.report import EpochProgress, console, endings, final_table

    module = imported(run.module_path)
    samples = run.samples
    chosen = {} if seed is None else {"seed": seed}
    most = epochs or run.model.train.epochs
    network = module.Model(dtype=samples["train"][0].dtype, device=device, **chosen)
    validation = samples.get("validation", (None, None))
    size = run.model.train.batch_size * network.flat_parameters.numel()
    with threads(size), EpochProgress(most, quiet) as progress:
        try:
            history = network.fit(
                *samples["train"],
                *validation,
                epochs=epochs,
                callback=progress,
                checkpoint=None,
            )
        except ValueError as error:
            # What the module says about its arguments: a number that float32 cannot hold.
            raise Refused(str(error), FINDINGS) from None
    figures = {part: network.evaluate(*s) for part, s in samples.items()}
    written = keep(run, network, history)
    out = console(sys.stdout)
    out.print(final_table(figures))
    out.print(endings(history, most))
    out.print("\n".join(f"  {path}" for path in written))
    if history.note:
        message(history.note, "error")
    codes = {"interrupted": INTERRUPTED, "non_finite": FINDINGS}
    return codes.get(history.stopped_by, FINE)


def keep(run: Run, network: Any, history: Any) -> list[Path]:
    """Write parameters, history and figures, the dearest first; give every file's path."""
    from specc.figures import drawn

    weights = run.folder / run_folder.WEIGHTS
    network.save(weights)
    record = run.folder / run_folder.HISTORY
    output.replace_whole(record, run_folder.history_csv(history))
    pictures = drawn(run.model, run.data, run.split, network, history)
    written = [weights, record]
    for name in (run_folder.CURVES, run_folder.REGION):
        picture = run.folder / name
        if name in pictures:
            output.replace_whole(picture, pictures[name])
            written.append(picture)
        else:
            # One of an earlier run would belong to other parameters.
            picture.unlink(missing_ok=True)
    return [run.module_path, *written]
