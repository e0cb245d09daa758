"""Measures the update of each optimizer beside torch.optim, on the paper's network.

    python benchmarks/updates.py [--quick] [--check]

One pinned core, one thread, float32, gradients given and kept. torch.optim is called as users
call it, `step()` with its defaults over the eight parameters; specc's update of each target gets
the flat arrays that it works on. After a number of steps both have to hold the same parameters.
Ratios above 1 say how many times as fast as torch.optim the emitted update is.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emitting import emitted
from timing import interleaved, machine, pin

SPEC = Path(__file__).resolve().parent / "paper.spec"
FLOOR = 3.0
LR = 1e-3
TARGETS = ("torch", "numpy", "c")
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd(lr=0.001, momentum=0.9)": ("SGD", {"momentum": 0.9}),
    "adam(lr=0.001)": ("Adam", {}),
    "adamw(lr=0.001)": ("AdamW", {}),
    "rmsprop(lr=0.001)": ("RMSprop", {}),
    "adagrad(lr=0.001)": ("Adagrad", {}),
}
STEPS = 20


def main() -> int:
    """Print the table; 1 if an update is below the floor and --check was given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few short rounds")
    parser.add_argument("--check", action="store_true", help="exit 1 below the floor")
    options = parser.parse_args()
    cpu = pin()
    rounds, seconds = (5, 0.01) if options.quick else (15, 0.05)
    print(machine(cpu))
    print(
        f"{'optimizer':<28}{'torch.optim':>12}{'specc torch':>18}{'numpy':>16}{'c':>16}"
    )
    missed = []
    for written, (word, arguments) in OPTIMIZERS.items():
        calls = subjects(written, word, arguments)
        times = interleaved(calls, rounds, seconds)
        peer = times.pop("torch.optim")
        cells = [f"{us:6.2f} ({peer / us:5.1f}x)" for us in times.values()]
        print(
            f"{written:<28}{peer:>9.1f} us" + "".join(f"{cell:>17}" for cell in cells)
        )
        missed += [
            f"{written} on {target}: {peer / us:.1f}x, at least {FLOOR:g}x"
            for target, us in times.items()
            if peer / us < FLOOR
        ]
    for text in missed:
        print(f"MISSED  {text}")
    return 1 if missed and options.check else 0


def subjects(
    written: str, word: str, arguments: dict[str, Any]
) -> dict[str, Callable[[], Any]]:
    """Give torch.optim and each target a call that does one update; they agree."""
    import torch

    nets = {target: network(written, target).Model() for target in TARGETS}
    starts = {n: torch.tensor(p) for n, p in nets["numpy"].parameters.items()}
    draw = torch.Generator().manual_seed(0)
    gradients = {n: torch.randn(p.shape, generator=draw) for n, p in starts.items()}
    mine = [torch.nn.Parameter(p) for p in starts.values()]
    for p, gradient in zip(mine, gradients.values(), strict=True):
        p.grad = gradient.clone()
    peer = getattr(torch.optim, word)(mine, lr=LR, **arguments)
    calls: dict[str, Callable[[], Any]] = {"torch.optim": peer.step}
    for target, net in nets.items():
        for name, gradient in gradients.items():
            net.gradients[name][:] = gradient if target == "torch" else gradient.numpy()
        calls[target] = update_of(net, target)
    for call in calls.values():
        for _ in range(STEPS):
            call()
    for target, net in nets.items():
        for p, expected in zip(net.parameters.values(), mine, strict=True):
            if not torch.allclose(torch.as_tensor(p), expected.detach(), atol=1e-6):
                raise SystemExit(f"{written} on {target} is not torch.optim's")
    return calls


def update_of(net: Any, target: str) -> Callable[[], Any]:
    """Give the call that a training step of this target ends with."""
    module = sys.modules[type(net).__module__]
    theta, gradient = net.flat_parameters, net.flat_gradients
    if target == "c":
        return lambda: net._c.paper_update(net._m, net._gradient, LR)
    counts = "t" in inspect.signature(module.update).parameters
    state = {"o": net._o} if target == "torch" else net._state
    if counts and target == "numpy":
        state = net._vectors
    if not counts:
        return lambda: module.update(theta, gradient, LR, **state)
    count = net._count
    return lambda: module.update(theta, gradient, LR, count(), **state)


def network(written: str, target: str) -> Any:
    """Emit the paper's network with another optimizer."""
    text = SPEC.read_text().replace("sgd(lr=0.001)", written)
    return emitted(text, "paper", target)


if __name__ == "__main__":
    sys.exit(main())
