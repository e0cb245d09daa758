"""What the kernel of one shape takes, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass

from specc.ir.value import Value

READ, WRITTEN = "const real *", "real *"
STEP = {"beta": "real ", "alpha": "real "}
"""What a gradient is multiplied by: arguments of the function that calls the kernel."""


@dataclass(frozen=True)
class Given:
    """An argument of a kernel: its type, and what a call has for it."""

    type: str
    text: str


@dataclass(frozen=True)
class Shape:
    """A kernel for one shape."""

    signature: str
    body: str


@dataclass(frozen=True)
class Kernel:
    """A kernel with its name."""

    head: str
    body: str


@dataclass(frozen=True)
class End:
    """The activation that ends a product, and by what it goes if it is a derivative."""

    kind: str = "NONE"
    by: Value | None = None

    @property
    def suffix(self) -> str:
        """What it adds to a kernel's name."""
        return "" if self.kind == "NONE" else f"_{self.kind.lower()}"
