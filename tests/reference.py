"""The network of a checked Model, built from torch.nn and differentiated by autograd.

It reads what the spec says (layer words, arguments, shapes) and shares no formula with specc: what
it gives is what the emitted module is measured against. Everything is float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from specc.library.entry import Use
from specc.model import Model, Node
from specc.streams import uniform
from tests.modules import checked


class HardSigmoid(nn.Module):
    """relu6(x + 3) / 6: torch's own derivative has a sixth in float32 in every dtype."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu6(x + 3) / 6


def of_batch(axis: int) -> int:
    """Give the axis of a batch that is an axis of a sample."""
    return axis + 1 if axis >= 0 else axis


ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda slope: nn.LeakyReLU(slope),
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": lambda: nn.Softplus(threshold=1000),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "hard_tanh": nn.Hardtanh,
    "hard_sigmoid": HardSigmoid,
    "hard_swish": nn.Hardswish,
    "softsign": nn.Softsign,
    "softmax": lambda axis: nn.Softmax(dim=of_batch(axis)),
    "log_softmax": lambda axis: nn.LogSoftmax(dim=of_batch(axis)),
    "identity": nn.Identity,
}
"""What torch calls each activation; it takes the arguments of the spec by name."""


class Wave(nn.Module):
    """What specs of the tests define as `wave`."""

    def __init__(self, k: float) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.k * x).sin() ** 2


DEFINED: dict[str, Callable[..., nn.Module]] = {"wave": Wave}
"""The definitions of the specs that the tests differentiate."""


@dataclass(frozen=True)
class Truth:
    """What a batch gives."""

    prediction: Tensor
    loss: float
    gradients: dict[str, Tensor]
    """dL/d(every parameter), and dL/d(input) under the input's name."""


class Reference(nn.Module):
    """The network that a Model describes."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.layers = nn.ModuleList(_layer(node) for node in model.nodes)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        made: list[Tensor] = []
        for node, layer in zip(self.model.nodes, self.layers, strict=True):
            made.append(layer(*(made[i] if i >= 0 else x for i in node.inputs)))
        return made[-1]

    def named(self) -> dict[str, nn.Parameter]:
        """Every parameter under the name that the spec gives it."""
        return {
            f"{node.name}.{short}": parameter
            for node, layer in zip(self.model.nodes, self.layers, strict=True)
            for short, parameter in layer.named_parameters()
        }

    def buffers_by_name(self) -> dict[str, Tensor]:
        """Every buffer likewise, but for torch's count of batches."""
        return {
            f"{node.name}.{short}": buffer
            for node, layer in zip(self.model.nodes, self.layers, strict=True)
            for short, buffer in layer.named_buffers()
            if short != "num_batches_tracked"
        }

    def draw(self, seed: int, update: int, count: int) -> None:
        """Draw what dropout drops of `count` samples in an update, from the spec's streams."""
        for node, layer in zip(self.model.nodes, self.layers, strict=True):
            if isinstance(layer, Dropout):
                size = count * math.prod(node.input_shape)
                stream = f"dropout/{node.name}/{update}"
                kept = torch.from_numpy(uniform(seed, stream, size)) >= layer.rate
                layer.mask = kept.double().reshape(count, *node.input_shape)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take every parameter and buffer from `state`."""
        own = self.named() | self.buffers_by_name()
        assert own.keys() == state.keys()
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state[name])

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Give the spec's loss of a batch."""
        return self.compared(self(x), y)

    def compared(self, prediction: Tensor, y: Tensor) -> Tensor:
        """Give the spec's loss of predictions."""
        use = self.model.loss.use
        last = self.model.nodes[-1].use.entry.name
        match use.entry.name:
            case "mse":
                loss: Tensor = nn.MSELoss()(prediction, y)
                return loss / 2 if use["half"] else loss
            case "mae":
                return nn.L1Loss()(prediction, y)
            case "huber":
                return nn.HuberLoss(delta=use["delta"])(prediction, y)
            case "binary_cross_entropy" if last == "sigmoid":
                return nn.BCELoss()(prediction, y)
            case "binary_cross_entropy":
                return nn.BCEWithLogitsLoss()(prediction, y)
            case "cross_entropy":
                classes = prediction.reshape(-1, prediction.shape[-1])
                if last == "softmax" and self.model.nodes[-1].use["axis"] == -1:
                    return nn.NLLLoss()(classes.log(), y.reshape(-1))
                return nn.CrossEntropyLoss()(classes, y.reshape(-1))
        raise AssertionError(f"the reference has no loss `{use.entry.name}`")

    def truth(self, x: Tensor, y: Tensor, training: bool = False) -> Truth:
        """Give prediction, loss and gradients of a batch; in training, buffers move."""
        self.train(training)
        self.zero_grad()
        x = x.clone().requires_grad_()
        prediction = self(x)
        loss = self.compared(prediction, y)
        loss.backward()
        found = {name: p.grad for name, p in self.named().items()}
        found[self.model.input.name] = x.grad
        gradients = {name: g.clone() for name, g in found.items() if g is not None}
        return Truth(prediction.detach(), float(loss.detach()), gradients)


class Dropout(nn.Module):
    """Torch's dropout, with a mask of 0 and 1 that is given."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.mask = torch.ones(())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask / (1 - self.rate) if self.training else x


class Standardize(nn.Module):
    """(x - mean) / std, by the last axis."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class Residual(nn.Module):
    """The sum of what a body takes and gives."""

    def forward(self, x: Tensor, body: Tensor) -> Tensor:
        return x + body


class Concat(nn.Module):
    """What bodies give, along an axis of a sample."""

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
"""What torch calls each layer; it takes the shapes of a sample before and after it."""


def _layer(node: Node) -> nn.Module:
    use = node.use
    if use.entry.name not in LAYERS:
        return (ACTIVATIONS | DEFINED)[use.entry.name](**dict(use.arguments))
    layer = LAYERS[use.entry.name](use, node.input_shape, node.output_shape)
    for short in ("weight", "bias"):
        if dict(use.arguments).get(short, use) is None:
            setattr(layer, short, None)
    return layer


def samples(model: Model, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Draw `count` samples that suit the input, the target and the loss of a Model."""
    draw = torch.Generator().manual_seed(1000 * seed + count)
    x = torch.randn(count, *model.input.shape, dtype=torch.float64, generator=draw)
    shape = (count, *model.target.shape)
    if model.target.dtype == "int":
        return x, torch.randint(model.output_shape[-1], shape, generator=draw)
    if model.loss.use.entry.name == "binary_cross_entropy":
        return x, torch.rand(shape, dtype=torch.float64, generator=draw)
    return x, torch.randn(shape, dtype=torch.float64, generator=draw)


def parameters(model: Model, seed: int = 0) -> dict[str, Tensor]:
    """Draw every parameter, biases included, at a size that keeps activations alive.

    Buffers too: means, and what is divided by, which is above 0.
    """
    draw = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(p.shape, dtype=torch.float64, generator=draw)
        / p.shape[-1] ** (0.5 if len(p.shape) > 1 else 0.0)
        for name, p in model.parameters.items()
    }
    for name, buffer in model.buffers.items():
        drawn = torch.rand(buffer.shape, dtype=torch.float64, generator=draw)
        state[name] = drawn if name.endswith("mean") else drawn + 0.5
    return state


def distance(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """The largest |g - a| / max(|a|, largest |a| of all / 1000) of any element.

    Relative errors of gradients that are zero by structure say nothing; this one does.
    """
    assert found.keys() == expected.keys()
    floor = 1e-3 * max(float(a.abs().max()) for a in expected.values())
    worst = 0.0
    for name, a in expected.items():
        g = found[name]
        assert g.shape == a.shape, f"{name}: {tuple(g.shape)} for {tuple(a.shape)}"
        assert bool(torch.isfinite(g).all()), f"{name} is not finite"
        worst = max(worst, float(((g - a).abs() / a.abs().clamp_min(floor)).max()))
    return worst


def drift(
    module: ModuleType,
    text: str,
    make: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    steps: int,
) -> list[float]:
    """How far a module's parameters are from torch's after each step, under a falling rate."""
    model = checked(text)
    state = parameters(model)
    net = module.Model(dtype=torch.float64)
    net.load_state_dict(state)
    reference = Reference(model)
    reference.load(state)
    optimizer = make(list(reference.parameters()))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + 0.1 * t))
    found = []
    for t in range(steps):
        x, y = samples(model, 1 + t % 5, seed=t)
        net.train_step(x, y, module.learning_rate(t))
        optimizer.zero_grad()
        reference.loss(x, y).backward()
        optimizer.step()
        schedule.step()
        named = reference.named().values()
        pairs = list(zip(net.parameters.values(), named, strict=True))
        assert all(b.abs().max() < 10 for _, b in pairs), "the reference diverges"
        found.append(max(float((a - b).detach().abs().max()) for a, b in pairs))
    return found
