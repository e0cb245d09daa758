"""The vocabulary of the language: one class or function a word, its parameters its arguments."""

from specc.library import (  # noqa: F401  (importing registers the words)
    activations,
    data,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    schedules,
    settings,
)
from specc.library.entry import VOCABULARY as VOCABULARY

LATER: dict[str, tuple[str, ...]] = {
    "layer": (
        "layer_norm",
        "batch_norm",
        "dropout",
        "standardize",
        "flatten",
        "reshape",
        "residual",
        "concat",
    ),
    "activation": (
        "leaky_relu",
        "elu",
        "selu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "hard_tanh",
        "hard_sigmoid",
        "softsign",
        "log_softmax",
    ),
    "loss": ("mae", "huber"),
    "optimizer": ("adam", "adamw", "rmsprop", "adagrad"),
    "schedule": ("multi_step", "polynomial", "cosine", "plateau"),
    "metric": ("mae", "mse", "r2", "precision", "recall", "f1"),
    "data": ("xor", "spiral", "moons", "digits", "iris", "wine", "breast_cancer", "diabetes"),
}
"""Words of the language that this version refuses as not available yet, by kind."""
