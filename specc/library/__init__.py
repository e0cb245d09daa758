"""The vocabulary of the language: one class or function a word, its parameters its arguments."""

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
"""The modules whose import registers the words."""
