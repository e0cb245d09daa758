"""A fit of the reference: torch.optim, the schedule in closed form, early stopping as documented.

Takes a Reference with its start, gives what `fit` of the emitted module has to give: the history,
the epochs that were best and last, the parameters that are kept. Nothing is read of the compiler
but the words of the spec and the definition of the random streams.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from specc.library.metrics import LARGER_IS_BETTER
from specc.library.settings import EarlyStopping
from specc.model import Model
from specc.proof.figures import metric
from specc.proof.formulas import function_of
from specc.proof.reference import Reference
from specc.streams import permutation

SHARES = frozenset(("accuracy", "precision", "recall", "f1"))
"""The figures that are counts, which no rounding changes unless it decides a tie."""
TIES = 1e-14
"""What a tie is, of the largest prediction."""


def optimizer_of(model: Model, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Make torch's optimizer of the spec's."""
    use = model.optimizer.use
    given = dict(use.arguments)
    match use.entry.name:
        case "sgd":
            return torch.optim.SGD(parameters, **given)
        case "adam" | "adamw":
            betas = given.pop("beta1"), given.pop("beta2")
            if use.entry.name == "adam":
                return torch.optim.Adam(parameters, betas=betas, **given)
            return torch.optim.AdamW(parameters, betas=betas, **given)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, **given)
        case "adagrad":
            return torch.optim.Adagrad(parameters, **given)
    raise AssertionError(f"torch has no `{use.entry.name}`")


def rate(model: Model, t: int, total: int, reductions: int = 0) -> float:
    """Give the schedule's rate after t epochs (or updates) of at most `total`."""
    lr: float = model.optimizer.use["lr"]
    use = model.schedule.use
    warmup: int = use["warmup"]
    if t < warmup:
        return lr * (t + 1) / warmup
    if warmup:
        t, total = t - warmup, max(total - warmup, 1)
    if use.entry.defined:
        bound = {k: v for k, v in use.arguments if k not in ("per", "warmup")}
        function = function_of(model, "schedule", use.entry.name, bound)
        return float(function(lr, t, total))
    left = 1 - min(t, total) / total
    match use.entry.name:
        case "constant":
            return lr
        case "time_decay":
            return lr / (1 + float(use["decay"]) * t)
        case "exponential_decay" if use["gamma"] is not None:
            return lr * float(use["gamma"] ** t)
        case "exponential_decay":
            return lr * math.exp(-use["rate"] * t)
        case "step_decay":
            return lr * float(use["factor"] ** (t // use["every"]))
        case "multi_step":
            passed = sum(milestone <= t for milestone in use["milestones"])
            return lr * float(use["factor"] ** passed)
        case "polynomial":
            return float(use["end"] + (lr - use["end"]) * left ** use["power"])
        case "cosine":
            wave = (1 + math.cos(math.pi * (1 - left))) / 2
            return float(use["end"] + (lr - use["end"]) * wave)
        case "plateau":
            return lr * float(use["factor"] ** reductions)
    raise AssertionError(f"no closed form is known of `{use.entry.name}`")


def larger_is_better(monitor: str, mode: str) -> bool:
    """Tell whether more of a monitored figure is better."""
    figure = monitor.removeprefix("val_").removeprefix("train_")
    return mode == "max" or (mode == "auto" and figure in LARGER_IS_BETTER)


@dataclass
class Watch:
    """How long a figure has not been better by more than `min_delta` than the last that was."""

    larger: bool
    min_delta: float
    waited: int = 0
    level: float = math.inf
    resets: int = 0
    """How often it was better after it had not been."""

    def see(self, value: float) -> None:
        """Take the figure of one epoch more."""
        value = -value if self.larger else value
        if math.isfinite(value) and value < self.level - self.min_delta:
            self.resets += self.waited > 0
            self.level, self.waited = value, 0
        else:
            self.waited += 1


@dataclass
class Fit:
    """What a fit gives."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    stopped_by: str = "epochs"
    bad_update: int = -1
    """The update of the last epoch at which a number was not finite any more."""
    bad: str = ""
    """What that was."""
    predicted: list[Tensor] = field(default_factory=list)
    """What was predicted for the samples of validation after each epoch."""
    state: dict[str, Tensor] = field(default_factory=dict)
    """Parameters and buffers at the end."""


Samples = tuple[Tensor, Tensor]


def figures(
    reference: Reference,
    last: tuple[Tensor, Tensor],
    y: Tensor,
    noise: float = 0.0,
) -> dict[str, float]:
    """Give the loss and every metric of what `last_two` gave for whole samples.

    Noise moves what counts are made of, so that ties are decided otherwise.
    """
    model = reference.model
    found = {"loss": float(reference.compared(last, y))}
    for clause in model.metrics:
        name = clause.use.entry.name
        counts = noise and name in SHARES
        predicted = _moved(last[1], TIES) if counts else last[1]
        found[name] = metric(model, clause.use, predicted, y, rounded=True)
    return found


def _moved(prediction: Tensor, share: float) -> Tensor:
    """Move predictions by a share of the largest; the same each time."""
    draw = torch.Generator().manual_seed(1)
    by = torch.randn(prediction.shape, generator=draw, dtype=torch.float64)
    return prediction + share * prediction.abs().max() * by


def step(
    reference: Reference,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    lr: float,
    noise: float = 0.0,
    draw: int = 0,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Do one update; give the loss before it, and what the last layer took and gave.

    Noise is of the size of roundings of the gradient: what another order of sums may leave. It is
    the same each time, of one draw.
    """
    train = reference.model.train
    reference.train()
    optimizer.zero_grad()
    last = reference.last_two(x)
    loss = reference.compared(last, y)
    torch.autograd.backward(loss)
    weights = list(reference.parameters())
    if noise:
        _shake([w.grad for w in weights if w.grad is not None], noise, draw)
    if train.clip_value is not None:
        nn.utils.clip_grad_value_(weights, train.clip_value)
    if train.clip_norm is not None:
        nn.utils.clip_grad_norm_(weights, train.clip_norm)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    return loss.detach(), (last[0].detach(), last[1].detach())


def _shake(gradients: list[Tensor], noise: float, draw: int) -> None:
    """Add noise to gradients, of a part of the largest of their numbers."""
    largest = max(float(g.abs().max()) for g in gradients)
    chance = torch.Generator().manual_seed(draw)
    for g in gradients:
        by = torch.randn(g.shape, generator=chance, dtype=torch.float64)
        g += noise * largest * by


def fit(
    reference: Reference,
    seed: int,
    training: Samples,
    validation: Samples,
    epochs: int,
    left_out: int = 0,
    noise: float = 0.0,
    draw: int = 0,
) -> Fit:
    """Train the reference from where it is, `epochs` epochs at most.

    So many updates of the last epoch are left out; noise and its draw are those of `step`.
    """
    model = reference.model
    x, y = training
    batches = batches_of(model, seed, len(x))
    optimizer = optimizer_of(model, list(reference.parameters()))
    measure(reference, x)
    made = Fit()
    watch, plateau = _watches(model)
    reductions, updates, best_value = 0, 0, math.inf
    per_step = model.schedule.use["per"] == "step"
    total = model.train.epochs * (len(batches(0)) if per_step else 1)
    kept: dict[str, Tensor] | None = None
    good = state_of(reference)
    for epoch in range(epochs):
        lasts, targets, lr, bad = [], [], 0.0, -1
        whole = batches(epoch)
        last_epoch = epoch == epochs - 1
        for number, chosen in enumerate(whole[: len(whole) - left_out * last_epoch]):
            t = updates if per_step else epoch
            lr = rate(model, t, total, reductions)
            reference.draw(seed, updates, len(chosen))
            before = state_of(reference)
            batch = x[chosen], y[chosen]
            loss, last = step(reference, optimizer, *batch, lr, noise, draw)
            updates += 1
            if math.isfinite(loss) and bad < 0:
                good = before
            elif bad < 0:
                bad = number
            lasts.append(last)
            targets.append(y[chosen])
        seen = (torch.cat([a for a, _ in lasts]), torch.cat([b for _, b in lasts]))
        logs = {"epoch": epoch, "lr": lr}
        trained = figures(reference, seen, torch.cat(targets), noise)
        finite = all(
            bool(torch.isfinite(p).all()) for p in state_of(reference).values()
        )
        if not (finite and math.isfinite(trained["loss"])):
            made.stopped_by = "non_finite"
            made.bad_update = bad if bad >= 0 else len(lasts)
            made.bad = "the mean loss" if finite else "a parameter"
            made.bad = "the loss" if bad >= 0 else made.bad
            kept = good if kept is None else kept
            break
        logs |= {f"train_{name}": value for name, value in trained.items()}
        reference.eval()
        with torch.no_grad():
            seen = reference.last_two(validation[0])
            found = figures(reference, seen, validation[1], noise)
        made.predicted.append(seen[1])
        logs |= {f"val_{name}": value for name, value in found.items()}
        made.history.append(logs)
        if plateau is not None:
            plateau.see(logs[model.schedule.use["monitor"]])
            if plateau.waited >= model.schedule.use["patience"]:
                reductions, plateau.waited = reductions + 1, 0
        stopping = model.early_stopping
        if stopping is None or watch is None or epoch < stopping.start:
            continue
        value = logs[stopping.monitor] * (-1 if watch.larger else 1)
        if math.isfinite(value) and value < best_value:
            best_value, made.best_epoch = value, epoch
            kept = state_of(reference) if stopping.restore_best else None
        watch.see(logs[stopping.monitor])
        if watch.waited >= stopping.patience:
            made.stopped_by = "early_stopping"
            break
    if model.early_stopping is None:
        made.best_epoch = len(made.history) - 1
    made.state = state_of(reference) if kept is None else kept
    return made


def trains(model: Model) -> bool:
    """Tell whether torch trains the network in batches of the spec's size."""
    return model.train.batch_size > 1 or model.moves_on_one


def measure(reference: Reference, x: Tensor) -> None:
    """Standardize by the mean and the deviation of the training samples; 1 where that is 0."""
    node = reference.model.standardize
    if node is None:
        return
    state = reference.buffers_by_name
    rows = x.reshape(-1, state[f"{node.name}.mean"].numel())
    deviation = rows.std(dim=0, correction=0)
    state[f"{node.name}.mean"].copy_(rows.mean(dim=0))
    constant = (rows == rows[0]).all(dim=0)
    state[f"{node.name}.std"].copy_(torch.where(constant, 1.0, deviation))


def waits(model: Model) -> bool:
    """Tell whether the schedule looks at a figure: `plateau`, unless the spec has its own."""
    entry = model.schedule.use.entry
    return entry.name == "plateau" and not entry.defined


def monitored(model: Model) -> list[str]:
    """Name the figures that early stopping and the schedule look at."""
    found = [model.early_stopping.monitor] if model.early_stopping else []
    if waits(model):
        found.append(model.schedule.use["monitor"])
    return found


def _watches(model: Model) -> tuple[Watch | None, Watch | None]:
    stopping: EarlyStopping | None = model.early_stopping
    watch = plateau = None
    if stopping is not None:
        larger = larger_is_better(stopping.monitor, stopping.mode)
        watch = Watch(larger, stopping.min_delta)
    if waits(model):
        use = model.schedule.use
        larger = larger_is_better(use["monitor"], use["mode"])
        plateau = Watch(larger, use["min_delta"])
    return watch, plateau


def batches_of(model: Model, seed: int, count: int) -> Callable[[int], list[Tensor]]:
    """Give which samples make the batches of an epoch, in order."""
    train = model.train

    def batches(epoch: int) -> list[Tensor]:
        order = torch.arange(count)
        if train.shuffle:
            order = torch.from_numpy(permutation(seed, f"shuffle/{epoch}", count))
        found = list(torch.split(order, train.batch_size))
        if train.drop_last and len(found[-1]) < train.batch_size:
            found.pop()
        return found

    return batches


def state_of(reference: Reference) -> dict[str, Tensor]:
    """Copy parameters and buffers by their full names."""
    whole = reference.named | reference.buffers_by_name
    return {name: value.detach().clone() for name, value in whole.items()}
