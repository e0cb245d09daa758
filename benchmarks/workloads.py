"""The networks that are compared, at which batch sizes, and what the arithmetic costs.

A network here is a perceptron with ReLU between its layers; its spec is written from its
widths, so that a curve against width needs no file for each point.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
LR = 1e-3
SEED = 0
_KEPT = tempfile.TemporaryDirectory(prefix="specc-bench-")  # until this process ends
FOLDER = Path(_KEPT.name)
"""Where emitted modules are."""


@dataclass(frozen=True)
class Network:
    """Widths from the input to the output, and what stands at its end."""

    name: str
    widths: tuple[int, ...]
    classes: bool = False
    """Softmax and cross entropy after the last layer; else tanh and the squared error."""

    @property
    def flop(self) -> int:
        """Give the operations of a sample in one step: 2 x inputs x outputs a product.

        Each layer has three products: forward, the gradient of its weight and that of its
        input. The first layer does without the last. Biases, activations, loss and update
        are not counted.
        """
        products = [2 * a * b for a, b in itertools.pairwise(self.widths)]
        return 3 * sum(products) - products[0]

    def spec(self, batch: int) -> str:
        """Write the spec, with plain SGD at a constant rate."""
        *hidden, last = self.widths[1:]
        layers = [
            line
            for width in hidden
            for line in (f"linear({width}, weight=he_normal)", "relu")
        ]
        if self.classes:
            layers += [f"linear({last})"]
            target, loss = "int[]", "cross_entropy"
        else:
            layers += [f"linear({last}, weight=xavier_normal)", "tanh"]
            target, loss = f"real[{last}]", "mse"
        return "\n".join(
            [
                "model net",
                f"input x: real[{self.widths[0]}]",
                f"target y: {target}",
                "layers {",
                *layers,
                "}",
                f"loss {loss}",
                f"optimizer sgd(lr={LR})",
                f"train(epochs=1, batch_size={batch}, seed={SEED})\n",
            ]
        )

    def samples(self, count: int) -> tuple[Any, Any]:
        """Draw samples and targets, float32 (classes int64), each class at least once."""
        random = np.random.default_rng(1)
        x = random.random((count, self.widths[0]), np.float32)
        last = self.widths[-1]
        if self.classes:
            y = random.integers(0, last, count)
            y[:last] = np.arange(last)[:count]
            return x, y
        return x, random.integers(0, 2, (count, last)).astype(np.float32)


@dataclass(frozen=True)
class Workload:
    """A network at a batch size."""

    network: Network
    batch: int

    @property
    def count(self) -> int:
        """Give the samples of an epoch: whole batches, about 1,000 samples or 16 batches."""
        return self.batch * max(-(-1000 // self.batch), 16)

    @property
    def steps(self) -> int:
        """Give the steps of an epoch."""
        return self.count // self.batch

    def __str__(self) -> str:
        return f"{self.network.name} at batch {self.batch}"


PAPER = Network("2-25-25-25-1", (2, 25, 25, 25, 1))
SMALL = Network("64-64-10", (64, 64, 10), classes=True)
DIGITS = Network("784-128-10", (784, 128, 10), classes=True)
WIDE = Network("784-512-512-10", (784, 512, 512, 10), classes=True)

TABLE = (
    *(Workload(PAPER, batch) for batch in (1, 32, 256, 1000)),
    *(Workload(network, 128) for network in (SMALL, DIGITS, WIDE)),
)
AGAINST_BATCH = (
    *(Workload(PAPER, batch) for batch in (4, 16, 64)),
    *(
        Workload(net, batch)
        for net in (SMALL, DIGITS, WIDE)
        for batch in (1, 8, 32, 512)
    ),
)
AGAINST_WIDTH = tuple(
    Workload(
        Network(f"2-{width}-{width}-{width}-1", (2, width, width, width, 1)), batch
    )
    for batch in (32, 128)
    for width in (8, 16, 32, 64, 128, 256, 512, 1024)
)


def emitted(spec: str, batch: int, target: str) -> Any:
    """Compile a spec for a target and import the module; LookupError without the target."""
    from specc.compiler import Request, compile_source
    from specc.syntax.source import Source
    from specc.targets.registry import TARGETS

    if target not in TARGETS:
        raise LookupError(f"specc has no target {target!r} yet")
    name = f"net_{target}_{batch}_{len(list(FOLDER.iterdir()))}"
    result = compile_source(Source("net.spec", spec), Request(target=target, stem=name))
    if result.text is None:
        raise SystemExit("\n".join(item.message for item in result.diagnostics))
    for ending, text in {".py": result.text, **result.beside}.items():
        (FOLDER / f"{name}{ending}").write_text(text)
    os.environ["SPECC_CACHE"] = str(FOLDER)
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))
