"""The helpers of a torch module for wide products, and torch's own kernels for derivatives.

A helper is emitted if and only if a function calls it, with the parameters that the calls need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.ir.value import Value
from specc.targets.python.network import Functions

IMPORTED = {
    "relu_backward": "threshold_backward",
    "tanh_backward": "tanh_backward",
    "sigmoid_backward": "sigmoid_backward",
}
"""The operations that are kernels of torch without a public name."""


@dataclass(frozen=True)
class Kernels:
    """The helpers for wide products, and what `dense` is made of."""

    parts: tuple[str, ...]
    takes: Code
    doc: Code
    bias: Code
    """The last arguments of oneDNN's layer."""
    made: Code
    room: Code
    """The array that torch's product writes to."""
    product: tuple[Code, ...]
    imported: tuple[Code, ...]
    """The names of torch's kernels."""

    @property
    def wide(self) -> bool:
        """True if a product takes the faster kernel."""
        return _file("onednn") in self.parts

    @property
    def operations(self) -> list[str]:
        """The functions that others call."""
        names = ("dense", "accumulate", "add_product")
        return [name for name in names if _file(name) in self.parts]


def kernels(made: Functions) -> Kernels:
    """Return the helpers that these functions call."""
    called = {op for each in made.every for op in each.printed.called}
    written = [
        (value, each.printed.fresh)
        for each in made.every
        for value in each.program.values
    ]
    activations = {
        str(value.attribute("activation"))
        for value, _ in written
        if value.op == "dense"
    }
    plain = "wide_mm" in called
    out = any(_writes(value, fresh) for value, fresh in written)
    used = [word for word in ("relu", "tanh") if word in activations]
    adds = "wide_accumulate_mm" in called
    dense = "dense" in called or plain
    files = ["onednn"] * (dense or adds) + ["dense"] * dense
    files += ["accumulate"] * (adds or "accumulate_sum" in called)
    files += ["add_product"] * adds
    room = "x.new_empty(x.shape[0], len(weight))"
    return Kernels(
        parts=tuple(_file(name) for name in files),
        takes=Code(_takes(bool(used), plain, out)),
        doc=Code("activation(x W^T + b)" if used else "x W^T"),
        bias=Code("bias, activation" if used else 'None, "none"'),
        made=Code("made if out is None else out.copy_(made)" if out else "made"),
        room=Code(f"{room} if out is None else out" if out else room),
        product=tuple(Code(line) for line in _product(used, plain)),
        imported=_imported(called),
    )


def _file(name: str) -> str:
    return f"torch/kernels/{name}.py.j2"


def _writes(value: Value, fresh: set[str]) -> bool:
    """True if a product goes to an array that is there."""
    return value.op == "wide_mm" and bool(value.slot) and value.slot not in fresh


def _takes(activates: bool, plain: bool, out: bool) -> str:
    takes = ""
    if activates:
        takes = ", bias: Tensor, activation: str"
        if plain:
            takes = ', bias: Tensor | None = None, activation: str = "none"'
    return takes + ", out: Tensor | None = None" * out


def _product(used: Sequence[str], plain: bool) -> list[str]:
    """Return the statements without oneDNN."""
    without = "return torch.mm(x, weight.t(), out=z)"
    if not used:
        return [without]
    lines = ["if bias is None:", f"    {without}"] if plain else []
    others = "".join(
        f'z.{word}_() if activation == "{word}" else ' for word in used[1:]
    )
    lines.append("torch.addmm(bias, x, weight.t(), out=z)")
    return [*lines, f"return {others}z.{used[0]}_()"]


def _imported(called: set[str]) -> tuple[Code, ...]:
    lines = [
        Code(f"{op} = torch.ops.aten.{kernel}.grad_input")
        for op, kernel in IMPORTED.items()
        if op in called
    ]
    heading = Code(
        "# Torch's kernels for an activation's derivative, which write to a buffer."
    )
    return (heading, *lines) if lines else ()
