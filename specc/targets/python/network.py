"""The functions of a module that compute the network, in the order in which they are emitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from specc.emit.pieces import Code, Function
from specc.targets.python.figures import Summary
from specc.targets.python.state import StateFunctions


@dataclass(frozen=True)
class Passes:
    """The network and its derivatives, in training or in evaluation."""

    forward: Function
    backward: Function
    input_gradient: Function


@dataclass(frozen=True)
class Functions:
    """Every Program of a module as a function, the learning rate and summaries aside."""

    training: Passes
    evaluation: Passes | None
    """None where prediction runs the network as training does."""
    state: StateFunctions
    output: Function | None
    loss: Function
    loss_gradient: Function
    step_loss: Function | None
    output_gradient: Function | None
    update: Function
    metrics: tuple[Function, ...]

    @property
    def passes(self) -> tuple[Passes, ...]:
        """The passes of training, and of evaluation if it has its own."""
        own = (self.training,)
        return own if self.evaluation is None else (*own, self.evaluation)

    @property
    def every(self) -> Iterator[Function]:
        """Each function of a step, of prediction and of the update once; no metric."""
        yield self.loss_gradient
        if self.step_loss is not None:
            yield self.step_loss
        for part in reversed(self.passes):
            yield from (part.forward, part.backward, part.input_gradient)
        for each in fields(self.state):
            made = getattr(self.state, each.name)
            if made is not None:
                yield made
        yield self.loss
        yield from (f for f in (self.output, self.output_gradient) if f is not None)
        yield self.update


@dataclass(frozen=True)
class Network:
    """The functions, each of one Program."""

    step: tuple[Function, ...]
    """What a training step calls, in this order."""
    others: tuple[Function, ...]
    """What predicts, evaluates, and goes back to the input."""
    draw: tuple[Code, ...]
    """The statements that draw masks."""
    helpers: tuple[str, ...]
    """The templates of operations that the array library lacks."""
    metrics: tuple[Function, ...]


def network(
    made: Functions, helpers: Iterable[str] = (), draw: tuple[Code, ...] = ()
) -> Network:
    """Arrange the functions, which return what they end with."""
    state, own, other = made.state, made.training, made.evaluation
    evaluation = () if other is None else (other.forward, other.backward)
    by_input = None if other is None else other.input_gradient
    return Network(
        step=_present(
            own.forward,
            made.loss,
            made.loss_gradient,
            made.step_loss,
            own.backward,
            made.update,
        ),
        others=_present(
            made.output,
            made.output_gradient,
            own.input_gradient,
            *evaluation,
            by_input,
            state.measure,
            state.standardize,
            state.standardize_backward,
            state.track,
        ),
        draw=draw,
        helpers=tuple(helpers),
        metrics=made.metrics,
    )


def _present(*found: Function | None) -> tuple[Function, ...]:
    return tuple(each for each in found if each is not None)


def sections(
    made: Network,
    means: Summary,
    operations: Iterable[str],
    arrays: Iterable[str],
    of_torch: bool = False,
) -> dict[str, list[str]]:
    """Return the sections of a module, in order, with the names that each defines.

    `operations` are the helpers of the library, `arrays` the classes beside `Parameters`. Of torch
    there is a module of its own kind, too, and a setting of threads.
    """

    def names(functions: Iterable[Function]) -> list[str]:
        return [each.name.text for each in functions]

    finished = [*names(means.functions), "finished"] if means.functions else []
    return {
        "One training step": names(made.step),
        "Other passes": names(made.others) + ["draw"] * bool(made.draw),
        "Operations": [*operations],
        "Metrics and the rate": [
            *names(made.metrics),
            "figures",
            *finished,
            "learning_rate",
        ],
        "Arrays": ["Parameters", *arrays],
        "The spec": ["SPEC, its shapes, EPOCHS, BATCH_SIZE"],
        "Training": ["on_one_thread"] * of_torch + ["Model", "History", "Run"],
        "As torch.nn.Module": ["Network", "Layer", "Derived", "Once"] * of_torch,
        "Starts": ["initialize, random numbers"],
        "Input and files": ["checks of x and y, files of safetensors"],
    }
