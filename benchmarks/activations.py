"""Measures a training step with each activation beside eager torch's, on 8-64-64-1 at batch 32.

    python benchmarks/activations.py [--quick]

One pinned core, one thread, float32, plain SGD. Each side is called as its users call it:
`train_step` of an emitted module (from Python, for c too), zero_grad, forward, backward and step
of torch. After a number of steps both have to hold the same parameters. Ratios above 1 say how
many times as fast as eager torch the emitted step is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from emitting import emitted
from timing import agree, interleaved, machine, pin

TARGETS = ("torch", "numpy", "c")
BATCH, LR, STEPS = 32, 0.01, 10
ACTIVATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "relu": lambda torch, x: x.relu(),
    "leaky_relu(0.1)": lambda torch, x: torch.nn.functional.leaky_relu(x, 0.1),
    "elu": lambda torch, x: torch.nn.functional.elu(x),
    "selu": lambda torch, x: torch.nn.functional.selu(x),
    "gelu": lambda torch, x: torch.nn.functional.gelu(x),
    "gelu(approximate=tanh)": lambda torch, x: torch.nn.functional.gelu(
        x, approximate="tanh"
    ),
    "silu": lambda torch, x: torch.nn.functional.silu(x),
    "mish": lambda torch, x: torch.nn.functional.mish(x),
    "softplus": lambda torch, x: torch.nn.functional.softplus(x, threshold=1000),
    "tanh": lambda torch, x: x.tanh(),
    "sigmoid": lambda torch, x: x.sigmoid(),
    "hard_swish": lambda torch, x: torch.nn.functional.hardswish(x),
    "softsign": lambda torch, x: torch.nn.functional.softsign(x),
    "siren": lambda torch, x: (3 * x).sin(),  # defined in the spec
}
SPEC = """model net
input x: real[8]
target y: real[1]
def activation siren(x) = sin(3 * x)
layers {{ linear(64) {word} linear(64) {word} linear(1) }}
loss mse
optimizer sgd(lr=0.01)
"""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds")
    options = parser.parse_args()
    cpu = pin()
    rounds, seconds = (5, 0.01) if options.quick else (15, 0.05)
    print(machine(cpu))
    print(
        f"{'activation':<24}{'eager torch':>12}{'specc torch':>18}{'numpy':>17}{'c':>17}"
    )
    for word in ACTIVATIONS:
        times = interleaved(subjects(word), rounds, seconds)
        peer = times.pop("eager torch")
        cells = [f"{us:7.1f} ({peer / us:5.1f}x)" for us in times.values()]
        print(f"{word:<24}{peer:>9.1f} us" + "".join(f"{cell:>17}" for cell in cells))
    return 0


def subjects(word: str) -> dict[str, Callable[[], Any]]:
    """Give eager torch and each target a call that does one step; they agree."""
    import torch

    nets = {
        target: emitted(SPEC.format(word=word), "net", target).Model()
        for target in TARGETS
    }
    start = {n: torch.tensor(p) for n, p in nets["numpy"].parameters.items()}
    mine = {n: p.clone().requires_grad_() for n, p in start.items()}
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, 8, generator=draw)
    y = torch.randn(BATCH, 1, generator=draw)
    optimizer = torch.optim.SGD(mine.values(), lr=LR)
    activation = ACTIVATIONS[word]

    def eager() -> None:
        last = x
        for i in (1, 2, 3):
            weight, bias = mine[f"linear{i}.weight"], mine[f"linear{i}.bias"]
            last = torch.nn.functional.linear(last, weight, bias)
            if i < 3:
                last = activation(torch, last)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(last, y).backward()
        optimizer.step()

    calls: dict[str, Callable[[], Any]] = {"eager torch": eager}
    for target, net in nets.items():
        calls[target] = step_of(
            net, *((x, y) if target == "torch" else (x.numpy(), y.numpy()))
        )
    for call in calls.values():
        for _ in range(STEPS):
            call()
    truth = {name: p.detach().clone() for name, p in mine.items()}
    for target, net in nets.items():
        found = {n: torch.as_tensor(p).clone() for n, p in net.state_dict().items()}
        agree(f"{word} on {target}", found, truth, start, STEPS)
    return calls


def step_of(net: Any, x: Any, y: Any) -> Callable[[], Any]:
    """Give the call of a step."""
    return lambda: net.train_step(x, y, LR)


if __name__ == "__main__":
    sys.exit(main())
