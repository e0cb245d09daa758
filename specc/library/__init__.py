"""The vocabulary of the language: one class or function for each word; its parameters are the
arguments.
"""

from specc.library.data import bundled, files, synthetic
from specc.library.network import activations, initializers, layers, norms
from specc.library.training import losses, metrics, optimizers, schedules, settings
from specc.library.vocabulary import VOCABULARY as VOCABULARY

WORDS = (
    activations,
    bundled,
    files,
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
"""The modules that register the words when they are imported."""
