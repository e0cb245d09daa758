"""What a module says of the spec that it was emitted from: its constants and its docstring."""

from __future__ import annotations

import hashlib
import math
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from specc import __version__
from specc.emit.formatting import literal
from specc.emit.headings import file_name, title, widths
from specc.emit.language import Language
from specc.emit.pieces import Code
from specc.library.vocabulary import Use
from specc.model.domain import domain_of
from specc.model.model import Model

LITERAL = 84
"""The longest string literal of a line."""


@dataclass(frozen=True)
class Facts:
    """What the spec says of the network, and where the module comes from."""

    title: Code
    """The model, the widths of its layers, its optimizer and its loss."""
    provenance: tuple[Code, ...]
    """The file and the command that made the module, and which packages it needs."""
    origin: tuple[Code, ...]
    """The file and the command alone."""
    module: Code
    """The model's name."""
    spec_lines: tuple[Code, ...]
    """The text of the spec, as string literals."""
    spec_sha256: Code
    network_sha256: Code
    """Of the layers: what parameters mean, whatever they are trained with."""
    target: Code
    """The name of the target, as a string literal."""
    version: Code
    overrides: Code
    input_shape: Code
    target_shape: Code
    output_shape: Code
    parameter_shapes: tuple[Code, ...]
    """An entry of a dict for each parameter."""
    size: Code
    """The count of all parameters."""
    summary: Code
    """A line for the command line."""
    network: Code
    """The widths of its layers and the count of its parameters."""
    library: Code
    """The name under which the module imports its array library."""
    array: Code
    """The type of an array."""
    input_quoted: Code
    """The name of the input, as a string literal."""
    classes: bool
    """Whether the target is a class label."""
    bounded: bool
    """Whether the loss is defined for a range of targets alone."""
    loss: Code
    least_target: Code
    most_target: Code
    class_count: Code
    last_class: Code
    target_dtype: Code
    floats: Code
    """The types of floats."""
    x_dtypes: Code
    """Of samples: those of the model, or any float where they are standardized first."""


@dataclass(frozen=True)
class Contents:
    """The table of contents of a module."""

    lines: tuple[Code, ...]


def contents(sections: Mapping[str, Iterable[str]]) -> Contents:
    """Return a line or more for each section, with the names that it defines."""
    lines: list[str] = []
    for heading, names in sections.items():
        text = ", ".join(names)
        if text:
            first, hanging = f"{heading:<20}  ", " " * 22
            lines += textwrap.wrap(
                text, 84, initial_indent=first, subsequent_indent=hanging
            )
    return Contents(tuple(Code(line) for line in lines))


def network_hash(model: Model) -> str:
    """Return the hash of the layers with their arguments, but for initializers."""
    lines = [f"{model.input.shape} -> {model.output_shape}"]
    for node in model.nodes:
        arguments = [
            f"{name}={value}"
            for name, value in node.use.arguments
            if not (isinstance(value, Use) and value.entry.kind == "initializer")
        ]
        word = node.use.entry.name
        lines.append(f"{node.name}: {word}({', '.join(arguments)}) of {node.inputs}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def facts(model: Model, target: Language, command: str) -> Facts:
    """Return the facts of a module that `command` emits for `target`."""
    text = model.source.text
    origin = f"Emitted from {file_name(model)} by specc {__version__}: `{command}`."
    overrides = ", ".join(f"{literal(n)}: {literal(v)}" for n, v in model.overrides)
    size = sum(math.prod(p.shape) for p in model.parameters.values())
    classes = model.target.dtype == "int"
    path = widths(model)
    domain = domain_of(model)
    least, most = domain or (0, 0)
    return Facts(
        title=Code(textwrap.fill(f"{title(model)}.", 85)),
        provenance=_wrapped(f"{origin} {target.words.needs}"),
        origin=_wrapped(origin),
        module=Code(model.name),
        spec_lines=tuple(Code(piece) for piece in _pieces(text)),
        spec_sha256=Code(literal(hashlib.sha256(text.encode()).hexdigest())),
        network_sha256=Code(literal(network_hash(model))),
        target=Code(literal(target.name)),
        version=Code(literal(__version__)),
        overrides=Code(f"{{{overrides}}}"),
        input_shape=Code(repr(model.input.shape)),
        target_shape=Code(repr(model.target.shape)),
        output_shape=Code(repr(model.output_shape)),
        parameter_shapes=tuple(
            Code(f'"{name}": {parameter.shape}')
            for name, parameter in model.parameters.items()
        ),
        size=Code(str(size)),
        summary=Code(f"{model.name}: {path}, {size:,} parameters"),
        network=Code(f"{path}, {size:,} parameters"),
        library=Code(target.words.library),
        array=Code(target.words.array),
        input_quoted=Code(f'"{model.input.name}"'),
        classes=classes,
        bounded=domain is not None,
        loss=Code(model.loss.use.entry.name),
        least_target=Code(str(least)),
        most_target=Code(str(most)),
        class_count=Code(str(model.output_shape[-1])),
        last_class=Code(str(model.output_shape[-1] - 1)),
        target_dtype=Code(target.words.integers if classes else "self.dtype"),
        floats=Code(target.words.floats),
        x_dtypes=Code("*FLOATS" if model.standardize is not None else "self.dtype"),
    )


def _wrapped(text: str) -> tuple[Code, ...]:
    return tuple(Code(line) for line in textwrap.wrap(text, 86))


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
