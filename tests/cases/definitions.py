"""Twenty and more definitions that a user might write, and the same formulas in torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Definition:
    """A `def`, how it is used, and the same in torch."""

    text: str
    use: str
    torch: Callable[..., Tensor]
    positive: bool = False
    """Whether it is for arguments, or predictions, between 0 and 1."""

    @property
    def kind(self) -> str:
        """`activation`, `loss` or `schedule`."""
        return self.text.split()[1]


def _where(condition: Tensor, a: Any, b: Any) -> Tensor:
    a, b = (torch.as_tensor(branch, dtype=torch.float64) for branch in (a, b))
    return torch.where(condition, a, b)


F = torch.nn.functional
DEFINITIONS: dict[str, Definition] = {
    "swish": Definition(
        "def activation swish(x, beta=1.0) = x * sigmoid(beta * x)",
        "swish(beta=1.5)",
        lambda x: x * torch.sigmoid(1.5 * x),
    ),
    "snake": Definition(
        "def activation snake(x, a=1) = x + sin(a * x)^2 / a",
        "snake(2)",
        lambda x: x + torch.sin(2 * x) ** 2 / 2,
    ),
    "gaussian": Definition(
        "def activation gaussian(x) = exp(-x^2)",
        "gaussian",
        lambda x: torch.exp(-(x**2)),
    ),
    "squared_relu": Definition(
        "def activation squared_relu(x) = relu(x)^2",
        "squared_relu",
        lambda x: F.relu(x) ** 2,
    ),
    "relu6": Definition(
        "def activation relu6(x) = min(relu(x), 6)",
        "relu6",
        lambda x: F.relu(x).clamp_max(6),
    ),
    "bent_identity": Definition(
        "def activation bent_identity(x) = (sqrt(x^2 + 1) - 1) / 2 + x",
        "bent_identity",
        lambda x: (torch.sqrt(x**2 + 1) - 1) / 2 + x,
    ),
    "isru": Definition(
        "def activation isru(x, alpha=1) = x / sqrt(1 + alpha * x^2)",
        "isru",
        lambda x: x / torch.sqrt(1 + x**2),
    ),
    "tanh_remainder": Definition(
        "def activation tanh_remainder(x) = x - tanh(x)", "tanh_remainder", F.tanhshrink
    ),
    "soft_shrink": Definition(
        "def activation soft_shrink(x, k=0.5) = where(abs(x) > k, x - k * sign(x), 0)",
        "soft_shrink",
        F.softshrink,
    ),
    "lisht": Definition(
        "def activation lisht(x) = x * tanh(x)", "lisht", lambda x: x * torch.tanh(x)
    ),
    "log_sigmoid": Definition(
        "def activation log_sigmoid(x) = -softplus(-x)", "log_sigmoid", F.logsigmoid
    ),
    "celu": Definition(
        "def activation celu(x, a=1) = where(x > 0, x, a * expm1(x / a))",
        "celu(a=2)",
        lambda x: F.celu(x, 2.0),
    ),
    "serf": Definition(
        "def activation serf(x) = x * erf(log1p(exp(x)))",
        "serf",
        lambda x: x * torch.erf(torch.log1p(torch.exp(x))),
    ),
    "sinc": Definition(
        "def activation sinc(x) = where(x == 0, 1, sin(x) / x)",
        "sinc",
        lambda x: torch.sinc(x / math.pi),
    ),
    "clipped": Definition(
        "def activation clipped(x, low=-1, high=2) = max(min(x, high), low)",
        "clipped",
        lambda x: torch.maximum(torch.minimum(x, x * 0 + 2), x * 0 - 1),
    ),
    "power": Definition(
        "def activation power(x, base=2) = base^x - x^3 / 10",
        "power",
        lambda x: 2**x - x**3 / 10,
    ),
    "bump": Definition(
        "def activation bump(x, k=0.1) = x + where(x > 0, 0.3, k)",
        "bump",
        lambda x: x + _where(x > 0, 0.3, 0.1),
    ),
    "nested_choice": Definition(
        "def activation nested_choice(x) = where(x > 0.5, where(x > 1, 0.3, 0.7), 0.1 * x)",
        "nested_choice",
        lambda x: _where(x > 0.5, _where(x > 1, 0.3, 0.7), 0.1 * x),
    ),
    "masked": Definition(
        "def activation masked(x) = 0.3 * x * (x > 0) + 0.1 * (x <= 0) * x^2",
        "masked",
        lambda x: _where(x > 0, 0.3 * x, 0.1 * x**2),
    ),
    "asymmetric": Definition(
        "def loss asymmetric(p, t) = (p - t)^2 * where(p < t, 2, 0.3)",
        "asymmetric",
        lambda p, t: (p - t) ** 2 * _where(p < t, 2, 0.3),
    ),
    "log_cosh": Definition(
        "def loss log_cosh(p, t) = abs(p - t) + log1p(exp(-2 * abs(p - t))) - log(2)",
        "log_cosh",
        lambda p, t: torch.log(torch.cosh(p - t)),
    ),
    "quantile": Definition(
        "def loss quantile(p, t, q=0.9) = where(p < t, q * (t - p), (1 - q) * (p - t))",
        "quantile(q=0.8)",
        lambda p, t: torch.maximum(0.8 * (t - p), 0.2 * (p - t)),
    ),
    "focal": Definition(
        "def loss focal(p, t, gamma=2) ="
        " -t * (1 - p)^gamma * log(p) - (1 - t) * p^gamma * log(1 - p)",
        "focal",
        lambda p, t: -t * (1 - p) ** 2 * torch.log(p)
        - (1 - t) * p**2 * torch.log(1 - p),
        positive=True,
    ),
    "poisson": Definition(
        "def loss poisson(p, t) = exp(p) - t * p",
        "poisson",
        lambda p, t: torch.exp(p) - t * p,
    ),
    "charbonnier": Definition(
        "def loss charbonnier(p, t, eps=1e-3) = sqrt((p - t)^2 + eps^2)",
        "charbonnier",
        lambda p, t: torch.sqrt((p - t) ** 2 + 1e-6),
    ),
    "hinge": Definition(
        "def loss hinge(p, t) = max(1 - t * p, 0)",
        "hinge",
        lambda p, t: torch.maximum(1 - t * p, torch.zeros_like(p)),
    ),
    "log_squared": Definition(
        "def loss log_squared(p, t) = (log1p(p) - log1p(t))^2",
        "log_squared",
        lambda p, t: (torch.log1p(p) - torch.log1p(t)) ** 2,
        positive=True,
    ),
    "linear": Definition(
        "def loss wasserstein(p, t) = t * p", "wasserstein", lambda p, t: t * p
    ),
    "one_sided": Definition(
        "def loss plain(p, t) = p - t", "plain", lambda p, t: p - t
    ),
    "one_cycle": Definition(
        "def schedule one_cycle(lr, t, total, up=0.3) ="
        " lr * where(t < up * total, (t + 1) / (up * total),"
        " (1 + cos(pi * (t - up * total) / (total - up * total))) / 2)",
        "one_cycle(up=0.25)",
        lambda lr, t, total: lr
        * _where(
            t < total / 4,
            (t + 1) / (total / 4),
            (1 + torch.cos(math.pi * (t - total / 4) / (total * 0.75))) / 2,
        ),
    ),
    "inverse_root": Definition(
        "def schedule inverse_root(lr, t, total, warm=4) = lr * min((t + 1)^-0.5,"
        " (t + 1) * warm^-1.5)",
        "inverse_root",
        lambda lr, t, total: lr * torch.minimum((t + 1) ** -0.5, (t + 1) * 4**-1.5),
    ),
    "cyclic": Definition(
        "def schedule cyclic(lr, t, total, period=10, low=0.1) ="
        " lr * (low + (1 - low) * abs(2 * (t / period - floor(t / period + 0.5))))",
        "cyclic(period=8)",
        lambda lr, t, total: lr
        * (0.1 + 0.9 * torch.abs(2 * (t / 8 - torch.floor(t / 8 + 0.5)))),
    ),
}


def spec_of(definition: Definition) -> str:
    """Write a spec that uses a definition."""
    uses = {"activation": "tanh", "loss": "mse", "schedule": "constant"}
    uses[definition.kind] = definition.use
    last = "sigmoid" if definition.positive else ""
    return f"""model net
input x: real[4]
target y: real[3]
{definition.text}
layers {{ linear(6) {uses["activation"]} linear(3) {last} }}
loss {uses["loss"]}
optimizer sgd(lr=0.1)
schedule {uses["schedule"]}
"""
