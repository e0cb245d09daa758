"""The choices of a target that change its Programs; their text is the target's own.

The stages from `derive` to the passes read these choices and never compare a target's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Target:
    """The choices of a target."""

    name: str
    columns: bool
    """True if samples of a small network are columns, False if they are always rows."""
    descends: Literal["never", "wide", "always"]
    """For which networks with plain SGD the backward pass can write the update itself."""
    copies: bool
    """True if rows of another width are a copy, which needs an array."""
    workspace: bool
    """True if functions write to arrays that are kept, False if each makes what it returns."""

    @property
    def primitive(self) -> frozenset[str]:
        """The operations that need no expansion."""
        raise NotImplementedError
