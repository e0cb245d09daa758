"""The members of the structs of a C module, as the header declares them.

Takes the memory of a module.
"""

from __future__ import annotations

from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.targets.c.memory.rows import padded
from specc.targets.c.memory.sizes import Memory
from specc.targets.c.names import member


@dataclass(frozen=True)
class Declarations:
    """What the structs have, and how large they are."""

    parameters: tuple[Code, ...]
    buffers: tuple[Code, ...]
    vectors: tuple[Code, ...]
    """As long as the parameters."""
    workspace: tuple[Code, ...]
    counts: tuple[Code, ...]
    """What a model has behind its workspace."""
    run: tuple[Code, ...]
    workspace_bytes: Code
    workspace_bytes_double: Code
    model_bytes: Code
    model_bytes_double: Code
    run_bytes: Code
    run_bytes_double: Code


def declarations(kept: Memory, c: str, by_length: bool) -> Declarations:
    """Declare all that is kept."""
    vectors = [*kept.state, *(["gradient"] if kept.keeps_gradient else [])]
    return Declarations(
        parameters=tuple(parameter_members(kept, c)),
        buffers=tuple(buffer_members(kept, c)),
        vectors=tuple(Code(f"{c}_parameters {name};") for name in vectors),
        workspace=tuple(workspace_members(kept, c)),
        counts=tuple(count_members(kept)),
        run=tuple(run_members(kept, c, by_length)),
        workspace_bytes=Code(str(kept.workspace_bytes(4))),
        workspace_bytes_double=Code(str(kept.workspace_bytes(8))),
        model_bytes=Code(str(kept.model_bytes(4))),
        model_bytes_double=Code(str(kept.model_bytes(8))),
        run_bytes=Code(str(kept.run_bytes(4))),
        run_bytes_double=Code(str(kept.run_bytes(8))),
    )


def parameter_members(kept: Memory, c: str) -> list[Code]:
    """Declare every parameter."""
    lines, comments = [], []
    for name, weight in kept.arrays.parameters.items():
        lines.append(f"{c}_real {member(name)}[{weight.size}];")
        row = weight.row
        rows = f" in rows of {row.pitch}" if row.pitch != row.width else ""
        if weight.is_bias:
            comments.append(f"({row.width},)")
        elif weight.turned:
            comments.append(f"(in {weight.rows}, out {row.width}){rows}")
        else:
            comments.append(f"(out {weight.rows}, in {row.width}){rows}")
    return aligned(lines, comments)


def buffer_members(kept: Memory, c: str) -> list[Code]:
    """Declare every buffer."""
    lines = [
        f"{c}_real {member(name)}[{padded(width)}];"
        for name, width in kept.arrays.buffers.items()
    ]
    return aligned(lines, [f"({width},)" for width in kept.arrays.buffers.values()])


def workspace_members(kept: Memory, c: str) -> list[Code]:
    """Declare every array of the workspace."""
    lines, comments = [], []
    for array in kept.workspace:
        kind = f"{c}_real" if array.type == "real" else array.type
        name = array.name if array.name == "panel" else member(array.name)
        lines.append(f"{kind} {name}[{array.count}];")
        comments.append(array.says)
    return aligned(lines, comments)


def count_members(kept: Memory) -> list[Code]:
    """Declare what a model has besides: what draws and counts."""
    lines, comments = [], []
    if kept.basis:
        lines.append(f"double basis[{kept.basis}];")
        comments.append("scratch of an initializer")
    if kept.standardize is not None:
        lines.append("int64_t measured;")
        comments.append("whether standardize has its mean and deviation")
    if kept.draws:
        lines.append("uint64_t seed;")
        comments.append("of dropout")
    if kept.counts_updates:
        lines.append("int64_t updates;")
        comments.append("so far" if kept.draws else "so far, which the optimizer reads")
    return aligned(lines, comments)


def run_members(kept: Memory, c: str, by_length: bool) -> list[Code]:
    """Declare what a fit keeps beside the model."""
    lines = [
        (f"{c}_parameters before[2];", "before the last two epochs, to go back to")
    ]
    lines += [(f"{c}_parameters before_{name}[2];", "") for name in kept.state]
    if kept.restores:
        lines.append((f"{c}_parameters best;", ""))
    if kept.buffered:
        lines.append((f"{c}_buffers before_buffers[2];", "likewise"))
        lines += [(f"{c}_buffers best_buffers;", "")] * kept.restores
    if kept.counts_updates:
        lines.append(("int64_t before_updates[2];", ""))
    if kept.watches:
        lines.append(("double best_value, reference;", "what early stopping compares"))
    if kept.reduces:
        lines.append(("double level;", "the best so far"))
        lines.append(("int32_t stalled;", "epochs without a gain since then"))
        lines.append(("int32_t reductions;", "of the rate"))
        lines.append(("int32_t reductions_before;", "in the epoch before"))
        lines.append(("int32_t plateau_unused;", "padding"))
    lines += [
        ("int32_t epochs;", "finished"),
        ("int32_t best_epoch;", "-1 before the first"),
        ("int32_t waited;", "epochs without a gain"),
        ("int32_t bad;", "the update whose loss is not finite"),
        ("volatile int32_t stop;", "set it to end training after an update"),
        (
            ("int32_t length;", "in epochs, which the learning rate depends on")
            if by_length
            else ("int32_t unused;", "padding")
        ),
    ]
    return aligned([line for line, _ in lines], [text for _, text in lines])


def aligned(lines: list[str], comments: list[str]) -> list[Code]:
    """Write comments behind lines, one below the other."""
    width = max((len(line) for line in lines), default=0)
    return [
        Code(f"{line:<{width}} /* {text} */" if text else line)
        for line, text in zip(lines, comments, strict=True)
    ]
