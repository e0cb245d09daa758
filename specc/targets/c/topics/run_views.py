"""How the Python module looks at what a run of the source keeps, and hands it over.

Takes a checked model and its memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.printing.functions import codes


@dataclass(frozen=True)
class RunViews:
    """The arrays and the counters of a run."""

    fields: tuple[Code, ...]
    """What the source's counters begin with, as `ctypes` declares it."""
    vectors: Code
    """How many vectors as long as the parameters a run has."""
    size: Code
    """How many numbers it has."""
    looks: tuple[Code, ...]
    before: tuple[Code, ...]
    best: tuple[Code, ...]
    keep_best: tuple[Code, ...]
    take_best: tuple[Code, ...]
    changing: Code
    """Every vector that an update changes, by name."""
    length: Code
    """The argument of `begin` that is the length of the run."""
    last_field: Code
    """The last counter: that length, if the rate depends on it."""
    hand_over: tuple[Code, ...]
    """Tells the source where the run is."""
    take_back: tuple[Code, ...]
    checkpointed: Code
    """Every array that a checkpoint has."""


def run_views(kept: Memory, by_length: bool) -> RunViews:
    """Return the views."""
    vectors, buffers = 2 * (1 + len(kept.state)) + kept.restores, 2 + kept.restores
    flats = ["parameters"] + ["buffers"] * bool(kept.buffered)
    bests = ["best"] + ["best_buffers"] * bool(kept.buffered)
    pairs = list(zip(bests, flats, strict=True)) if kept.restores else []
    before = [f'"{name}": vectors[{2 * i}:{2 * i + 2}]' for i, name in _named(kept)]
    if kept.buffered:
        before.insert(1, '"buffers": buffers[0:2]')
    before += ['"updates": counts'] * kept.counts_updates
    size = f"(numbers + {buffers} * {kept.buffered})" if kept.buffered else "numbers"
    flat = ", ".join(f'"{name}": self.model.flat_{name}' for name in flats)
    has_state = bool(kept.state) or kept.counts_updates
    best = ", ".join(f'"{name}": self.{name}' for name, _ in pairs)
    return RunViews(
        fields=codes(_fields(kept)),
        vectors=Code(str(vectors)),
        size=Code(size),
        looks=codes(_looks(kept)),
        before=codes(before),
        best=codes(
            f"self.{name} = {'buffers' if name == 'best_buffers' else 'vectors'}[-1]"
            for name, _ in pairs
        ),
        keep_best=codes(f"self.{name}[:] = model.flat_{of}" for name, of in pairs),
        take_best=codes(f"self.model.flat_{of}[:] = self.{name}" for name, of in pairs),
        changing=Code(f"{{{flat}}}" + " | self.model._state" * has_state),
        length=Code(", self.epochs" * by_length),
        last_field=Code("length" if by_length else "unused"),
        hand_over=codes(_hand_over(kept)),
        take_back=codes(_take_back(kept)),
        checkpointed=Code(
            "self.vectors() | before" + (f" | {{{best}}}" if pairs else "")
        ),
    )


def _named(kept: Memory) -> list[tuple[int, str]]:
    return list(enumerate(["parameters", *kept.state]))


def _fields(kept: Memory) -> list[str]:
    lines = ['("before_updates", ctypes.c_int64 * 2)'] * kept.counts_updates
    if kept.watches:
        lines += [
            f'("{name}", ctypes.c_double)' for name in ("best_value", "reference")
        ]
    if kept.reduces:
        names = ("stalled", "reductions", "reductions_before", "plateau_unused")
        lines.append('("level", ctypes.c_double)')
        lines += [f'("{name}", ctypes.c_int32)' for name in names]
    return lines


def _looks(kept: Memory) -> list[str]:
    lines = ["vectors = self.memory[:size].view(model.dtype).reshape(-1, PADDED)"]
    if kept.buffered:
        lines = [
            "every = self.memory[:size].view(model.dtype)",
            "vectors = every[:numbers].reshape(-1, PADDED)",
            f"buffers = every[numbers:].reshape(-1, {kept.buffered})",
        ]
    if kept.counts_updates:
        view = "self.memory[size : size + 16].view(np.int64).reshape(2, 1)"
        lines.append(f"counts = {view}")
    return lines


def _hand_over(kept: Memory) -> list[str]:
    lines = []
    if kept.watches:
        lines.append("state.waited, state.reference = self.waited, self.reference")
        lines.append("state.best_value = self.best_value")
    if kept.reduces:
        lines.append("state.stalled, state.level = self.stalled, self.level")
        lines.append("state.reductions = self.reduced[-1]")
        lines.append("state.reductions_before = self.reduced[-2:][0]")
    return lines


def _take_back(kept: Memory) -> list[str]:
    lines = []
    if kept.reduces:
        lines.append("self.stalled, self.level = state.stalled, state.level")
        lines.append("if history:")
        lines.append("    self.reduced = [state.reductions_before, state.reductions]")
    if kept.watches:
        lines.append("self.waited, self.reference = state.waited, state.reference")
        lines.append("self.best_value = state.best_value")
        lines.append("history.best_epoch = state.best_epoch")
    return lines
