"""The vocabulary of the language: one class or function a word, its parameters its arguments."""

from specc.library import (  # noqa: F401  (importing registers the words)
    activations,
    bundled,
    data,
    initializers,
    layers,
    losses,
    metrics,
    norms,
    optimizers,
    schedules,
    settings,
    synthetic,
)
from specc.library.entry import VOCABULARY as VOCABULARY
