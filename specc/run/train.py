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
from specc.library.data.split import Split
from specc.model.model import Clause, Model
from specc.run import folder as run_folder
from specc.run import lock, record
from specc.run.samples import Refused, check_samples, load, lost_values, one_sided
from specc.syntax.diagnostics import Diagnostic
from specc.syntax.source import Source

CHECKPOINT_SECONDS = 5.0
"""How long a run trains before its first checkpoint, and at least between two of them."""

Report = Callable[[tuple[Diagnostic, ...]], None]


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
    notes: tuple[str, ...] = ()
    """What makes figures of the samples worth less than they seem."""

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
        samples = tensors(
            split, request.device, request.dtype, wide=model.standardize is not None
        )
    except ValueError as error:
        raise Refused(f"cannot use --device {request.device}: {error}") from None
    try:
        folder = run_folder.make(model.name, request.out)
        stack.enter_context(lock.held(folder))
    except (run_folder.NotARun, lock.InUse) as error:
        raise Refused(str(error)) from None
    notes = (*lost_values(model, split, request.dtype), *one_sided(model, split))
    run = Run(model, model.data, split, samples, folder, notes)
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


def train(run: Run, request: TrainRequest) -> tuple[Any, Any]:
    """Train the module in the run's folder; return the network and its history.

    The parameters and the history are saved when this returns.
    """
    from specc.run.emitted import imported, real_types
    from specc.run.progress import EpochProgress

    module = imported(run.module_path)
    samples = run.samples
    chosen = {} if request.seed is None else {"seed": request.seed}
    most = request.epochs or run.model.train.epochs
    network = module.Model(
        dtype=real_types()[request.dtype], device=request.device, **chosen
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
