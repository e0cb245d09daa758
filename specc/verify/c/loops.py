"""The check of the training loop of a C source: what its callback receives, and how it is stopped.

Takes a Subject of the target C, yields findings. Invariant: the loop must leave what the fit of the
Python binding leaves, which other checks compare with torch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from specc.verify.c.functions import USED, Loop, Pair
from specc.verify.compare.finding import Finding, fact, in_turn, near
from specc.verify.compare.goals import as_targets
from specc.verify.compare.subject import Subject
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.fit import Run
from specc.verify.reference.network import Reference
from specc.verify.reference.round_off import AMPLIFIED, CHAOS, KEPT, apart, off, started
from specc.verify.reference.training import Samples, length, state_of, waits

EPOCHS = 40
LITTLE = 1e-3
"""The rate of a step that is compared with another."""
BY_EPOCHS, BY_EARLY_STOPPING, BY_CALLBACK, BY_STOP, BY_NON_FINITE = range(5)
"""The codes of how a loop ends."""
ENDS = {
    "epochs": BY_EPOCHS,
    "early_stopping": BY_EARLY_STOPPING,
    "callback": BY_CALLBACK,
    "non_finite": BY_NON_FINITE,
}


def loops(subject: Subject) -> Iterator[Finding]:
    """Compare the loop with the binding's fit: whole, in parts, and ended by the program."""
    batch = subject.model.train.batch_size
    training = subject.drawn(2 * batch + max(2, batch // 3))
    x_val, y_val = subject.drawn(7, seed=1)
    fits = _Fits(subject, training, (x_val, y_val))
    parts = []
    for epochs, said, held in ((2, "met early", USED), (1, "met at once", 0x7F)):
        net = subject.net()
        net.fit(*training, x_val, y_val, epochs=epochs)
        met = as_targets(subject, net.forward(x_val))
        fit = _Fits(subject, training, (x_val, met))
        parts.append(fit.whole(f"best {said}", held))
    missed = _missed(subject, met)
    yield from in_turn(
        *parts,
        _Fits(subject, training, (x_val, missed)).whole("missed", USED, 1),
        fits.seeded(),
        fits.in_parts(),
        fits.ended_by_callback(),
        fits.stopped(),
        fits.stopped_and_not_finite(),
        fits.alone(),
        fits.alone_and_not_finite(),
    )


def _missed(subject: Subject, met: Tensor) -> Tensor:
    """Return targets that differ from a prediction, so that no fraction of hits is above 0."""
    if subject.model.target.dtype == "int":
        return met.add(1).remainder(subject.model.output_shape[-1])
    return 1 - met if subject.probabilities else 100 - met


@dataclass(frozen=True)
class _Fits:
    """Fits of one network to the same samples."""

    subject: Subject
    training: Samples
    held_out: Samples

    @property
    def _arrays(self) -> tuple[Pair, Pair]:
        (x, y), (x_val, y_val) = self.training, self.held_out
        return (x.numpy(), y.numpy()), (x_val.numpy(), y_val.numpy())

    def _loop(self, held: int = USED) -> tuple[Any, Loop]:
        """Return a model, and the loop that trains it, in memory full of a byte."""
        net: Any = self.subject.net()
        model, module = self.subject.model, self.subject.module._inner
        return net, Loop(module, net._inner, model.name, model.train.shuffle, held)

    def _by_binding(
        self, epochs: int, callback: Callable[..., bool] | None = None
    ) -> tuple[Any, Any]:
        net = self.subject.net()
        pair = *self.training, *self.held_out
        return net, net.fit(*pair, epochs=epochs, callback=callback)

    def _alike(self, what: str, net: Any, other: Any) -> Iterator[Finding]:
        """Compare all parameters and buffers of two models, bit for bit."""
        states = net.state_dict(), other.state_dict()
        for name, value in states[1].items():
            where = "differs from the binding's fit"
            same = _same(states[0][name], value)
            yield fact("c-api", f"{what} {name}", same, where)

    def _told(self, what: str, log: Any, history: Any) -> Iterator[Finding]:
        """Compare what the callback receives for each epoch with a history."""
        shown = getattr(self.subject.module, "SHOWN", self.subject.module.FIGURES)
        count = len(self.subject.module.FIGURES)
        where = f"{len(log)} epochs, expected {len(history)}"
        yield fact("c-api", f"{what} log", len(log) == len(history), where)
        for row, logs in zip(log, history, strict=False):
            train, val = row[:count].tolist(), row[count : 2 * count].tolist()
            found = {f"train_{n}": v for n, v in zip(shown, train, strict=False)}
            found |= {f"val_{n}": v for n, v in zip(shown, val, strict=False)}
            found |= {"lr": row[-2], "epoch": _whole(row)[0]}
            for name, value in found.items():
                same = (
                    value == logs[name] or value != value and logs[name] != logs[name]
                )
                where = f"epoch {logs['epoch']}: {value}, expected {logs[name]}"
                yield fact("c-api", f"{what} {name}", same, where)
            yield fact(
                "c-api", f"{what} validated", _whole(row)[1] == 1, "it is not reported"
            )

    def whole(self, what: str, held: int, epochs: int = EPOCHS) -> Iterator[Finding]:
        """Train in one call, in memory that was used before."""
        expected, history = self._by_binding(epochs)
        net, loop = self._loop(held)
        ended = loop.fit(*self._arrays, epochs)
        yield _ended(what, ended, ENDS[history.stopped_by])
        where = f"epoch {loop.state.best_epoch}, expected {history.best_epoch}"
        best = loop.state.best_epoch == history.best_epoch
        yield fact("c-api", f"{what} best", best, where)
        yield from self._alike(what, net, expected)
        yield from self._told(what, loop.log, history)
        for each in (net, expected):
            each.train_step(*self.subject.drawn(4), LITTLE)
        yield from self._alike(f"{what}, and a step,", net, expected)

    def seeded(self) -> Iterator[Finding]:
        """Check that shuffles and masks use the seed of the run, not that of the model."""
        net, loop = self._loop()
        expected = self.subject.net(net.state_dict(), seed=1)
        expected.fit(*self.training, *self.held_out, epochs=2)
        loop.seed = 1
        loop.fit(*self._arrays, 2)
        yield from self._alike("another seed", net, expected)

    def in_parts(self) -> Iterator[Finding]:
        """Continue a run: after one epoch it has not ended."""
        what = "in parts"
        expected, history = self._by_binding(3)
        net, loop = self._loop()
        loop.begin(3)
        rows = []
        for epochs in (1, 3):
            ended, log = loop.go_on(*self._arrays, epochs)
            rows += list(log)
            over = len(history) <= epochs and history.stopped_by != "epochs"
            yield _ended(what, ended, ENDS[history.stopped_by] if over else -1)
            if over:
                break
        loop.finish()
        yield from self._alike(what, net, expected)
        yield from self._told(what, rows, history)

    def ended_by_callback(self) -> Iterator[Finding]:
        """Let the callback end the run after an epoch."""
        expected, history = self._by_binding(3, lambda epoch, logs: True)
        net, loop = self._loop()
        ended = loop.fit(*self._arrays, 3, lambda: 1)
        yield _ended("callback", ended, ENDS[history.stopped_by])
        yield from self._alike("callback", net, expected)
        yield from self._told("callback", loop.log, history)

    def stopped(self) -> Iterator[Finding]:
        """Set `stop` after an epoch: no update follows."""
        expected, history = self._by_binding(3, lambda epoch, logs: True)
        if history.stopped_by != "callback":
            return
        net, loop = self._loop()
        ended = loop.fit(*self._arrays, 3, functools.partial(_stop, loop))
        yield _ended("stop", ended, BY_STOP)
        yield from self._alike("stop", net, expected)
        yield from self._told("stop", loop.log, history)

    def stopped_and_not_finite(self) -> Iterator[Finding]:
        """Set `stop`, and a parameter to NaN: the last finite parameters must be kept."""
        pair = self._arrays
        expected, by_binding = self._loop()
        by_binding.begin()
        by_binding.go_on(*pair, 1)
        expected._inner.flat_parameters[0] = math.nan
        ended, _ = by_binding.go_on(*pair, 2)
        if ended != BY_NON_FINITE:
            return
        net, loop = self._loop()

        def after() -> int:
            net._inner.flat_parameters[0] = math.nan
            return _stop(loop)

        loop.begin()
        ended, _ = loop.go_on(*pair, 2, after)
        what = "stop, and NaN"
        yield _ended(what, ended, BY_NON_FINITE)
        yield from self._alike(what, net, expected)
        kept = loop.state.stop == 1
        yield fact("c-api", what, kept, "`stop` was reset")

    def alone(self) -> Iterator[Finding]:
        """Train without validation samples: no validation metrics, and no best epoch."""
        pair, _ = self._arrays
        _, history = self._by_binding(2)
        net, loop = self._loop()
        states: list[dict[str, Tensor]] = []

        def after() -> int:
            states.append(net.state_dict())
            return 0

        ended = loop.fit(pair, None, 2, after)
        if ended == BY_NON_FINITE or history.stopped_by != "epochs":
            return
        what, count = "no validation", len(self.subject.module.FIGURES)
        yield _ended(what, ended, BY_EPOCHS)
        for row in loop.log:
            nothing = not row[count : 2 * count].any() and _whole(row)[1] == 0
            yield fact("c-api", what, nothing, "validation is reported")
        losses = [row[0] for row in loop.log]
        same = losses == [logs["train_loss"] for logs in history]
        yield fact("c-api", f"{what} loss", same, "not that of the binding's fit")
        stopping = self.subject.model.early_stopping
        if stopping is not None and stopping.monitor.startswith("val_"):
            where = f"best {loop.state.best_epoch}, expected -1"
            yield fact("c-api", f"{what} best", loop.state.best_epoch == -1, where)
            last = all(_same(v, net.state_dict()[n]) for n, v in states[-1].items())
            yield fact("c-api", f"{what} end", last, "not the last parameters")

    def alone_and_not_finite(self) -> Iterator[Finding]:
        """Set a parameter to NaN after two epochs: those before the last update must be kept.

        Without validation samples no epoch is the best one. The expected parameters are those of
        torch.
        """
        subject = self.subject
        if waits(subject.model):
            return
        start = state_of(started(subject))
        good, near_by = (
            self._but_one_update(subject.reference(each))
            for each in (start, off(start, subject.seed))
        )
        gap = apart(good, near_by)
        net, loop = self._loop()
        loop.begin(length(subject.model))
        ended, _ = loop.go_on(self._arrays[0], None, 2)
        if ended == BY_NON_FINITE or not gap < CHAOS:
            return
        net._inner.flat_parameters[0] = math.nan
        ended, _ = loop.go_on(self._arrays[0], None, 3)
        what = "no validation, NaN"
        yield _ended(what, ended, BY_NON_FINITE)
        left = net.state_dict()
        bound = max(KEPT, AMPLIFIED * gap)
        for name, value in good.items():
            yield near("c-api", name, left[name], value, bound, what)

    def _but_one_update(self, reference: Reference) -> dict[str, Tensor]:
        """Return the parameters of torch after two epochs without their last update."""
        run = Run(reference, 0, self.training)
        run.begin()
        return [run.epoch(number, 0, number) for number in range(2)][-1].state


def _stop(loop: Loop) -> int:
    loop.state.stop = 1
    return 0


def _ended(what: str, ended: int, wanted: int) -> Finding:
    where = f"it returns {ended}, expected {wanted}"
    return fact("c-api", f"{what} ended", ended == wanted, where)


def _whole(row: Any) -> tuple[int, int]:
    """Return the two integers at the end of a row."""
    epoch, validated = row[-1:].view(np.int32).tolist()
    return epoch, validated


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))
