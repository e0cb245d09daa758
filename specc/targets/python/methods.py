"""What the methods of `Model` are made of that the module of every target has.

`parts` are templates by name, in the order of the class: a method that a network has no use for is
no part, rather than a condition in a template.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.model.model import Model
from specc.targets.python.loop import Loop

ARRAYS = "python/arrays/"


@dataclass(frozen=True)
class Methods:
    """The methods of `Model` and of `Run`."""

    parts: tuple[str, ...]
    """The methods of `Model`."""
    run: tuple[str, ...]
    """The methods of `Run` that only some loops have, and the end of training."""
    epochs: str
    """The template of the loop of `fit`."""
    gradients_doc: Code
    measure: tuple[Code, ...]
    """What `fit` does with the samples before it begins."""
    standardize: Code
    """The name of the layer that they are for."""
    clear: tuple[Code, ...]
    """What `load_state_dict` does before it copies."""
    run_length: Code
    """How `Run` calls the length of the run."""
    append_rows: tuple[Code, ...]
    """Appends rows to what a checkpoint has of the history."""
    reduced_length: Code
    """How many entries a checkpoint has of how often the rate was reduced."""
    begin: tuple[Code, ...]
    """What `fit` does where it goes on from no checkpoint."""
    state: bool
    """Whether an update depends on what earlier ones left, beside the parameters."""
    forget: Code
    """The statement that sets a vector of that state to zero."""
    before_fit: tuple[Code, ...] = ()
    """The decorators of `fit`."""


def array_methods(model: Model, modes: bool, state: bool, predict: str) -> list[str]:
    """Return the public methods over NumPy arrays; `predict` is the template of that one."""
    files = ["views"]
    files += ["buffers"] * bool(model.buffers)
    files += ["forward", predict, "evaluate"]
    files.append("losses_in_modes" if modes else "losses")
    files += ["train_step", "python/fit_method.py.j2"]
    files.append("load_buffers" if model.buffers else "load_parameters")
    files.append("pickle_state" if state else "pickle")
    files += [
        "save",
        "python/alone.py.j2",
        "python/forked_method.py.j2",
        "checked_samples",
    ]
    return [name if "/" in name else f"{ARRAYS}{name}.py.j2" for name in files]


def beginning(begins: bool) -> tuple[Code, ...]:
    """Return the statements that begin a run, if there is anything to begin."""
    lines = [" " * 12 + "else:", " " * 16 + "run.begin()"]
    return tuple(Code(line) for line in lines * begins)


def standardize_name(model: Model) -> Code:
    """Return the name of the layer that standardizes, empty if there is none."""
    return Code("" if model.standardize is None else model.standardize.name)


def gradients_doc(overwritten: bool) -> Code:
    """Return the docstring of `gradients`, which a training step may overwrite."""
    says = "Gradients of the last `loss_and_gradients`: views into `flat_gradients`."
    if overwritten:
        says += "\n\n        A training step writes its own here.\n        "
    return Code(says)


def run_methods(rounds: Loop) -> list[str]:
    """Return the methods of `Run` that watch figures, and the one that ends training."""
    files = ["reduce"] * (rounds.plateau is not None)
    files += ["watch"] * (rounds.stopping is not None)
    files.append("finish_best" if rounds.restores else "finish")
    return [f"python/{name}.py.j2" for name in files]
