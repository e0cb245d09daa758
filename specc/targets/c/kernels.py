"""The kernels of a C module: plain files of C, and which of them the printed functions need.

Takes the names that functions call and returns the text of the files. Invariant: a kernel calls
itself, macros of `machine.c.j2` and what it needs: `tests/targets/test_kernels.py` compiles it so.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from specc.emit.pieces import Code
from specc.syntax.resources import folder
from specc.targets.c.memory.rows import CACHED, DEPTH, STRIDE
from specc.targets.c.printing.formatting import WIDTH

KERNELS: dict[str, dict[str, str]] = {
    "vectors": {
        "lanes": "",
        "keep": "lanes",
        "pick": "lanes",
        "first": "lanes",
        "total": "lanes",
        "shuffles": "",
        "totals": "shuffles",
        "turn": "shuffles",
    },
    "functions": {
        "vsquare": "",
        "vpow": "lanes",
        "powi": "lanes",
        "vabs": "pick",
        "vsign": "pick",
        "vmin": "pick",
        "vmax": "pick",
    },
    "elementary": {
        "each": "",
        "vsqrt": "each",
        "vfloor": "each",
        "rounding": "",
        "expm1_over": "",
        "vexp": "each rounding",
        "vexpm1": "each rounding pick expm1_over",
        "verf": "each pick vexp",
        "sine": "rounding keep pick total",
        "vsin": "each sine",
        "vcos": "each sine",
        "vsigmoid": "each rounding pick expm1_over",
        "vtanh": "each rounding pick expm1_over",
        "log_of": "rounding pick",
        "vlog": "each log_of",
        "vlog1p": "each log_of",
    },
    "rows": {
        "argmax": "",
        "logsumexp": "first total vexp",
        "log_softmax": "logsumexp",
        "softmax": "logsumexp",
        "normalize_rows_back": "first total",
        "normalize_features_back": "lanes",
        "add_to": "lanes",
        "copy_pieces": "",
        "swap": "",
        "clear_padding": "",
        "copy_rows": "",
    },
    "products": {
        "finish": "lanes",
        "product_tile": "finish",
        "product_row": "finish",
        "product_block": "product_tile product_row",
        "turned_panel": "turn",
        "copied_panel": "lanes",
        "threads": "",
        "product_strip": "product_block turned_panel",
        "product": "product_strip",
        "dense": "product",
        "dots": "finish totals",
        "back": "product dots",
        "narrow": "total totals",
        "narrow_back": "product",
        "accumulate": "lanes",
        "gradient_tile": "accumulate first",
        "gradient_row": "accumulate first",
        "gradient_strip": "gradient_tile gradient_row",
        "gradient": "gradient_strip",
        "narrow_gradient": "gradient",
    },
    "random": {
        "streams": "",
        "numbered": "streams",
        "uniform": "streams",
        "normal": "uniform",
        "truncated_normal": "normal numbered",
        "orthogonal": "normal",
        "drop": "uniform",
    },
}
"""Section -> kernel -> those that it needs, in the order in which C has them."""
WIDE = frozenset({"product_strip", "product", "gradient_strip", "gradient"})
"""Kernels with another file, `_wide`, for weights that are copied to a panel, by threads."""
CALLED_OF = {
    "lanes": ("load", "store", "fill"),
    "streams": ("named", "keyed"),
}
"""What functions call of a kernel that has another name, or several."""
SHORT = 46
"""How long a prototype is at most that has a comment behind it."""
ALWAYS = ("lanes", "total", "streams", "finish")
"""What every module has."""
NEEDS = {name: needs for section in KERNELS.values() for name, needs in section.items()}
OF_OPERATION = {
    **{op: f"v{op}" for op in "exp expm1 log log1p sqrt sin cos erf floor".split()},
    **{op: f"v{op}" for op in "abs sign pow square".split()},
    "minimum": "vmin",
    "maximum": "vmax",
    "where": "pick",
    "rsqrt": "vsqrt",
}
"""The kernel of an operation that is called otherwise."""
ENDS = {"RELU": "keep", "TANH": "vtanh", "SIGMOID": "vsigmoid"}
"""The kernel of an activation that ends a product."""
ACTIVATED = {
    "RELU": "case RELU: return keep(~HOLDS(z <= 0), z);",
    "TANH": "case TANH: return vtanh(z);",
    "SIGMOID": "case SIGMOID: return vsigmoid(z);",
}
THROUGH = {
    "RELU": "case RELU: return keep(~HOLDS(y <= 0), dy);",
    "TANH": "case TANH: return dy * (1 - y * y);",
    "SIGMOID": "case SIGMOID: return dy * y * (1 - y);",
}


@dataclass(frozen=True)
class Kernels:
    """What a module has of each section: text for the templates."""

    vectors: tuple[Code, ...]
    functions: tuple[Code, ...]
    elementary: tuple[Code, ...]
    rows: tuple[Code, ...]
    products: tuple[Code, ...]
    random: tuple[Code, ...]
    wide: bool


@dataclass(frozen=True)
class Panel:
    """Which parts of a weight are copied to the panel, in numbers."""

    depth: Code
    cached: Code
    stride: Code
    size: Code


def panel(size: int) -> Panel:
    """Return the sizes of a module whose panel has so many numbers."""
    return Panel(*(Code(str(number)) for number in (DEPTH, CACHED, STRIDE, size)))


@dataclass(frozen=True)
class Activations:
    """The activations that products end with."""

    kinds: Code
    cases: tuple[Code, ...]
    slopes: tuple[Code, ...]


def kernels(called: Iterable[str]) -> Kernels:
    """Return the kernels of a module whose functions call these names."""
    called = list(called)
    ends = [ENDS[name] for name in called if name in ENDS]
    names = closed([*ALWAYS, *ends, *(OF_OPERATION.get(n, n) for n in called)])
    wide = "wide" in names
    return Kernels(
        **{
            section: tuple(
                Code(text_of(section, name, wide)) for name in table if name in names
            )
            for section, table in KERNELS.items()
        },
        wide=wide,
    )


def closed(names: Iterable[str]) -> set[str]:
    """Return the names with all that they need."""
    waiting, found = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += NEEDS.get(name, "").split()
    if "wide" in found:
        found |= {"copied_panel", "threads"}
    return found


def activations(called: Iterable[str]) -> Activations:
    """Return the activations among what is called."""
    called = frozenset(called)
    kinds = [kind for kind in ACTIVATED if kind in called]
    return Activations(
        kinds=Code(", ".join(["NONE", *kinds])),
        cases=tuple(Code(ACTIVATED[kind]) for kind in kinds),
        slopes=tuple(Code(THROUGH[kind]) for kind in kinds if "through" in called),
    )


def declared(called: Iterable[str]) -> tuple[Code, ...]:
    """Return the prototypes of the kernels among these names, with what they do."""
    names = {OF_OPERATION.get(name, name) for name in called} | {"lanes", "total"}
    found = [
        each
        for section, table in KERNELS.items()
        for name in table
        if name in names
        for each in prototypes(section, name)
    ]
    short = [len(head) for head, says in found if says and len(head) < SHORT]
    width = max(short, default=0)
    return tuple(
        Code(f"{head:<{width}} /* {says} */" if says else head) for head, says in found
    )


def prototypes(section: str, name: str) -> list[tuple[str, str]]:
    """Return the prototypes of what a kernel has for others, each with what it does."""
    text, lines = text_of(section, name, False), []
    for each in CALLED_OF.get(name, (name,)):
        found = re.search(
            rf"^(?:/\* (?P<says>[^\n]*) \*/\n)?(?P<head>(?:INLINE|OUTLINE|static)"
            rf" [^;{{]*?\b{each}\([^{{]*\)) {{",
            text,
            re.M,
        )
        assert found is not None, each
        head, says = " ".join(found["head"].split()), found["says"] or ""
        fits = len(head) < SHORT and SHORT + len(says) + 7 <= WIDTH
        lines.append((f"{head};", says if fits else ""))
    return lines


@functools.cache
def text_of(section: str, name: str, wide: bool) -> str:
    """Read a kernel."""
    file = f"{name}_wide.c" if wide and name in WIDE else f"{name}.c"
    place = folder("templates") / "c" / "kernels" / section / file
    return place.read_text("utf-8").removesuffix("\n")
