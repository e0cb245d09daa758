"""Which calls of a torch module run on one thread.

Takes the checked Model, returns decorators. Invariant: the choice depends on the spec alone, so
that the rounding of such a call does not depend on the number of cores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.model.model import Model

SMALL_STEP = 500_000
"""The number of products in a forward pass of training below which a second thread does not pay
off: 32 samples of a network 64 -> 64 -> 64 -> 1 have 270,000 and train as fast on one thread as on
two of an idle machine, and of a busy one up to three times as fast; with 590,000 two threads are
1.15 times as fast."""

SMALL_BLOCK = 2_000_000
"""The same for a block of prediction, which is one pass forward: with 2,200,000 two threads are
1.07 times as fast, with 8,600,000 1.35 times."""

BLOCK = 1024
"""The samples that predict and evaluate take at a time."""


@dataclass(frozen=True)
class Threads:
    """The decorators of calls on one thread, and the template that defines them."""

    before_predict: tuple[Code, ...]
    helpers: tuple[str, ...]
    typing: Code
    """What is imported from typing."""
    block: Code


def before_fit(model: Model) -> tuple[Code, ...]:
    """Return the decorators of `fit`."""
    return _ONE * (_size(model) * model.train.batch_size < SMALL_STEP)


def threads(model: Model) -> Threads:
    """Return the decorators of prediction, and what all of them need."""
    predicts = _size(model) * BLOCK < SMALL_BLOCK
    decorates = predicts or bool(before_fit(model))
    return Threads(
        before_predict=_ONE * predicts,
        helpers=("torch/one_thread.py.j2",) * decorates,
        typing=Code("Any, ClassVar, TypeVar" if decorates else "Any, ClassVar"),
        block=Code(str(BLOCK)),
    )


_ONE = (Code("@on_one_thread"),)


def _size(model: Model) -> int:
    return sum(math.prod(p.shape) for p in model.parameters.values())
