"""Training as the users of JAX, scikit-learn and Keras write it; none of them is required.

Each library is imported where it is used: one that is missing is an ImportError, which the
comparison shows in its row.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from subjects import TORCH_SUBJECTS, Start, Subject
from workloads import LR, SEED

os.environ["KERAS_BACKEND"] = "jax"  # faster here than its torch


def jax_update(classes: bool) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """Give the pure function of one SGD update: (layers, x, y) -> (layers, loss)."""
    import jax
    from jax import numpy as jnp

    def loss_of(layers: Any, x: Any, y: Any) -> Any:
        for weight, bias in layers[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        weight, bias = layers[-1]
        x = x @ weight + bias
        if not classes:
            return jnp.mean((jnp.tanh(x) - y) ** 2)
        picked = jnp.take_along_axis(x, y[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(x, axis=1) - picked)

    def update(layers: Any, x: Any, y: Any) -> tuple[Any, Any]:
        loss, gradients = jax.value_and_grad(loss_of)(layers, x, y)
        return jax.tree.map(lambda p, g: p - LR * g, layers, gradients), loss

    return update


def jax_jit(start: Start) -> Subject:
    """Compile the update, loop over the batches in Python."""
    import jax

    update = jax.jit(jax_update(start.work.network.classes), donate_argnums=0)
    layers = jax.tree.map(jax.numpy.array, start.layers)
    random, batch, count = np.random.default_rng(0), start.work.batch, start.work.count
    one_x, one_y = jax.device_put((start.x[:batch], start.y[:batch]))

    def epoch(order: Any) -> float:
        nonlocal layers
        x, y, losses = start.x[order], start.y[order], []
        for i in range(0, count, batch):
            layers, loss = update(layers, x[i : i + batch], y[i : i + batch])
            losses.append(loss)
        return float(np.mean(jax.device_get(losses)))

    def train(epochs: int) -> list[float]:
        return [epoch(random.permutation(count)) for _ in range(epochs)]

    def steps(count: int) -> None:
        nonlocal layers
        for _ in range(count):
            layers, _ = update(layers, one_x, one_y)
        jax.block_until_ready(layers)

    return Subject("JAX jit", train, epoch, lambda: start.named(layers), steps)


def jax_scan(start: Start) -> Subject:
    """Compile an epoch: `lax.scan` over its steps, samples gathered in the same `jit`."""
    import jax

    update = jax_update(start.work.network.classes)
    layers = jax.tree.map(jax.numpy.array, start.layers)
    random, batch, count = np.random.default_rng(0), start.work.batch, start.work.count
    x, y = jax.device_put((start.x, start.y))

    def scan(layers: Any, x: Any, y: Any, rows: Any) -> tuple[Any, Any]:
        layers, losses = jax.lax.scan(
            lambda layers, batch: update(layers, x[batch], y[batch]), layers, rows
        )
        return layers, losses.mean()

    run = jax.jit(scan, donate_argnums=0)

    def epoch(order: Any) -> float:
        nonlocal layers
        layers, loss = run(layers, x, y, order.reshape(-1, batch))
        return float(loss)

    def train(epochs: int) -> list[float]:
        return [epoch(random.permutation(count)) for _ in range(epochs)]

    return Subject("JAX scan", train, epoch, lambda: start.named(layers))


def sklearn_mlp(start: Start) -> Subject:
    """Train scikit-learn's MLP by its `fit`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    network = start.work.network
    warnings.simplefilter("ignore", ConvergenceWarning)
    # Its squared error is halved, so the same update needs twice the rate.
    model = (MLPClassifier if network.classes else MLPRegressor)(
        hidden_layer_sizes=network.widths[1:-1],
        activation="relu",
        solver="sgd",
        alpha=0.0,
        batch_size=start.work.batch,
        learning_rate="constant",
        learning_rate_init=LR if network.classes else 2 * LR,
        momentum=0.0,
        nesterovs_momentum=False,
        max_iter=1,
        tol=0.0,
        n_iter_no_change=10**9,
        warm_start=True,
        random_state=SEED,
    )
    x, y = start.x, start.y if network.classes else start.y[:, 0]
    model.fit(x, y)
    for i, (weight, bias) in enumerate(start.layers):
        model.coefs_[i][...] = weight
        model.intercepts_[i][...] = bias

    def epoch(order: Any) -> None:
        model.set_params(shuffle=False, max_iter=1).fit(x[order], y[order])

    def train(epochs: int) -> None:
        model.set_params(shuffle=True, max_iter=epochs).fit(x, y)

    note = "" if network.classes else "without the tanh, which it has not"
    return Subject(
        "scikit-learn",
        train,
        epoch,
        lambda: start.named(zip(model.coefs_, model.intercepts_, strict=True)),
        note=note,
        linear=not network.classes,
    )


def keras_fit(start: Start) -> Subject:
    """Train a Sequential by its `fit`, with eight steps a call of the compiled function."""
    import keras

    network, batch = start.work.network, start.work.batch
    dense = keras.layers.Dense
    last = None if network.classes else "tanh"
    model = keras.Sequential(
        [
            keras.Input((network.widths[0],)),
            *(dense(width, activation="relu") for width in network.widths[1:-1]),
            dense(network.widths[-1], activation=last),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        optimizer=keras.optimizers.SGD(LR),
        loss=loss if network.classes else "mse",
        steps_per_execution=8,
    )
    model.set_weights([part for layer in start.layers for part in layer])

    def fit(x: Any, y: Any, epochs: int, shuffle: bool) -> Any:
        return model.fit(
            x, y, batch_size=batch, epochs=epochs, shuffle=shuffle, verbose=0
        )

    def parameters() -> dict[str, Any]:
        weights = model.get_weights()
        return start.named(zip(weights[::2], weights[1::2], strict=True))

    return Subject(
        "Keras",
        lambda epochs: fit(start.x, start.y, epochs, True),
        lambda order: fit(start.x[order], start.y[order], 1, False),
        parameters,
        note=f"on {keras.backend.backend()}, steps_per_execution=8",
    )


SUBJECTS: dict[str, Callable[[Start], Subject]] = {
    **TORCH_SUBJECTS,
    "JAX jit": jax_jit,
    "JAX scan": jax_scan,
    "scikit-learn": sklearn_mlp,
    "Keras": keras_fit,
}
