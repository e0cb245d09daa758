"""The reference in training: torch.optim, the schedule in closed form, metrics as documented.

Takes a Reference, runs a batch or an epoch. Invariant: of the compiler, only the words of the spec
and the definition of the random streams are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from specc.library.streams import permutation
from specc.library.training.metrics import LARGER_IS_BETTER
from specc.model.model import Model
from specc.verify.compare.tensors import Tensor, nn, torch
from specc.verify.reference.formulas import function_of
from specc.verify.reference.metrics import metric
from specc.verify.reference.missing import MissingReference
from specc.verify.reference.network import Reference

SHARES = frozenset(("accuracy", "precision", "recall", "f1"))
"""The metrics that are counts, which rounding changes only by deciding a tie."""
TIES = 1e-14
"""The distance of a tie, relative to the largest prediction or to 1."""


def optimizer_of(model: Model, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return torch's optimizer for that of the spec."""
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
    raise MissingReference("optimizer", use.entry.name, "training.py")


def rate(model: Model, t: int, total: int, reductions: int = 0) -> float:
    """Return the schedule's rate after t epochs (or updates) of at most `total`."""
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
    raise MissingReference("schedule", use.entry.name, "training.py")


def length(model: Model) -> int:
    """Return how many epochs the compared runs have; only the first of them are trained."""
    return max(model.train.epochs, 24)


def measured_after(model: Model) -> bool:
    """True if training metrics are those after an epoch: early stopping monitors one of them."""
    stopping = model.early_stopping
    return stopping is not None and stopping.monitor.startswith("train_")


def larger_is_better(monitor: str, mode: str) -> bool:
    """True if a monitored metric improves by growing."""
    figure = monitor.removeprefix("val_").removeprefix("train_")
    return mode == "max" or (mode == "auto" and figure in LARGER_IS_BETTER)


@dataclass
class Watch:
    """Counts the epochs since a metric last improved by more than `min_delta`."""

    larger: bool
    min_delta: float
    waited: int = 0
    level: float = math.inf

    def see(self, value: float) -> None:
        """Take the metric of the next epoch."""
        value = -value if self.larger else value
        if math.isfinite(value) and value < self.level - self.min_delta:
            self.level, self.waited = value, 0
        else:
            self.waited += 1


Samples = tuple[Tensor, Tensor]


def figures(
    reference: Reference,
    last: tuple[Tensor, Tensor],
    y: Tensor,
    noise: float = 0.0,
) -> dict[str, float]:
    """Return the loss and every metric of whole samples, given the result of `last_two`.

    With `noise`, predictions of counts are perturbed, so that ties are decided differently.
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
    """Return predictions perturbed by a share of the largest, or of 1; the same each time."""
    draw = torch.Generator().manual_seed(1)
    by = torch.randn(prediction.shape, generator=draw, dtype=torch.float64)
    return prediction + share * prediction.abs().max().clamp_min(1) * by


def step(
    reference: Reference,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    lr: float,
    noise: float = 0.0,
    draw: int = 0,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Do one update; return the loss before it, and the input and output of the last layer.

    `noise` has the size of rounding errors of the gradient, as another order of sums would have. It
    is the same for each draw.
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
    """Add noise to gradients, relative to the largest of their numbers."""
    largest = max(float(g.abs().max()) for g in gradients)
    chance = torch.Generator().manual_seed(draw)
    for g in gradients:
        by = torch.randn(g.shape, generator=chance, dtype=torch.float64)
        g += noise * largest * by


def trains(model: Model) -> bool:
    """True if torch trains the network in batches of the spec's size."""
    return model.train.batch_size > 1 or model.moves_on_one


def measure(reference: Reference, x: Tensor) -> None:
    """Standardize by the mean and deviation of the training samples; 1 for a deviation of 0."""
    node = reference.model.standardize
    if node is None:
        return
    state = reference.buffers_by_name
    rows = x.reshape(-1, state[f"{node.name}.mean"].numel())
    deviation = rows.std(dim=0, correction=0)
    state[f"{node.name}.mean"].copy_(rows.mean(dim=0))
    state[f"{node.name}.offset"].zero_()
    constant = (rows == rows[0]).all(dim=0)
    state[f"{node.name}.std"].copy_(torch.where(constant, 1.0, deviation))


def waits(model: Model) -> bool:
    """True if the schedule depends on a metric: `plateau`, unless the spec defines its own."""
    entry = model.schedule.use.entry
    return entry.name == "plateau" and not entry.defined


def monitored(model: Model) -> list[str]:
    """Return the metrics that early stopping and the schedule monitor."""
    found = [model.early_stopping.monitor] if model.early_stopping else []
    if waits(model):
        found.append(model.schedule.use["monitor"])
    return found


def batches_of(model: Model, seed: int, count: int) -> Callable[[int], list[Tensor]]:
    """Return the samples of the batches of an epoch, in order."""
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
    """Return copies of parameters and buffers by their full names."""
    whole = reference.named | reference.buffers_by_name
    return {name: value.detach().clone() for name, value in whole.items()}
