"""The command `specc train`: compiles a spec, trains the module on its data, saves the run.

Takes a spec and options; writes a folder with the spec, the module, the history, the parameters and
the plots. Invariant: the network is trained only through the public names of the emitted module, as
a user of the module would do it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specc.cli.terminal import message, show
from specc.emit import seal
from specc.library.data.split import DataError, Split
from specc.model.model import Clause, Model
from specc.run import folder as run_folder

FINE, FINDINGS, USAGE, INTERRUPTED = 0, 1, 2, 130


class Refused(Exception):
    """A run that cannot continue: the message, and the exit code."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Run:
    """A checked spec with its samples (as tensors too) and its folder."""

    model: Model
    data: Clause
    split: Split
    samples: dict[str, tuple[Any, Any]]
    folder: Path

    @property
    def module_path(self) -> Path:
        """The path of the module."""
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
    """Train the spec at `path` and return the exit code.

    `seed` and `epochs` override those of the spec unless they are None; `dtype` is float32 or
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
    except KeyboardInterrupt:
        message("interrupted")
        return INTERRUPTED


def prepare(
    path: str, overrides: Mapping[str, str], out: str | None, device: str, dtype: str
) -> Run:
    """Compile the spec, load its data, and write spec and module to the folder of the run."""
    from specc.cli.destinations import recorded_command
    from specc.compiler import compile_source
    from specc.run.emitted import tensors
    from specc.syntax.source import Unreadable, read

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
    check_samples(model, model.data, split, dtype)
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
    if seal.state(run.module_path, text) in ("edited", "foreign"):
        raise Refused(f"{run.module_path} was edited by hand: pass another --out")
    run_folder.begin(folder)
    seal.write(run.module_path, text, force=False)
    seal.replace_whole(folder / f"{stem}.spec", source.text.encode())
    return run


def load(model: Model, data: Clause, folder: Path | None) -> Split:
    """Return the spec's samples."""
    target = model.target
    classes = model.output_shape[-1] if target.dtype == "int" else None
    place = place_of(model, data)
    try:
        split: Split = data.use().load(
            folder, model.input.shape, target.shape, target.dtype, classes
        )
    except DataError as error:
        raise Refused(f"{place}{error}", FINDINGS) from None
    except MemoryError:
        raise Refused(f"{place}the samples do not fit into memory") from None
    return split


def check_samples(model: Model, data: Clause, split: Split, dtype: str) -> None:
    """Raise Refused if training cannot use the samples.

    Early stopping may monitor validation samples that do not exist, the samples may be fewer than a
    batch, or too large for `dtype`.
    """
    from specc.run.emitted import beyond_float32

    place = place_of(model, data)
    stopping = model.early_stopping
    if stopping and stopping.monitor.startswith("val_") and split.validation is None:
        text = f"early stopping monitors `{stopping.monitor}`, but the data has no"
        raise Refused(f"{place}{text} validation samples", FINDINGS)
    count, batch = len(split.train[1]), model.train.batch_size
    if model.train.drop_last and count < batch:
        text = f"`drop_last` drops all {count:,} training samples"
        hint = f"they are fewer than batch_size={batch}"
        raise Refused(f"{place}{text}: {hint}", FINDINGS)
    if dtype != "float32":
        return
    for samples in split.parts.values():
        for feature, numbers in zip((model.input, model.target), samples, strict=True):
            number = beyond_float32(numbers)
            if number is not None:
                text = f"`{feature.name}` has {number!r}, too large for float32"
                hint = "pass `--dtype float64`"
                raise Refused(f"{place}{text}: {hint}", FINDINGS)


def place_of(model: Model, clause: Clause) -> str:
    """Return the place of a clause, to begin a message with."""
    return f"{model.source.name}:{clause.span.line}: " if clause.span else ""


def execute(
    run: Run,
    seed: int | None,
    epochs: int | None,
    device: str,
    quiet: bool,
) -> int:
    """Train the module in the folder of the run, save the results, and print the metrics.

    Plots come last: if they fail, everything else is already saved and printed.
    """
    from specc.run.emitted import imported, threads
    from specc.run.progress import EpochProgress

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
            # The module rejects its arguments, such as a rate that overflows.
            raise Refused(str(error), FINDINGS) from None
    keep(run, network, history)
    try:
        tell(run, network, history, most)
    except KeyboardInterrupt:
        kept = "the parameters and the history are saved in"
        message(f"interrupted: {kept} {run.folder}")
        return INTERRUPTED
    codes = {"interrupted": INTERRUPTED, "non_finite": FINDINGS}
    return codes.get(history.stopped_by, FINE)


def keep(run: Run, network: Any, history: Any) -> None:
    """Write the parameters, then the history."""
    weights = run.folder / run_folder.WEIGHTS
    with seal.naming(weights):
        network.save(weights)
    record = run.folder / run_folder.HISTORY
    seal.replace_whole(record, run_folder.history_csv(history))


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
