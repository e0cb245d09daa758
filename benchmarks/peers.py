"""The training steps that the emitted one is compared with, each as good as it gets.

Takes the start parameters of a multilayer perceptron (ReLU between layers, in torch's
names and layout), gives `Peer`s: one SGD step over a batch, and the parameters after it.
All start from copies, so that no peer sees another's updates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Peer:
    """One way to train: `step(x, y)` gives the loss before the update."""

    name: str
    step: Callable[[Any, Any], Any]
    parameters: Callable[[], dict[str, Tensor]]
    convert: Callable[[Tensor], Any] = lambda data: data
    """From a torch tensor to what `step` takes, outside of the time that is measured."""


@dataclass(frozen=True)
class Task:
    """A network, where it starts and how it learns."""

    start: Mapping[str, Tensor]
    """`linear1.weight`, `linear1.bias`, `linear2.weight`, ..., in reading order."""
    classes: bool
    """Softmax and cross entropy after the last layer; else tanh and the squared error."""
    lr: float

    @property
    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each layer."""
        values = list(self.start.values())
        return list(zip(values[::2], values[1::2], strict=True))

    def named(self, values: list[Tensor]) -> dict[str, Tensor]:
        """Give arrays in reading order their names."""
        return dict(zip(self.start, values, strict=True))

    def module(self) -> nn.Sequential:
        """Build the equal network from torch's own layers."""
        parts: list[nn.Module] = []
        for weight, bias in self.layers:
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            with torch.no_grad():
                linear.weight.copy_(weight)
                linear.bias.copy_(bias)
            parts += [linear, nn.ReLU()]
        return nn.Sequential(*parts[:-1], *([] if self.classes else [nn.Tanh()]))

    @property
    def loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Give torch's loss."""
        return F.cross_entropy if self.classes else F.mse_loss


def eager(task: Task) -> Peer:
    """Torch as its tutorials have it."""
    model, loss_of = task.module(), task.loss
    optimizer = torch.optim.SGD(model.parameters(), lr=task.lr)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return Peer(
        "eager", step, lambda: task.named([p.detach() for p in model.parameters()])
    )


def compiled(task: Task) -> Peer:
    """`torch.compile` as its tutorials have it: forward with loss, and the optimizer."""
    model, loss_of = task.module(), task.loss
    optimizer = torch.optim.SGD(model.parameters(), lr=task.lr)
    forward = torch.compile(
        lambda x, y: loss_of(model(x), y), fullgraph=True, dynamic=False
    )
    update = torch.compile(optimizer.step)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = forward(x, y)
        loss.backward()
        update()
        return loss

    return Peer(
        "compile", step, lambda: task.named([p.detach() for p in model.parameters()])
    )


def compiled_whole(task: Task) -> Peer:
    """`torch.compile` of the step as one graph, by `torch.func`, updated in place."""
    values = [value.clone() for value in task.start.values()]
    loss_of, last = task.loss, len(values) - 2

    def loss(values: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        for i in range(0, last, 2):
            x = F.linear(x, values[i], values[i + 1]).relu()
        x = F.linear(x, values[last], values[last + 1])
        return loss_of(x if task.classes else x.tanh(), y)

    @torch.compile(fullgraph=True, dynamic=False)
    def whole(values: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
        gradients, value = torch.func.grad_and_value(loss)(values, x, y)
        for parameter, gradient in zip(values, gradients, strict=True):
            parameter.sub_(task.lr * gradient)
        return value

    return Peer(
        "compile whole",
        torch.no_grad()(lambda x, y: whole(values, x, y)),
        lambda: task.named(values),
    )


def numpy_step(task: Task, batch: int) -> Peer:
    """Write the step in NumPy as one does who wants it fast.

    Weight and bias are one matrix [W b] and inputs carry a column of ones, so both their
    gradients are one product; every array is allocated once; all parameters are views into
    one vector, so the update is two calls.
    """
    matrices = [np.hstack([w.numpy(), b.numpy()[:, None]]) for w, b in task.layers]
    flat = np.concatenate([matrix.ravel() for matrix in matrices])
    g_flat, scaled = np.empty_like(flat), np.empty_like(flat)
    m, g, offset = [], [], 0
    for matrix in matrices:
        end = offset + matrix.size
        m.append(flat[offset:end].reshape(matrix.shape))
        g.append(g_flat[offset:end].reshape(matrix.shape))
        offset = end
    # a[i] is the input of layer i with its column of ones, h[i] the same without it.
    a = [np.ones((batch, matrix.shape[1]), np.float32) for matrix in matrices]
    h = [array[:, :-1] for array in a]
    d = [np.empty((batch, matrix.shape[0]), np.float32) for matrix in matrices]
    positive = [np.empty(array.shape, np.bool_) for array in h]
    output = np.empty((batch, matrices[-1].shape[0]), np.float32)
    weights, transposed = [matrix[:, :-1] for matrix in m], [matrix.T for matrix in m]
    d_transposed = [array.T for array in d]
    rows, lr = np.arange(batch), np.float32(task.lr)
    last = len(m) - 1

    def cross_entropy(y: Any) -> Any:
        z = output
        z -= z.max(axis=1, keepdims=True)
        picked = z[rows, y]
        np.exp(z, out=d[last])
        total = d[last].sum(axis=1, keepdims=True)
        d[last] /= total
        d[last][rows, y] -= 1
        d[last] *= np.float32(1 / batch)
        return (np.log(total[:, 0]) - picked).mean()

    def squared_error(y: Any) -> Any:
        np.tanh(output, out=output)
        residual = np.subtract(output, y, out=d[last])
        loss = np.vdot(residual, residual) / residual.size
        residual *= np.float32(2 / residual.size)
        np.multiply(output, output, out=output)
        np.subtract(1, output, out=output)
        np.multiply(residual, output, out=residual)
        return loss

    loss_of = cross_entropy if task.classes else squared_error

    def step(x: Any, y: Any) -> Any:
        h[0][...] = x
        for i in range(last):
            np.matmul(a[i], transposed[i], out=h[i + 1])
            np.maximum(h[i + 1], 0, out=h[i + 1])
        np.matmul(a[last], transposed[last], out=output)
        loss = loss_of(y)
        for i in range(last, 0, -1):
            np.matmul(d_transposed[i], a[i], out=g[i])
            np.matmul(d[i], weights[i], out=d[i - 1])
            np.greater(h[i], 0, out=positive[i])
            np.multiply(d[i - 1], positive[i], out=d[i - 1])
        np.matmul(d_transposed[0], a[0], out=g[0])
        np.multiply(g_flat, lr, out=scaled)
        np.subtract(flat, scaled, out=flat)
        return loss

    def parameters() -> dict[str, Tensor]:
        split = [part for matrix in m for part in (matrix[:, :-1], matrix[:, -1])]
        return task.named([torch.from_numpy(part.copy()) for part in split])

    return Peer("numpy", step, parameters, Tensor.numpy)
