"""What the templates of Python read is what their topics have, name by name."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import jinja2
import pytest
from jinja2 import nodes

from specc.compiler import stages
from specc.emit.pieces import Code, Function
from specc.targets.c import module as c_module
from specc.targets.c.memory.sizes import memory
from specc.targets.numpy import module as numpy_module
from specc.targets.python.facts import facts
from specc.targets.python.starts import derived_scale
from specc.targets.registry import target_called
from specc.targets.torch import module as torch_module
from tests.cases.modules import checked, compiled, example

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
TOPICS = {"torch": torch_module.topics, "numpy": numpy_module.topics}
PRINTING = {"function": Function}
"""The variables of a template that others include in a loop."""
Read = set[tuple[type, str]]
BOTH = pytest.mark.parametrize("target", TOPICS)


@functools.cache
def topics(target: str) -> dict[str, type]:
    """Return the type of each topic."""
    model, language = checked(example("disk")), target_called(target)
    derived = stages(model, language).optimized
    made = TOPICS[target](model, derived, language, "specc")
    return {name: type(topic) for name, topic in made.items()}


def templates(*folders: str) -> list[Path]:
    return sorted(p for f in folders for p in (TEMPLATES / f).rglob("*.j2"))


@functools.cache
def parsed(path: Path) -> nodes.Template:
    options = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    return options.parse(path.read_text("utf-8"))


def fields_of(kind: type) -> dict[str, Any]:
    """Return the fields and properties of a topic with their types."""
    found = get_type_hints(kind)
    for name, member in vars(kind).items():
        if isinstance(member, property):
            found[name] = get_type_hints(member.fget)["return"]
    return found


def without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (each for each in get_args(kind) if each is not type(None))
    return kind


class Reader:
    """Follows the names of one template, and remembers which fields it reads."""

    def __init__(self, path: Path, known: dict[str, Any], read: Read) -> None:
        self.path = path
        self.known = known
        self.read = read

    def kind(self, node: nodes.Node) -> Any:
        """Return the type of an expression of names."""
        if isinstance(node, nodes.Name):
            assert node.name in self.known, f"{self.path}: no topic {node.name}"
            return self.known[node.name]
        assert isinstance(node, nodes.Getattr), f"{self.path}: {node}"
        owner = without_none(self.kind(node.node))
        assert node.attr in fields_of(owner), f"{self.path}: no {owner}.{node.attr}"
        self.read.add((owner, node.attr))
        return fields_of(owner)[node.attr]

    def visit(self, node: nodes.Node) -> None:
        """Look into a node and all below it."""
        if isinstance(node, nodes.Name | nodes.Getattr):
            self.kind(node)
            return
        inner = self
        below = list(node.iter_child_nodes())
        if isinstance(node, nodes.For):
            element, *_ = get_args(self.kind(node.iter))
            inner = self.knowing(node.target, element)
            below = node.body
        elif isinstance(node, nodes.With):
            for name, value in zip(node.targets, node.values, strict=True):
                inner = inner.knowing(name, self.kind(value))
            below = node.body
        for child in below:
            inner.visit(child)

    def knowing(self, name: nodes.Node, kind: Any) -> Reader:
        assert isinstance(name, nodes.Name)
        return Reader(self.path, self.known | {name.name: kind}, self.read)


def read_by(target: str) -> Read:
    read: Read = set()
    for path in templates("python", target):
        if target == "torch" and "arrays" in path.parts:
            continue
        known = topics(target) | PRINTING | {"part": str}
        Reader(path, known, read).visit(parsed(path))
    return read


@BOTH
def test_a_template_names_topics_and_their_fields_alone(target: str) -> None:
    assert read_by(target)


def test_every_field_of_a_topic_is_read_by_a_template() -> None:
    read = {each for target in TOPICS for each in read_by(target)}
    in_c = "".join(path.read_text("utf-8") for path in templates("c"))
    unread = [
        f"{name}.{field.name}"
        for target in TOPICS
        for name, kind in topics(target).items()
        for field in dataclasses.fields(kind)
        if (kind, field.name) not in read and f"{name}.{field.name}" not in in_c
    ]
    assert unread == []


@BOTH
def test_topics_are_frozen_and_typed(target: str) -> None:
    for name, kind in topics(target).items():
        assert dataclasses.is_dataclass(kind), name
        assert kind.__dataclass_params__.frozen, name
        assert Any not in fields_of(kind).values(), name


def test_what_is_printed_is_code() -> None:
    """A text may be a template's name, and nothing else that a template reads."""
    for target in TOPICS:
        for kind, field in read_by(target):
            plain = without_none(fields_of(kind)[field])
            if plain is str or str in get_args(plain):
                assert field in ("parts", "run", "epochs", "helpers"), field
            assert (
                plain in (Code, bool, str)
                or dataclasses.is_dataclass(plain)
                or (get_origin(plain) is tuple)
            )


def written() -> Iterator[str]:
    """Give every text that may name a template."""
    for path in (ROOT / "specc" / "targets").rglob("*.py"):
        yield path.read_text("utf-8")
    for path in templates("python", *TOPICS, "c"):
        yield path.read_text("utf-8")


def test_every_template_is_named_somewhere() -> None:
    text = "\n".join(written())
    for path in templates("python", *TOPICS):
        stem = path.name.removesuffix(".py.j2")
        name = str(path.relative_to(TEMPLATES))
        assert f'"{stem}"' in text or name in text, name


@BOTH
def test_the_contents_name_what_the_sections_define(target: str) -> None:
    """Whatever stands in a section's line is defined below its comment, in that order."""
    spec = example("wine")
    text = compiled(spec, target=target)
    rows = re.findall(
        r"^    (\w[\w ]*\w|) {2,}(\w.*)$", text.partition('"""\n')[0], re.M
    )
    sections = [text.index(f"\n# {title}\n") for title, _ in rows if title]
    assert len(sections) > 5 and sections == sorted(sections)
    listed = [name for _, line in rows for name in line.rstrip(",").split(", ")]
    names = [name for name in listed if name.isidentifier()]
    defined = re.findall(r"^(?:def |class |)(\w+)(?:\(|:| = )", text, re.M)
    assert len(names) > 10
    assert [name for name in defined if name in names] == names


@pytest.mark.parametrize(
    "use", ["he_normal", "he_uniform(mode=fan_out)", "xavier_normal(gain=0.3)"]
)
@pytest.mark.parametrize("ends", ["", "truncated"])
def test_a_scale_is_its_formula_to_the_last_bit(use: str, ends: str) -> None:
    word, _, given = use.rstrip(")").partition("(")
    if ends and word.endswith("uniform"):
        return
    arguments = ", ".join(a for a in (given, "truncated=true" if ends else "") if a)
    spec = SPEC.replace("WEIGHT", f"{word}({arguments})" if arguments else word)
    (node,) = (n for n in checked(spec).nodes if n.parameters)
    parameter = node.parameters["weight"]
    draw = parameter.initializer(parameter.fans)
    text = derived_scale(draw, parameter.fans)
    assert "math.sqrt(" in text
    assert eval(text, {"math": math}) == draw.b  # noqa: S307


SPEC = """model net
input x: real[7]
target t: real[5]
layers { linear(5, weight=WEIGHT) }
loss mse
optimizer sgd(lr=0.1)
train(epochs=1, batch_size=1)
"""


# The templates of C: two lists of topics, one for the source, one for the module that binds it.


@functools.cache
def topics_of_c() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the type of each topic of the source, and of each of the Python module."""
    model, language = checked(example("disk")), target_called("c")
    derived = stages(model, language).optimized
    kept, says = memory(model, derived), facts(model, language, "specc")
    source = c_module.source_of(model, derived, kept, says, "net")
    module = c_module.topics(model, derived, language, kept, source)
    return fields_of(type(source)), {
        name: type(topic) for name, topic in module.items()
    }


@functools.cache
def read_in_c() -> Read:
    source, module = topics_of_c()
    read: Read = set()
    for path in templates("c"):
        in_python = path.name.endswith(".py.j2")
        known = module | PRINTING | {"part": str} if in_python else source
        Reader(path, known, read).visit(parsed(path))
    return read


def test_a_template_of_c_names_topics_and_their_fields_alone() -> None:
    assert len(read_in_c()) > 100


def own_topics_of_c() -> list[type]:
    """Return the topics that no other target has, and what they have in them."""
    source, module = topics_of_c()
    waiting = [*source.values(), module["binding"], module["run_views"]]
    found: list[type] = []
    while waiting:
        kind = without_none(waiting.pop())
        if get_origin(kind) is tuple:
            waiting += get_args(kind)[:1]
        elif dataclasses.is_dataclass(kind) and kind not in (Code, *found):
            assert isinstance(kind, type)
            if kind.__module__.startswith("specc.targets.c"):
                found.append(kind)
                waiting += fields_of(kind).values()
    return found


def test_every_field_of_a_topic_of_c_is_read_by_a_template() -> None:
    unread = [
        f"{kind.__name__}.{field.name}"
        for kind in own_topics_of_c()
        for field in dataclasses.fields(kind)
        if (kind, field.name) not in read_in_c()
    ]
    assert unread == []


def test_the_topics_of_c_are_frozen_and_typed() -> None:
    assert len(own_topics_of_c()) > 12
    for kind in own_topics_of_c():
        assert kind.__dataclass_params__.frozen, kind
        assert Any not in fields_of(kind).values(), kind


def test_every_template_of_c_is_named_somewhere() -> None:
    text = "\n".join(written())
    for path in templates("c"):
        name = str(path.relative_to(TEMPLATES))
        assert name in text or path.name in ("net.c.j2", "net.h.j2"), name
