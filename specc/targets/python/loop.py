"""The training loop of a spec: `train`, early stopping, and a schedule that waits for a gain."""

from __future__ import annotations

from dataclasses import dataclass

from specc.emit.language import Language
from specc.emit.pieces import Code
from specc.library.training.metrics import LARGER_IS_BETTER
from specc.model.model import Model
from specc.model.rate import learning_rate, rate_after, reads_length


@dataclass(frozen=True)
class Gain:
    """When a monitored figure counts as better."""

    monitor: Code
    """The figure, as `History` calls it."""
    quoted: Code
    better: Code
    """`<` or `>`."""
    worst: Code
    """What every figure is better than."""
    delta: Code
    """What is added to the reference before the comparison, with its sign; may be empty."""
    of_validation: bool


@dataclass(frozen=True)
class Stopping(Gain):
    """Early stopping."""

    patience: Code
    min_delta: Code
    start: Code | None
    """The first epoch that is watched, None where that is epoch 0."""


@dataclass(frozen=True)
class Plateau(Gain):
    """A schedule that reduces the rate after epochs without a gain."""

    patience: Code


@dataclass(frozen=True)
class Counter:
    """An attribute of `Run` that a checkpoint keeps."""

    name: Code
    start: Code
    kind: Code
    """The type that it has in a checkpoint."""


@dataclass(frozen=True)
class Loop:
    """What the spec says of training."""

    epochs: Code
    batch_size: Code
    seed: Code
    patience: tuple[Code, ...]
    """The constants of early stopping and of the schedule."""
    shuffle: bool
    drop_last: bool
    updates_of_x: Code
    """The updates of an epoch over samples x."""
    stopping: Stopping | None
    restores: bool
    """Whether the best parameters are kept and restored."""
    keep_best: Code
    take_best: Code
    checkpointed: Code
    """Every array that a checkpoint has."""
    measures: bool
    """Whether training metrics are measured after the updates of an epoch, as early stopping needs
    them: the parameters that it keeps are those after them."""
    plateau: Plateau | None
    counters: tuple[Counter, ...]
    watch: tuple[Code, ...]
    """What `Run` does with the figures of an epoch."""
    validation: Code | None
    """Why `fit` needs validation samples, None where it does not."""
    rate_grows: bool
    """Whether enough epochs take the learning rate beyond all numbers."""
    best_epoch_doc: Code


def loop(model: Model, target: Language) -> Loop:
    """Return the training loop."""
    train, halt, wait = model.train, stopping(model), plateau(model)
    constants: list[str] = []
    counters: list[tuple[str, str]] = []
    watch: list[str] = []
    if wait is not None:
        watch.append(f"self.reduce(logs[{wait.quoted.text}])")
    if halt is not None:
        constants.append(f"PATIENCE = {halt.patience.text}")
        constants.append(f"MIN_DELTA = {halt.min_delta.text}")
        counters.append(("waited", "0"))
        counters += [(n, halt.worst.text) for n in ("reference", "best_value")]
        watch.append(f"self.watch(epoch, logs[{halt.quoted.text}])")
    if wait is not None:
        constants.append(f"PLATEAU = {wait.patience.text}")
        counters.append(("reduced", "[0]  # how often the rate was, before each epoch"))
        counters += [("stalled", "0"), ("level", wait.worst.text)]
    whole = "_flat" if model.buffers else "flat_parameters"
    best, own = "self.best", f"self.model.{whole}"
    restores = model.early_stopping is not None and model.early_stopping.restore_best
    saved = "self.vectors() | before"
    return Loop(
        epochs=Code(str(train.epochs)),
        batch_size=Code(str(train.batch_size)),
        seed=Code(str(train.seed)),
        patience=tuple(Code(line) for line in constants),
        shuffle=train.shuffle,
        drop_last=train.drop_last,
        updates_of_x=Code(
            "len(x) // BATCH_SIZE" if train.drop_last else "-(-len(x) // BATCH_SIZE)"
        ),
        stopping=halt,
        restores=restores,
        keep_best=Code(target.words.assign.format(best, own)),
        take_best=Code(target.words.assign.format(own, best)),
        checkpointed=Code(f'{saved} | {{"best": self.best}}' if restores else saved),
        measures=measures(halt),
        plateau=wait,
        counters=tuple(_counter(name, start) for name, start in counters),
        watch=tuple(Code(line) for line in watch),
        validation=_validation(halt, wait),
        rate_grows=_rate_grows(model),
        best_epoch_doc=Code(
            f"The epoch with the best {halt.monitor.text}"
            if halt
            else "The last whole epoch"
        ),
    )


def _counter(name: str, start: str) -> Counter:
    kinds = {"0": "int", "[": "list"}
    return Counter(Code(name), Code(start), Code(kinds.get(start[0], "int | float")))


def stopping(model: Model) -> Stopping | None:
    """Return the early stopping of a spec, if it has one."""
    clause = model.early_stopping
    if clause is None:
        return None
    better, worst, sign = _direction(clause.monitor, clause.mode)
    return Stopping(
        monitor=Code(clause.monitor),
        quoted=Code(f'"{clause.monitor}"'),
        better=Code(better),
        worst=Code(worst),
        delta=Code(f" {sign} MIN_DELTA"),
        of_validation=clause.monitor.startswith("val_"),
        patience=Code(str(clause.patience)),
        min_delta=Code(repr(clause.min_delta)),
        start=Code(str(clause.start)) if clause.start > 0 else None,
    )


def measures(halt: Stopping | None) -> bool:
    """True if training metrics are those after the updates of an epoch."""
    return halt is not None and not halt.of_validation


def plateau(model: Model) -> Plateau | None:
    """Return the schedule that waits for a gain, if the spec has one."""
    use = model.schedule.use
    if use.entry.name != "plateau":
        return None
    better, worst, sign = _direction(use["monitor"], use["mode"])
    delta = f" {sign} {use['min_delta']!r}" if use["min_delta"] else ""
    return Plateau(
        monitor=Code(use["monitor"]),
        quoted=Code(f'"{use["monitor"]}"'),
        better=Code(better),
        worst=Code(worst),
        delta=Code(delta),
        of_validation=use["monitor"].startswith("val_"),
        patience=Code(str(use["patience"])),
    )


def _direction(monitor: str, mode: str) -> tuple[str, str, str]:
    """Return the comparison, the worst figure and the sign of a delta."""
    kind = monitor.partition("_")[2]
    if mode == "max" or (mode == "auto" and kind in LARGER_IS_BETTER):
        return ">", "-math.inf", "+"
    return "<", "math.inf", "-"


def rated_by_length(model: Model) -> bool:
    """True if the learning rate depends on the length of the run."""
    return reads_length(learning_rate(model))


def _validation(halt: Stopping | None, wait: Plateau | None) -> Code | None:
    if halt is not None and halt.of_validation:
        return Code(f"early stopping watches {halt.monitor.text}")
    if wait is not None and wait.of_validation:
        return Code(f"the rate depends on {wait.monitor.text}")
    return None


def _rate_grows(model: Model) -> bool:
    """True if more epochs than the spec's can take the rate beyond all numbers."""
    try:
        warm = model.schedule.use["warmup"]
        return rate_after(model, 1_000_000) > rate_after(model, warm)
    except OverflowError:
        return True
