"""The arrays of a running module: what each derivation of its backward pass changed.

Takes the place of a module and its derivations; a Watch collects, through `sys.settrace`, the
arrays that differ after a derivation from what they were before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from specc.verify.compare.tensors import Tensor, torch
from specc.verify.examine.derivations import Derivation

Arrays = dict[str, Tensor]


@dataclass
class Watch:
    """Looks at the arrays of a module's functions before and after each derivation."""

    place: Path
    steps: Sequence[Derivation]
    made: list[tuple[Derivation, Arrays]] = field(default_factory=list)

    def called(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Trace the functions of the module that have derivations; see sys.settrace."""
        if Path(frame.f_code.co_filename) != self.place:
            return None
        name = frame.f_code.co_name
        own = [step for step in self.steps if step.function == name]
        return _Frame(own, self.made).line if own else None


@dataclass
class _Frame:
    """One call of a function."""

    steps: Sequence[Derivation]
    made: list[tuple[Derivation, Arrays]]
    inside: tuple[Derivation, ...] = ()
    before: Arrays = field(default_factory=dict)

    def line(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Note what the derivations changed that this line ends."""
        now = frame.f_lineno if event == "line" else 0
        inside = tuple(s for s in self.steps if s.line <= now <= s.last)
        if inside != self.inside or event == "return":
            arrays = {name: a.clone() for name, a in _arrays(frame)}
            if event == "return" and (given := _array(arg)) is not None:
                arrays["return"] = given.clone()
            changed = {
                name: a
                for name, a in arrays.items()
                if name not in self.before or not _same(a, self.before[name])
            }
            self.made += [(step, changed) for step in self.inside]
            self.inside, self.before = inside, arrays
        return self.line


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


def _arrays(frame: FrameType) -> Iterator[tuple[str, Tensor]]:
    """Yield the arrays of a frame: local ones, and those of the objects p, g and s."""
    for name, value in frame.f_locals.items():
        array = _array(value)
        if array is not None:
            yield name, array
        elif hasattr(value, "__dict__"):
            for inner, part in vars(value).items():
                array = _array(part)
                if array is not None:
                    yield f"{name}.{inner}", array


def _array(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value.detach()
    if type(value).__module__ == "numpy" and hasattr(value, "ndim"):
        return torch.from_numpy(value.copy()) if value.ndim else None
    return None
