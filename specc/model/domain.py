"""The targets that the loss of a checked model is defined for.

Takes a Model. Invariant: the numbers are those of the library's table; a loss of the spec's own
takes any number.
"""

from __future__ import annotations

from specc.library.training.losses import TARGETS
from specc.library.vocabulary import Use
from specc.model.model import Model


def domain_of(model: Model) -> tuple[int, int] | None:
    """Return the least and the largest target of the loss; None if it takes any number."""
    return domain_of_loss(model.loss.use)


def domain_of_loss(loss: Use) -> tuple[int, int] | None:
    """Return the least and the largest target of a loss; None if it takes any number."""
    return None if loss.entry.defined else TARGETS.get(loss.entry.name)
