"""Training runs: a compiled spec trained on its own data, in a folder of its own.

Takes a request; leaves a folder with the spec, the module, the history and the parameters.
Invariant: the emitted module alone trains the network, through its public names, exactly as a user
of the module would do it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specc.compiler import Request, compile_source
from specc.emit import seal
from specc.library.data.split import DataError, Split
from specc.model.domain import domain_of
from specc.model.model import Clause, Model
from specc.run import folder as run_folder
from specc.run import lock, record
from specc.syntax.diagnostics import Diagnostic
from specc.syntax.source import Source

CHECKPOINT_SECONDS = 5.0
"""How long a run trains before its first checkpoint, and at least between two of them."""

Report = Callable[[tuple[Diagnostic, ...]], None]


class Refused(Exception):
    """A run that cannot go on: what is wrong, and whether the spec or its data are at fault."""

    def __init__(self, message: str, finding: bool = False) -> None:
        super().__init__(message)
        self.finding = finding


@dataclass(frozen=True)
class TrainRequest:
    """What is asked of a training run."""

    source: Source
    overrides: Mapping[str, str]
    """The values of `-D name=value`."""
    command: str
    """The command that the module names as its origin."""
    stem: str | None
    """The name of the spec's copy in the run folder; None for that of the model."""
    data_folder: Path | None
    """Where paths of data files start from; None without a file for the spec."""
    out: str | None
    """The run folder; None for the next free one in `runs/`."""
    seed: int | None = None
    epochs: int | None = None
    """Override the spec's, where they are not None."""
    device: str = "cpu"
    dtype: str = "float32"
    """float32 or float64."""
    quiet: bool = False
    resume: bool = False
    """True to go on with the run in the folder `out`."""


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


def prepare(request: TrainRequest, report: Report, stack: ExitStack) -> Run:
    """Compile the spec, load its data, make the folder and write spec and module into it.

    The folder is held until the stack is closed.

    `report` receives the findings of the compiler before any data is read. Raises Refused where
    the run cannot start, and OSError where the file system refuses.
    """
    from specc.run.emitted import require_torch, tensors

    source = request.source
    result = compile_source(
        source, Request(overrides=request.overrides, command=request.command)
    )
    report(result.diagnostics)
    model, text = result.model, result.text
    if model is None or text is None:
        raise Refused(f"{source.name} does not compile", finding=True)
    if model.data is None:
        hint = "add one, such as `data disk(train=1000, validation=1000)`"
        raise Refused(f"{source.name} has no `data` statement to train on; {hint}")
    require_torch()
    split = load(model, model.data, request.data_folder)
    check_samples(model, model.data, split, request.dtype)
    try:
        samples = tensors(split, request.device, request.dtype)
    except ValueError as error:
        raise Refused(f"cannot use --device {request.device}: {error}") from None
    try:
        folder = run_folder.make(model.name, request.out)
        stack.enter_context(lock.held(folder))
    except (run_folder.NotARun, lock.InUse) as error:
        raise Refused(str(error)) from None
    run = Run(model, model.data, split, samples, folder)
    found = seal.state(run.module_path, text)
    if request.resume:
        if found != "same":
            raise Refused(
                f"{run.module_path} is not what this spec and this version of specc make:"
                " a run goes on with the module that began it"
            )
        return run
    if found in ("edited", "foreign"):
        raise Refused(f"{run.module_path} was edited by hand: pass another --out")
    run_folder.begin(folder)
    seal.write(run.module_path, text, force=False)
    stem = request.stem or model.name
    seal.replace_whole(folder / f"{stem}.spec", source.text.encode())
    record.write(folder, recorded_facts(request, f"{stem}.spec"))
    return run


def recorded_facts(request: TrainRequest, spec: str) -> dict[str, Any]:
    """Return what going on with a run needs to know of its request."""
    data = request.data_folder
    return {
        "spec": spec,
        "source": request.source.name,
        "overrides": dict(request.overrides),
        "command": request.command,
        "stem": request.stem,
        "data_folder": None if data is None else str(data.resolve()),
        "seed": request.seed,
        "epochs": request.epochs,
        "device": request.device,
        "dtype": request.dtype,
        "finished": False,
    }


def resumed(folder: Path, quiet: bool) -> TrainRequest:
    """Return the request of a run that was begun in a folder, to go on with it.

    Raises Refused if the folder has no run, or one that is finished.
    """
    try:
        facts = record.read(folder)
        spec = (folder / facts["spec"]).read_text(encoding="utf-8")
    except (run_folder.NotARun, UnicodeDecodeError) as error:
        raise Refused(str(error)) from None
    if facts["finished"]:
        raise Refused(
            f"the run in {folder} is finished: pass its spec to start another"
        )
    data = facts["data_folder"]
    return TrainRequest(
        source=Source(facts["source"], spec),
        overrides=facts["overrides"],
        command=facts["command"],
        stem=facts["stem"],
        data_folder=None if data is None else Path(data),
        out=str(folder),
        seed=facts["seed"],
        epochs=facts["epochs"],
        device=facts["device"],
        dtype=facts["dtype"],
        quiet=quiet,
        resume=True,
    )


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
        raise Refused(f"{place}{error}", finding=True) from None
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
        raise Refused(f"{place}{text} validation samples", finding=True)
    count, batch = len(split.train[1]), model.train.batch_size
    if model.train.drop_last and count < batch:
        text = f"`drop_last` drops all {count:,} training samples"
        hint = f"they are fewer than batch_size={batch}"
        raise Refused(f"{place}{text}: {hint}", finding=True)
    check_targets(model, data, split)
    check_classes(model, data, split)
    if dtype != "float32":
        return
    for samples in split.parts.values():
        for feature, numbers in zip((model.input, model.target), samples, strict=True):
            number = beyond_float32(numbers)
            if number is not None:
                text = f"`{feature.name}` has {number!r}, too large for float32"
                hint = "pass `--dtype float64`"
                raise Refused(f"{place}{text}: {hint}", finding=True)


def check_targets(model: Model, data: Clause, split: Split) -> None:
    """Raise Refused if the loss is not defined for a target."""
    domain = domain_of(model)
    for part, (_, y) in split.parts.items():
        if domain is None:
            continue
        least, most = domain
        outside = ~((y >= least) & (y <= most))
        if outside.any():
            loss = model.loss.use.entry.name
            text = (
                f"`{model.target.name}` has {float(y[outside][0]):g} in {part} samples"
            )
            hint = f"{loss} needs targets from {least} to {most}: map labels such as -1 and 1"
            raise Refused(
                f"{place_of(model, data)}{text}; {hint} to 0 and 1", finding=True
            )


def check_classes(model: Model, data: Clause, split: Split) -> None:
    """Raise Refused if a class of the validation or the test samples has no training sample."""
    if model.target.dtype != "int":
        return
    trained = set(split.train[1].ravel().tolist())
    for part, (_, y) in split.parts.items():
        lacking = sorted(set(y.ravel().tolist()) - trained)
        if not lacking:
            continue
        names = split.classes or ()
        first = repr(names[lacking[0]]) if lacking[0] < len(names) else lacking[0]
        text = f"class {first} has {part} samples, but no training sample"
        hint = "another `seed` or smaller parts leave some"
        raise Refused(f"{place_of(model, data)}{text}: {hint}", finding=True)


def place_of(model: Model, clause: Clause) -> str:
    """Return the place of a clause, to begin a message with."""
    return f"{model.source.name}:{clause.span.line}: " if clause.span else ""


def train(run: Run, request: TrainRequest) -> tuple[Any, Any]:
    """Train the module in the run's folder; return the network and its history.

    The parameters and the history are saved when this returns.
    """
    from specc.run.emitted import imported
    from specc.run.progress import EpochProgress

    module = imported(run.module_path)
    samples = run.samples
    chosen = {} if request.seed is None else {"seed": request.seed}
    most = request.epochs or run.model.train.epochs
    network = module.Model(
        dtype=samples["train"][0].dtype, device=request.device, **chosen
    )
    validation = samples.get("validation", (None, None))
    with EpochProgress(most, request.quiet) as progress:
        try:
            history = network.fit(
                *samples["train"],
                *validation,
                epochs=request.epochs,
                callback=progress,
                checkpoint=run.folder / run_folder.CHECKPOINT,
                every=CHECKPOINT_SECONDS,
                resume=request.resume,
            )
        except ValueError as error:
            # The module rejects its arguments, such as a rate that overflows.
            raise Refused(str(error), finding=True) from None
    try:
        keep(run.folder, network, history)
    except OSError as error:
        refuge = Path(tempfile.mkdtemp(prefix=f"{run.model.name}-"))
        keep(refuge, network, history)
        reason = error.strerror or error
        raise Refused(
            f"{run.folder}: {reason}; the parameters and the history are in {refuge}"
        ) from None
    if history.stopped_by != "interrupted":
        spec = f"{request.stem or run.model.name}.spec"
        facts = recorded_facts(request, spec) | {"finished": True}
        record.write(run.folder, facts)
        (run.folder / run_folder.CHECKPOINT).unlink(missing_ok=True)
    return network, history


def keep(folder: Path, network: Any, history: Any) -> None:
    """Write the parameters, then the history."""
    weights = folder / run_folder.WEIGHTS
    with seal.naming(weights):
        network.save(weights)
    path = folder / run_folder.HISTORY
    seal.replace_whole(path, run_folder.history_csv(history))
