"""The checks of early stopping and `plateau`: the best epoch, the last epoch, the rates.

Each takes a Subject and yields findings. Invariant: the documented rule is applied to the losses of
the module's own history, so that rounding has no effect.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specc.verify.compare.finding import Finding, compared, fact
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.fit import Rule
from specc.verify.reference.training import Samples, monitored, rate, waits

SAME = 1e-14
"""The tolerance of rates: powers are computed in two ways."""
LONGEST = 60
"""A longer patience is skipped."""
POSED = 32
"""The number of validation samples; none is predicted in the worst case, all but one in the best.
"""


def tie_breaking(subject: Subject) -> Iterator[Finding]:
    """Check ties: with constant losses, the first epoch stays the best, and patience runs out."""
    if monitored(subject.model):
        state, samples = _learnt(subject)
        epochs = min(max(_patiences(subject)) + _start(subject) + 3, 150)
        history = subject.net(state).fit(*samples, *samples, epochs=epochs)
        yield from _ruled("tie-breaking", subject, history, epochs)


def patience(subject: Subject) -> Iterator[Finding]:
    """Check patience on constructed validation losses, which improve just before patience runs out.

    A network that has nothing left to learn is trained in parts, each with other validation
    targets, of which it misses as many as wanted. At the end it does not improve until patience
    runs out.
    """
    if not any(figure.startswith("val_") for figure in monitored(subject.model)):
        return
    patiences = [epochs for epochs in _patiences(subject) if epochs <= LONGEST]
    others = [epochs for epochs in _patiences(subject) if epochs > LONGEST]
    said = f", patience of {others[0]} epochs left out" if others else ""
    worst, level, epochs = 2.0, 1.0, 0
    parts = [(worst, _start(subject))]
    for patience in patiences:
        for _ in range(3 if patience <= LONGEST / 4 else 2):
            parts += [(level, 1), (worst, patience - 1)]
            level /= 2
    parts += [(level, 1), (worst, max(patiences, default=0) + 1)]
    total = sum(more for _, more in parts)
    state, training = _learnt(subject)
    net = subject.net(state)
    x_val, _ = subject.drawn(POSED, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.safetensors"
        for missed, more in parts:
            if more == 0:
                continue
            y_val = _missed(subject, net.forward(x_val), missed)
            resume, epochs = epochs > 0, epochs + more
            history = net.fit(
                *training,
                x_val,
                y_val,
                epochs=total,
                until=epochs,
                checkpoint=path,
                resume=resume,
            )
            if history.stopped_by != "epochs":
                break
    yield from _ruled("patience", subject, history, epochs, said)


def _patiences(subject: Subject) -> list[int]:
    """Return the patiences of early stopping and the schedule, the smallest first."""
    stopping, schedule = subject.model.early_stopping, subject.model.schedule
    found = {stopping.patience} if stopping else set()
    if waits(subject.model):
        found.add(schedule.use["patience"])
    return sorted(found)


def _start(subject: Subject) -> int:
    stopping = subject.model.early_stopping
    return stopping.start if stopping else 0


def _learnt(subject: Subject) -> tuple[dict[str, Tensor], Samples]:
    """Return a state and samples for which the network has nothing to learn.

    The bias of the last layer is so large that a loss of probabilities is 0; other targets are the
    predictions.
    """
    model, state = subject.model, subject.state()
    for layer in subject.biased[-1:]:
        subject.bias_alone(layer, state)
        if subject.probabilities or model.target.dtype == "int":
            state[f"{layer}.bias"].fill_(-2e3)
            state[f"{layer}.bias"][..., 0] = 2e3
    x, _ = subject.drawn(model.train.batch_size + 2)
    return state, (x, _met(subject, subject.net(state).forward(x)))


def _met(subject: Subject, prediction: Tensor) -> Tensor:
    """Return targets that equal the predictions."""
    if subject.model.target.dtype == "int":
        return prediction.argmax(dim=-1)
    return (prediction > 0.5).double() if subject.probabilities else prediction


def _missed(subject: Subject, prediction: Tensor, share: float) -> Tensor:
    """Return targets that miss the predictions by a distance, or in a fraction of the samples."""
    met = _met(subject, prediction)
    if subject.any_target:
        return met + 1e3 * share * max(1.0, float(met.abs().max()))
    others = prediction.argmin(dim=-1) if met.dtype == torch.int64 else 1 - met
    wrong = torch.arange(len(met)) < share * len(met) / 2
    return torch.where(wrong.reshape(-1, *[1] * (met.dim() - 1)), others, met)


def _ruled(
    check: str, subject: Subject, history: Any, epochs: int, said: str = ""
) -> Iterator[Finding]:
    """Compare the decisions of a fit with the documented rule."""
    model, rule = subject.model, Rule(subject.model)
    last = epochs - 1
    if history.stopped_by == "non_finite":
        last = len(history) - 1
    said = f"{len(history)} epochs{said}"
    rates: list[float] = []
    for epoch, logs in enumerate(history):
        if waits(model):
            rates.append(rate(model, epoch, model.train.epochs, rule.reductions))
        rule.see(epoch, logs)
        if rule.ended:
            last = epoch
            break
    best = rule.best_epoch if model.early_stopping else len(history) - 1
    if rates:
        pair = [logs["lr"] for logs in history[: len(rates)]], rates
        lr, expected = ({"lr": torch.tensor(v, dtype=torch.float64)} for v in pair)
        yield from compared(check, lr, expected, SAME, said)
    where = f"best {history.best_epoch}, expected {best}"
    yield fact(check, "best_epoch", history.best_epoch == best, where, said)
    where = f"stopped at {history.stopped_epoch}, expected {last}"
    yield fact(check, "stopped_epoch", history.stopped_epoch == last, where, said)
