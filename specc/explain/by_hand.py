"""How the derivative of a cross entropy cancels that of the sigmoid or softmax before it.

Takes a Model, returns lines of mathematics for one element of the loss, each as text and in LaTeX.
Invariant: the last line is the derivative in the page's equation of the loss, before the mean.
"""

from __future__ import annotations

from specc.model.model import Model

Line = tuple[str, str]
"""The text and the LaTeX of an equation."""

BINARY: tuple[Line, ...] = (
    ("p = sigmoid(z) = 1 / (1 + exp(-z))", r"p &= \sigma(z) = \frac{1}{1 + e^{-z}}"),
    (
        "L = -(t log(p) + (1 - t) log(1 - p))",
        r"L &= -\bigl(t \log p + (1 - t) \log(1 - p)\bigr)",
    ),
    (
        "dL/dp = -t / p + (1 - t) / (1 - p) = (p - t) / (p (1 - p))",
        r"\frac{dL}{dp} &= -\frac{t}{p} + \frac{1 - t}{1 - p} = \frac{p - t}{p (1 - p)}",
    ),
    (
        "dp/dz = exp(-z) / (1 + exp(-z))^2 = p (1 - p)",
        r"\frac{dp}{dz} &= \frac{e^{-z}}{(1 + e^{-z})^2} = p (1 - p)",
    ),
    (
        "dL/dz = dL/dp * dp/dz = (p - t) / (p (1 - p)) * p (1 - p) = p - t",
        r"\frac{dL}{dz} &= \frac{dL}{dp} \frac{dp}{dz}"
        r" = \frac{p - t}{p (1 - p)} \, p (1 - p) = p - t",
    ),
)
OF_CLASSES: tuple[Line, ...] = (
    (
        "p_j = softmax(z)_j = exp(z_j) / sum_k exp(z_k)",
        r"p_j &= \frac{e^{z_j}}{\sum_k e^{z_k}}",
    ),
    (
        "L = -sum_k q_k log(p_k), where sum_k q_k = 1",
        r"L &= -\sum_k q_k \log p_k, \quad \sum_k q_k = 1",
    ),
    ("dL/dp_k = -q_k / p_k", r"\frac{dL}{dp_k} &= -\frac{q_k}{p_k}"),
    (
        "dp_k/dz_j = p_k ([j = k] - p_j)",
        r"\frac{dp_k}{dz_j} &= p_k ([j = k] - p_j)",
    ),
    (
        "dL/dz_j = sum_k -q_k / p_k * p_k ([j = k] - p_j) = -q_j + p_j sum_k q_k = p_j - q_j",
        r"\frac{dL}{dz_j} &= \sum_k -\frac{q_k}{p_k} \, p_k ([j = k] - p_j)"
        r" = -q_j + p_j \sum_k q_k = p_j - q_j",
    ),
)


def by_hand(model: Model, logits: str) -> tuple[str, tuple[Line, ...]]:
    """Return a heading and its lines; "" and none for a loss in which nothing cancels."""
    target = model.target.name
    match model.loss.use.entry.name:
        case "binary_cross_entropy":
            said = f"step by step, for one element: z of {logits}, t of {target}"
            return said, BINARY
        case "cross_entropy":
            smoothing = model.loss.use["label_smoothing"]
            q = f"[k = {target}]"
            if smoothing:
                q = f"{1 - smoothing:g} {q} + {smoothing:g} / {model.output_shape[-1]}"
            return f"step by step, for one sample: z of {logits}, q_k = {q}", OF_CLASSES
    return "", ()
