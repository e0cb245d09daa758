"""The activations: each word is one function of a Value.

Elementwise ones take and give any shape; `softmax` joins one axis, counted within a sample.
Formulas, kinks and NaN behaviour are those of `torch.nn.functional`.
"""

from __future__ import annotations

from specc import ops
from specc.ir import Value
from specc.library.entry import entry


@entry("activation", operands=1)
def relu(x: Value) -> Value:
    """max(x, 0), of slope 0 at 0. Source: torch.nn.ReLU."""
    return ops.relu(x)


@entry("activation", operands=1)
def tanh(x: Value) -> Value:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)). Source: torch.nn.Tanh."""
    return ops.tanh(x)


@entry("activation", operands=1)
def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x)). Source: torch.nn.Sigmoid."""
    return ops.sigmoid(x)


@entry("activation", operands=1)
def softmax(x: Value, axis: int = -1) -> Value:
    """exp(x) / sum(exp(x)) along `axis`, counted within a sample: the last one.

    Source: torch.nn.Softmax.
    """
    return ops.softmax(x, axis=len(x.shape) - 1)


@entry("activation", operands=1)
def identity(x: Value) -> Value:
    """x itself. Source: torch.nn.Identity."""
    return x
