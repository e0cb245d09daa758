"""Which parts of the kernels a C module needs, from the operations that its functions call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from specc.emit.pieces import Code
from specc.targets.c.memory.rows import CACHED, DEPTH, STRIDE
from specc.targets.c.printing.statements import Printer

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

BY_LIBM = "sqrt sin cos floor".split()
"""Functions that are libm's, number by number."""


def _uses(called: set[str]) -> dict[str, bool]:
    """Tell which parts of the kernels a module needs."""
    found = {*called, "total"}  # which looks for what is not finite
    if "RELU" in found:
        found.add("keep")
    if found & {"gradient", "narrow_gradient"}:
        found.add("first")
    if found & {"normalize_rows_back", "rsqrt"}:
        found |= {"first", "total"}
    if "rsqrt" in found:
        found.add("sqrt")
    if found & {"abs", "where", "minimum", "maximum", "sign"}:
        found.add("pick")
    if found & {"logsumexp", "log_softmax", "softmax", "pick_row"}:
        found |= {"logsumexp"}
    if "logsumexp" in found:
        found |= {"first", "total", "exp"}
    elementary = {
        "vexp": bool(found & {"exp", "erf"}),
        "vexpm1": "expm1" in found,
        "verf": "erf" in found,
        "vlog": "log" in found,
        "vlog1p": "log1p" in found,
        "vtanh": "TANH" in found,
        "vsigmoid": "SIGMOID" in found,
        **{f"v{op}": op in found for op in BY_LIBM},
    }
    made = {name for name, there in elementary.items() if there}
    if made & {"vsigmoid", "vtanh", "vlog", "vlog1p", "vexpm1", "verf", "vsin", "vcos"}:
        found.add("pick")
    if made & {"vsin", "vcos"}:
        found |= {"keep", "total"}
    elementary["each_float"] = any(elementary[f"v{op}"] for op in BY_LIBM)
    elementary["expm1_over"] = bool(made & {"vsigmoid", "vtanh", "vexpm1"})
    elementary["log_of"] = bool(made & {"vlog", "vlog1p"})
    names = (
        """keep pick first total totals turn square pow powi abs sign minimum maximum
        argmax logsumexp log_softmax softmax product dense dots back narrow narrow_back
        gradient narrow_gradient wide
        normalize_rows_back normalize_features_back
        add_to clear_padding copy_rows copy_pieces swap""".split()
    )
    uses = {name: name in found for name in names}
    uses["gradient"] = uses["gradient"] or uses["narrow_gradient"]
    uses["shuffles"] = bool(found & {"totals", "turn"})
    uses["elementary"] = any(elementary.values())
    return uses | elementary


def kernels_view(printer: Printer, called: set[str]) -> dict[str, Any]:
    """Give the kernels that `called` needs, and those that `printer` made for shapes."""
    activations = [op for op in ACTIVATED if op in called]
    return {
        "uses": SimpleNamespace(**_uses(called)),
        "activations": Code(", ".join(["NONE", *activations])),
        "activation_cases": [Code(ACTIVATED[op]) for op in activations],
        "slope_cases": [Code(THROUGH[op]) for op in activations if "through" in called],
        "stride": Code(str(STRIDE)),
        "depth": Code(str(DEPTH)),
        "cached": Code(str(CACHED)),
        "kernels": [Code(line) for line in printer.kernels],
    }
