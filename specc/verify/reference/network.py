"""The network of a checked Model, built from torch.nn and differentiated by autograd.

Takes a Model, returns the expected predictions, losses and gradients. Invariant: it reads the
words, arguments and shapes of the spec and shares no formula with the compiler. Everything is
float64 by default.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from specc.library.streams import uniform
from specc.library.vocabulary import Use
from specc.model.model import Model, Node
from specc.verify.compare.finding import ALL_ZERO, ROUNDINGS
from specc.verify.compare.tensors import F, Tensor, nn, torch
from specc.verify.reference.formulas import function_of
from specc.verify.reference.missing import MissingReference


class HardSigmoid(nn.Module):
    """relu6(x + 3) / 6; in torch, the derivative of hardsigmoid is rounded to float32."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(x + 3) / 6


def of_batch(axis: int) -> int:
    """Return the axis of a batch for an axis of a sample."""
    return axis + 1 if axis >= 0 else axis


ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda slope: nn.LeakyReLU(slope),
    "elu": lambda alpha: nn.ELU(alpha),
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": lambda: nn.Softplus(threshold=100),
    "tanh": nn.Tanh,
    "tanh_shrink": nn.Tanhshrink,
    "sigmoid": nn.Sigmoid,
    "hard_tanh": nn.Hardtanh,
    "hard_sigmoid": HardSigmoid,
    "hard_swish": nn.Hardswish,
    "softsign": nn.Softsign,
    "softmax": lambda axis: nn.Softmax(dim=of_batch(axis)),
    "log_softmax": lambda axis: nn.LogSoftmax(dim=of_batch(axis)),
    "identity": nn.Identity,
}
"""The module of torch for each activation; it takes the arguments of the spec by name."""


class Defined(nn.Module):
    """An activation that the spec defines."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@dataclass(frozen=True)
class Truth:
    """The expected results of a batch."""

    prediction: Tensor
    loss: float
    gradients: dict[str, Tensor]
    """dL/d(every parameter), and dL/d(input) by the name of the input."""


class Reference(nn.Module):
    """The network that a Model describes."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.layers = nn.ModuleList(_layer(node, model) for node in model.nodes)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        """Predict a batch."""
        return self.last_two(x)[1]

    def last_two(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the input and the output of the last layer."""
        made: list[Tensor] = []
        given = [x]
        for node, layer in zip(self.model.nodes, self.layers, strict=True):
            given = [made[i] if i >= 0 else x for i in node.inputs]
            made.append(layer(*given))
        return given[-1], made[-1]

    def train(self, mode: bool = True) -> Self:
        """Set the mode; torch would visit all modules even if it does not change."""
        return self if self.training == mode else super().train(mode)

    @functools.cached_property
    def named(self) -> dict[str, nn.Parameter]:
        """Every parameter by its name in the spec."""
        return {
            f"{node.name}.{short}": parameter
            for node, layer in zip(self.model.nodes, self.layers, strict=True)
            for short, parameter in layer.named_parameters()
        }

    @functools.cached_property
    def buffers_by_name(self) -> dict[str, Tensor]:
        """Every buffer by its name in the spec, except torch's count of batches."""
        return {
            f"{node.name}.{short}": buffer
            for node, layer in zip(self.model.nodes, self.layers, strict=True)
            for short, buffer in layer.named_buffers()
            if short != "num_batches_tracked"
        }

    def draw(self, seed: int, update: int, count: int) -> None:
        """Draw the masks of dropout for an update on `count` samples, from the spec's streams."""
        for node, layer in zip(self.model.nodes, self.layers, strict=True):
            if isinstance(layer, Dropout):
                size = count * math.prod(node.input_shape)
                stream = f"dropout/{node.name}/{update}"
                kept = torch.from_numpy(uniform(seed, stream, size)) >= layer.rate
                layer.mask = kept.double().reshape(count, *node.input_shape)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Load every parameter and buffer from `state`."""
        own = self.named | self.buffers_by_name
        assert own.keys() == state.keys()
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state[name])

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the spec's loss of a batch."""
        return self.compared(self.last_two(x), y)

    def compared(self, last: tuple[Tensor, Tensor], y: Tensor) -> Tensor:
        """Return the spec's loss, given the result of `last_two`."""
        use = self.model.loss.use
        loss = self._mean_loss(use, *last, y)
        match use["reduction"]:
            case "sum":
                return loss * y.numel()
            case "batch_mean":
                return loss * math.prod(self.model.target.shape)
        return loss

    def of_predictions(self, prediction: Tensor, y: Tensor) -> Tensor:
        """Return the spec's loss of predictions, which may be probabilities."""
        match self.model.nodes[-1].use.entry.name:
            case "sigmoid":
                return self.compared((torch.logit(prediction), prediction), y)
            case "softmax":
                return self.compared((prediction.log(), prediction), y)
        return self.compared((prediction, prediction), y)

    def _mean_loss(
        self, use: Use, logits: Tensor, prediction: Tensor, y: Tensor
    ) -> Tensor:
        """Return the loss as a mean over all elements; `logits` are the input of the last layer."""
        if use.entry.defined:
            bound = {k: v for k, v in use.arguments if k != "reduction"}
            function = function_of(self.model, "loss", use.entry.name, bound)
            return (function(prediction, y) + torch.zeros_like(prediction)).mean()
        node = self.model.nodes[-1]
        last = "" if node.looks_across else node.use.entry.name
        match use.entry.name:
            case "mse":
                return F.mse_loss(prediction, y) / (2 if use["half"] else 1)
            case "mae":
                return F.l1_loss(prediction, y)
            case "huber":
                return F.huber_loss(prediction, y, delta=use["delta"])
            case "binary_cross_entropy":
                z = logits if last == "sigmoid" else prediction
                return F.binary_cross_entropy_with_logits(z.reshape(y.shape), y)
            case "cross_entropy":
                z = logits if last == "softmax" else prediction
                return F.cross_entropy(
                    z.reshape(-1, z.shape[-1]),
                    y.reshape(-1),
                    label_smoothing=use["label_smoothing"],
                )
        raise MissingReference("loss", use.entry.name, "network.py")

    def truth(self, x: Tensor, y: Tensor, training: bool = False) -> Truth:
        """Return prediction, loss and gradients of a batch; training updates buffers."""
        self.train(training)
        self.zero_grad()
        x = x.clone().requires_grad_()
        last = self.last_two(x)
        loss = self.compared(last, y)
        torch.autograd.backward(loss)
        found = {name: p.grad for name, p in self.named.items()}
        found[self.model.input.name] = x.grad
        gradients = {name: g.clone() for name, g in found.items() if g is not None}
        return Truth(last[1].detach(), float(loss.detach()), gradients)


class Dropout(nn.Module):
    """The dropout of torch with a given mask of 0 and 1."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.mask = torch.ones(())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask.to(x) / (1 - self.rate) if self.training else x


class Standardize(nn.Module):
    """(x - mean) / std + offset along the last axis."""

    mean: Tensor
    std: Tensor
    offset: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))
        self.register_buffer("offset", torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std + self.offset


class Residual(nn.Module):
    """The sum of the input and the output of a body."""

    def forward(self, x: Tensor, body: Tensor) -> Tensor:
        return x + body


class Concat(nn.Module):
    """The outputs of bodies, joined along an axis of a sample."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *bodies: Tensor) -> Tensor:
        return torch.cat(bodies, dim=of_batch(self.axis))


class View(nn.Module):
    """The numbers of each sample in another shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d}
LAYERS: dict[str, Callable[[Use, tuple[int, ...], tuple[int, ...]], nn.Module]] = {
    "linear": lambda use, x, y: nn.Linear(x[-1], y[-1]),
    "flatten": lambda use, x, y: View(y),
    "reshape": lambda use, x, y: View(y),
    "residual": lambda use, x, y: Residual(),
    "concat": lambda use, x, y: Concat(use["axis"]),
    "dropout": lambda use, x, y: Dropout(use["rate"]),
    "standardize": lambda use, x, y: Standardize(x[-1]),
    "layer_norm": lambda use, x, y: nn.LayerNorm(x[-1], eps=use["eps"]),
    "rms_norm": lambda use, x, y: nn.RMSNorm(x[-1], eps=use["eps"]),
    "batch_norm": lambda use, x, y: BATCH_NORMS[len(x)](
        x[0], eps=use["eps"], momentum=use["momentum"]
    ),
}
"""The module of torch for each layer, from the use and the shapes of a sample before and after."""


def _layer(node: Node, model: Model) -> nn.Module:
    use = node.use
    arguments = dict(use.arguments)
    if use.entry.defined:
        name = use.entry.name
        return Defined(function_of(model, "activation", name, arguments))
    if use.entry.name not in {**LAYERS, **ACTIVATIONS}:
        raise MissingReference(use.entry.kind, use.entry.name, "network.py")
    if use.entry.name not in LAYERS:
        return ACTIVATIONS[use.entry.name](**arguments)
    layer = LAYERS[use.entry.name](use, node.input_shape, node.output_shape)
    for short in ("weight", "bias"):
        if arguments.get(short, use) is None:
            setattr(layer, short, None)
    return layer


def samples(model: Model, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return `count` random samples that suit the input, the target and the loss."""
    draw = torch.Generator().manual_seed(1000 * seed + count)
    x = torch.randn(count, *model.input.shape, dtype=torch.float64, generator=draw)
    shape = (count, *model.target.shape)
    if model.target.dtype == "int":
        return x, torch.randint(model.output_shape[-1], shape, generator=draw)
    if model.loss.use.entry.name == "binary_cross_entropy":
        return x, torch.rand(shape, dtype=torch.float64, generator=draw)
    return x, torch.randn(shape, dtype=torch.float64, generator=draw)


def parameters(model: Model, seed: int = 0) -> dict[str, Tensor]:
    """Return random parameters, including biases, at a scale that keeps activations alive.

    Buffers are random too: means, variances above 0, and small offsets of standardized samples.
    """
    draw = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(p.shape, dtype=torch.float64, generator=draw)
        / p.shape[-1] ** (0.5 if len(p.shape) > 1 else 0.0)
        for name, p in model.parameters.items()
    }
    for name, buffer in model.buffers.items():
        if not name.endswith(OFFSET):
            drawn = torch.rand(buffer.shape, dtype=torch.float64, generator=draw)
            state[name] = drawn if name.endswith("mean") else drawn + 0.5
    for name in model.buffers.keys() - state.keys():
        shape = model.buffers[name].shape
        state[name] = torch.rand(shape, dtype=torch.float64, generator=draw) / 8
    return {name: state[name] for name in (*model.parameters, *model.buffers)}


OFFSET = ".offset"
"""How the name of what rounding a mean left out ends."""


def distance(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """Return the largest |g - a| / max(|a|, largest |a| of all / 1000) of any element.

    A relative error alone says nothing about gradients that are 0 by structure.
    """
    assert found.keys() == expected.keys()
    largest = max(float(a.abs().max()) for a in expected.values())
    floor = 1e-3 * largest if largest > ROUNDINGS else ALL_ZERO
    worst = 0.0
    for name, a in expected.items():
        g = found[name]
        assert g.shape == a.shape, f"{name}: {tuple(g.shape)} for {tuple(a.shape)}"
        assert bool(torch.isfinite(g).all()), f"{name} is not finite"
        worst = max(worst, float(((g - a).abs() / a.abs().clamp_min(floor)).max()))
    return worst
