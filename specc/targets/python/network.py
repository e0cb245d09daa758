"""The functions of a module that compute the network, in the order in which they are emitted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specc.emit.pieces import Code, Function
from specc.targets.python.functions import Functions


@dataclass(frozen=True)
class Network:
    """The functions, each of one Program."""

    helpers: tuple[str, ...]
    """The templates of operations that the array library lacks."""
    prepare: tuple[Function, ...]
    """What sees the samples before the network does."""
    draw: tuple[Code, ...]
    """The statements that draw masks."""
    forward: tuple[Function, ...]
    backward: tuple[Function, ...]
    """The derivatives, the update and the metrics."""


def network(
    made: Functions, helpers: Iterable[str] = (), draw: tuple[Code, ...] = ()
) -> Network:
    """Arrange the functions, which return what they end with."""
    state, own, other = made.state, made.training, made.evaluation
    evaluation = () if other is None else (other.forward, other.backward)
    by_input = None if other is None else other.input_gradient
    return Network(
        helpers=tuple(helpers),
        prepare=_present(state.measure, state.standardize),
        draw=draw,
        forward=_present(own.forward, made.output, made.loss),
        backward=_present(
            made.loss_gradient,
            made.step_loss,
            own.backward,
            own.input_gradient,
            *evaluation,
            by_input,
            state.standardize_backward,
            made.output_gradient,
            state.track,
            made.update,
            *made.metrics,
        ),
    )


def _present(*found: Function | None) -> tuple[Function, ...]:
    return tuple(each for each in found if each is not None)
