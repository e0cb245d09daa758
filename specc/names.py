"""Which names a spec may give.

Takes a name, gives the finding that forbids it, or None. Invariant: a name that passes is an
ASCII identifier that can stand in an emitted module without hiding anything that it needs.
"""

from __future__ import annotations

import builtins
import keyword

from specc.diagnostics import Diagnostic, error
from specc.evaluate import CONSTANTS, FUNCTIONS
from specc.library import LATER, VOCABULARY
from specc.syntax import Name

RESERVED = frozenset(
    {
        "_",
        "annotations",
        "argparse",
        "backward",
        "dataclass",
        "forward",
        "fit",
        "gradients",
        "History",
        "INPUT_SHAPE",
        "learning_rate",
        "math",
        "metrics",
        "Model",
        "np",
        "numpy",
        "OUTPUT_SHAPE",
        "PARAMETERS",
        "Parameters",
        "prediction",
        "safetensors",
        "self",
        "SPEC",
        "SPECC_VERSION",
        "SPEC_SHA256",
        "sys",
        "t",
        "TARGET_SHAPE",
        "Tensor",
        "theta",
        "torch",
        "update",
        "Workspace",
    }
)
"""The names that emitted modules use themselves."""


def builtin_kind(name: str) -> str | None:
    """Say what a word of the language is, where it is one."""
    if name == "repeat":
        return "layer"
    for kind, words in VOCABULARY.items():
        if kind != "setting" and (name in words or name in LATER.get(kind, ())):
            return kind
    if name in FUNCTIONS:
        return "function"
    return "constant" if name in CONSTANTS else None


def forbidden(name: Name, *, vocabulary: bool = True) -> Diagnostic | None:
    """Say why `name` may not be given to something; `vocabulary`: nor may a built-in's be."""
    text = name.text
    shown = f"`{text}`"
    label = "choose another name"
    kind = builtin_kind(text)
    if vocabulary and kind is not None:
        what = "data source" if kind == "data" else kind
        return error("E024", f"{shown} is the name of a built-in {what}", name.span, label)
    if keyword.iskeyword(text):
        return error("E025", f"{shown} is a Python keyword", name.span, label)
    if text in vars(builtins):
        return error("E025", f"{shown} is a Python built-in", name.span, label)
    if text in RESERVED or text.startswith("__"):
        message = f"{shown} is a name that the emitted module uses itself"
        return error("E025", message, name.span, label)
    return None
