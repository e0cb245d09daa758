"""Samples for an emitted module, and the torch.nn model that equals it.

Takes a module or a spec, gives tensors of the shapes that the module says; the same seed gives the
same numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from types import ModuleType

import torch
from torch import Tensor, nn

from tests.cases.modules import checked

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def takes_classes(module: ModuleType) -> bool:
    """Whether the target of a module is a class index."""
    return hasattr(module, "check_classes")


def samples(
    module: ModuleType, count: int, dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Draw x (count, *input) and y (count, *target), a class index where those are due."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.rand(count, *module.INPUT_SHAPE, generator=draw, dtype=dtype)
    shape = (count, *module.TARGET_SHAPE)
    if takes_classes(module):
        return x, torch.randint(module.OUTPUT_SHAPE[-1], shape, generator=draw)
    return x, torch.rand(shape, generator=draw, dtype=dtype).round()


def sequential(text: str, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Build the torch.nn model of a spec by hand, its layers named as specc names them."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for node in checked(text).nodes:
        kind = node.use.entry.name
        if kind == "linear":
            bias = f"{node.name}.bias" in checked(text).parameters
            sizes = node.input_shape[-1], node.output_shape[-1]
            layers[node.name] = nn.Linear(*sizes, bias=bias, dtype=dtype)
        elif kind == "softmax":
            layers[node.name] = nn.Softmax(dim=-1)
        else:
            layers[node.name] = ACTIVATIONS[kind]()
    return nn.Sequential(layers)
