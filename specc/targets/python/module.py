"""A model and its Programs -> everything that the templates of a target print, by name.

The facts of the spec and of its training; the other views add the arithmetic.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from typing import Any

from specc import __version__
from specc.derive.derived import Derived
from specc.emit.formatting import literal
from specc.emit.headings import file_name, title, widths
from specc.emit.language import Language
from specc.emit.pieces import Code
from specc.library.training.metrics import LARGER_IS_BETTER
from specc.model.model import Model
from specc.model.rate import rate_after
from specc.targets.numpy.calls import calls_view
from specc.targets.python.batch import batch_view
from specc.targets.python.functions import functions_view
from specc.targets.python.parameters import arrays_view
from specc.targets.python.starts import starts_view
from specc.targets.torch.workspace import workspace_view

LITERAL = 84
"""How long a string literal may be."""


def module_view(
    model: Model, derived: Derived, target: Language, command: str
) -> dict[str, Any]:
    """Give the view: every leaf that a template prints is Code."""
    view = facts_view(model, target, command)
    view |= starts_view(model, target.words)
    view |= functions_view(model, derived, target)
    view |= arrays_view(model, derived, target, view)
    view |= batch_view(model, derived)
    if target.workspace:
        view |= workspace_view(model, derived, view)
    else:
        view |= calls_view(model, derived, view)
    view |= training_view(model)
    view["in_c"] = False
    view["draws_uniform"] = view["draws_uniform"] or view["has_masks"]
    view["random"] = model.train.shuffle or view["draws_uniform"]
    return view


def facts_view(model: Model, target: Language, command: str) -> dict[str, Any]:
    """Give what the spec says of the network, and where the module comes from."""
    text = model.source.text
    origin = f"Emitted from {file_name(model)} by specc {__version__}: `{command}`."
    overrides = ", ".join(f"{literal(n)}: {literal(v)}" for n, v in model.overrides)
    size = sum(_size(p.shape) for p in model.parameters.values())
    return {
        "title": Code(textwrap.fill(f"{title(model)}.", 85)),
        "provenance": [
            Code(s) for s in textwrap.wrap(f"{origin} {target.words.needs}", 86)
        ],
        "origin": [Code(s) for s in textwrap.wrap(origin, 86)],
        "module": Code(model.name),
        "spec_lines": [Code(piece) for piece in _pieces(text)],
        "spec_sha256": Code(literal(hashlib.sha256(text.encode()).hexdigest())),
        "version": Code(literal(__version__)),
        "overrides": Code(f"{{{overrides}}}"),
        "input_shape": Code(repr(model.input.shape)),
        "target_shape": Code(repr(model.target.shape)),
        "output_shape": Code(repr(model.output_shape)),
        "parameter_shapes": [
            Code(f'"{name}": {parameter.shape}')
            for name, parameter in model.parameters.items()
        ],
        "size": Code(str(size)),
        "summary": Code(f"{model.name}: {widths(model)}, {size:,} parameters"),
        "library": Code(target.words.library),
        "array": Code(target.words.array),
        "keep_best": Code(
            target.words.assign.format(
                "self.best",
                f"self.model.{'_flat' if model.buffers else 'flat_parameters'}",
            )
        ),
        "classes": model.target.dtype == "int",
        "class_count": Code(str(model.output_shape[-1])),
        "last_class": Code(str(model.output_shape[-1] - 1)),
        "target_dtype": Code(
            target.words.integers if model.target.dtype == "int" else "self.dtype"
        ),
    }


def _pieces(text: str) -> list[str]:
    """Write a text as string literals one below the other, each line in one or several."""
    literals = []
    for line in text.splitlines(keepends=True):
        piece = ""
        for word in re.findall(r"\s{1,8}|\S{1,8}", line):
            if len(literal(piece + word)) > LITERAL and piece:
                literals.append(literal(piece))
                piece = ""
            piece += word
        literals.append(literal(piece))
    return literals


def _rate_grows(model: Model) -> bool:
    """Tell whether more epochs than the spec's could take the rate beyond all numbers."""
    try:
        warm = model.schedule.use["warmup"]
        return rate_after(model, 1_000_000) > rate_after(model, warm)
    except OverflowError:
        return True


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for dim in shape:
        size *= dim
    return size


def training_view(model: Model) -> dict[str, Any]:
    """Give what the spec says of training."""
    train, stopping = model.train, model.early_stopping
    view: dict[str, Any] = {
        "epochs": Code(str(train.epochs)),
        "batch_size": Code(str(train.batch_size)),
        "seed": Code(str(train.seed)),
        "shuffle": train.shuffle,
        "drop_last": train.drop_last,
        "early_stopping": stopping is not None,
        "monitors_validation": False,
        "restores": False,
        "rate_grows": _rate_grows(model),
        "best_epoch_doc": Code("The last whole epoch"),
    }
    if stopping is None:
        return view
    kind = stopping.monitor.partition("_")[2]
    largest = stopping.mode == "max" or (
        stopping.mode == "auto" and kind in LARGER_IS_BETTER
    )
    delta = f"{'+' if largest else '-'} MIN_DELTA"
    return view | {
        "patience": Code(str(stopping.patience)),
        "min_delta": Code(repr(stopping.min_delta)),
        "monitor": Code(stopping.monitor),
        "monitor_quoted": Code(f'"{stopping.monitor}"'),
        "monitors_validation": stopping.monitor.startswith("val_"),
        "restores": stopping.restore_best,
        "starts_late": stopping.start > 0,
        "start_epoch": Code(str(stopping.start)),
        "better": Code(">" if largest else "<"),
        "worst": Code("-math.inf" if largest else "math.inf"),
        "by_delta": Code(delta),
        "best_epoch_doc": Code(f"The epoch with the best {stopping.monitor}"),
    }
