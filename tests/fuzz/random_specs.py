"""Specs at random, of the whole language: what is drawn compiles, and shrinks to what is small.

Words and their arguments are read off the vocabulary, so that a new word is drawn from the day on
which it is there. A spec is kept as a tree of its layers until it is written, so that another
network that means the same can be made of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st

from specc.library import VOCABULARY
from specc.library.vocabulary import Argument, Interval, spelled
from tests.cases.definitions import DEFINITIONS, Definition

Shape = tuple[int, ...]
Draw = Any
"""What hypothesis hands to a composite strategy."""

SIZES = (1, 2, 3, 4, 5, 8, 17)
LARGEST = 200
"""Numbers of a sample beyond which a network is made narrow again."""
WITH_FANS = {"xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "orthogonal"}


@dataclass(frozen=True)
class Item:
    """An element of a body: a word with its arguments, perhaps bodies, perhaps a name."""

    word: str
    bodies: tuple[Body, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        named = f"{self.name} = " if self.name else ""
        bodies = "".join(f" {{ {written(body)} }}" for body in self.bodies)
        return f"{named}{self.word}{bodies}"


Body = tuple[Item, ...]


def written(body: Body) -> str:
    """Write a body."""
    return " ".join(map(str, body))


@dataclass(frozen=True)
class Spec:
    """A spec whose layers are still a tree."""

    body: Body
    clauses: dict[str, str]
    """Every other statement, in order: its word -> its text."""
    definitions: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    input: Shape = ()

    @property
    def text(self) -> str:
        """The spec as a file."""
        head = ["model net", *self.params]
        features = [self.clauses["input"], self.clauses["target"]]
        rest = [
            t for word, t in self.clauses.items() if word not in ("input", "target")
        ]
        layers = "layers {\n" + "".join(f"  {item}\n" for item in self.body) + "}"
        lines = [*head, *features, *self.definitions, *self.blocks, layers, *rest]
        return "\n".join(lines) + "\n"

    def with_body(self, body: Body) -> Spec:
        """The same with other layers."""
        return replace(self, body=body)


@st.composite
def numbers(draw: Draw, whole: bool, bounds: Interval | None) -> int | float:
    """A number that an argument may take."""
    low = -2.0 if bounds is None or bounds.low is None else bounds.low
    high = low + 3 if bounds is None or bounds.high is None else bounds.high
    if whole:
        return int(draw(st.integers(math.ceil(low), math.floor(high))))
    part = draw(st.sampled_from([0.25, 0.5, 0.75, 0.1, 0.9]))
    return round(low + (high - low) * part, 6)


@st.composite
def values(draw: Draw, argument: Argument) -> str:
    """What may be written for an argument, by its type."""
    kinds = (
        get_args(argument.type)
        if isinstance(argument.type, UnionType)
        else (argument.type,)
    )
    kind = draw(st.sampled_from(kinds))
    if argument.kind is not None and kind is not NoneType:
        return draw(initializers(with_fans=False))
    if kind is NoneType:
        return "none"
    if kind is bool:
        return draw(st.sampled_from(["true", "false"]))
    if get_origin(kind) is Literal:
        return draw(st.sampled_from(get_args(kind)))
    if kind in (int, float):
        return spelled(draw(numbers(kind is int, argument.constraint)))
    raise AssertionError(f"nothing is drawn for {argument}")


@st.composite
def uses(draw: Draw, kind: str, word: str, **given: str) -> str:
    """A word with some of its arguments; `given` are those that are settled."""
    parts = []
    for argument in VOCABULARY[kind][word].arguments:
        if argument.name in given:
            parts.append(f"{argument.name}={given[argument.name]}")
        elif argument.required or draw(st.integers(0, 3)) == 0:
            parts.append(f"{argument.name}={draw(values(argument))}")
    parts = [part for part in parts if not part.endswith("=")]
    return f"{word}({', '.join(parts)})" if parts else word


@st.composite
def initializers(draw: Draw, with_fans: bool) -> str:
    """How a parameter starts; `with_fans` for a weight of a linear layer."""
    words = [w for w in VOCABULARY["initializer"] if with_fans or w not in WITH_FANS]
    word = draw(
        st.sampled_from([w for w in words if with_fans or w != "torch_default"])
    )
    given = {"low": "-0.5", "high": "0.75"} if word == "uniform" else {}
    return draw(uses("initializer", word, **given))


@st.composite
def linears(draw: Draw, units: int) -> str:
    """A linear layer of so many units."""
    parts = [str(units)]
    if draw(st.booleans()):
        parts.append(f"weight={draw(initializers(True))}")
    bias = draw(
        st.sampled_from(["", "", "", "bias=none", "bias=normal", "bias=torch_default"])
    )
    return f"linear({', '.join([*parts, *([bias] if bias else [])])})"


@st.composite
def activations(draw: Draw, rank: int, defined: Sequence[Definition]) -> str:
    """An activation of a value of that many axes."""
    words = [*VOCABULARY["activation"], *(d.use for d in defined)]
    word = draw(st.sampled_from(words))
    if word not in VOCABULARY["activation"]:
        return word
    given = {}
    if "axis" in {a.name for a in VOCABULARY["activation"][word].arguments}:
        given["axis"] = str(draw(st.integers(-rank, rank - 1)))
    if word == "leaky_relu":
        given["slope"] = draw(st.sampled_from(["0.1", "-0.2", "0.01"]))
    if word == "elu":
        given["alpha"] = draw(st.sampled_from(["1", "0.5", "2"]))
    return draw(uses("activation", word, **given))


NORMS = ("layer_norm", "rms_norm", "batch_norm")


@st.composite
def bodies(
    draw: Draw, shape: Shape, depth: int, defined: Sequence[Definition]
) -> tuple[Body, Shape]:
    """Some layers for a sample of that shape, and the shape that they give."""
    made: list[Item] = []
    for _ in range(draw(st.integers(1, 4))):
        item, shape = draw(items(shape, depth, defined))
        made.append(item)
        if math.prod(shape) > LARGEST:
            made += [Item("flatten"), Item("linear(3)")]
            shape = (3,)
    return tuple(made), shape


@st.composite
def items(
    draw: Draw, shape: Shape, depth: int, defined: Sequence[Definition]
) -> tuple[Item, Shape]:
    """One layer, and the shape that it gives."""
    kinds = ["linear", "linear", "activation", "activation", "norm", "dropout", "view"]
    kind = draw(st.sampled_from(kinds + ["residual", "concat", "repeat"] * (depth > 0)))
    match kind:
        case "linear":
            units = draw(st.sampled_from(SIZES))
            return Item(draw(linears(units))), (*shape[:-1], units)
        case "activation":
            return Item(draw(activations(len(shape), defined))), shape
        case "norm":
            word = draw(st.sampled_from(NORMS))
            given = {"eps": draw(st.sampled_from(["1e-5", "1e-3", "0.01"]))}
            return Item(draw(uses("layer", word, **given))), shape
        case "dropout":
            rate = draw(st.sampled_from(["0", "0.2", "0.5", "0.75"]))
            return Item(f"dropout({rate})"), shape
        case "view":
            return draw(views(shape))
        case "residual":
            body, given = draw(bodies(shape, depth - 1, defined))
            body += draw(back(given, shape))
            return Item("residual", (body,)), shape
        case "repeat":
            body, given = draw(bodies(shape, depth - 1, defined))
            body += draw(back(given, shape))
            count = draw(st.integers(1, 3))
            return Item(f"repeat({count})", (body,)), shape
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    parts: list[Body] = [(Item("identity"),)]
    for _ in range(draw(st.integers(1, 2))):
        body, given = draw(bodies(shape, depth - 1, defined))
        parts.append(body + draw(back(given, shape)))
    joined = list(shape)
    joined[axis] *= len(parts)
    word = "concat" if axis == 0 and draw(st.booleans()) else f"concat(axis={axis})"
    return Item(word, tuple(parts)), tuple(joined)


@st.composite
def back(draw: Draw, shape: Shape, wanted: Shape) -> Body:
    """Layers that bring one shape to another."""
    if shape == wanted:
        return ()
    if shape[:-1] == wanted[:-1]:
        return (Item(draw(linears(wanted[-1]))),)
    sizes = ", ".join(map(str, wanted))
    turned = (
        ()
        if math.prod(shape) == math.prod(wanted)
        else (
            Item("flatten"),
            Item(draw(linears(math.prod(wanted)))),
        )
    )
    return (*turned, Item(f"reshape([{sizes}])"))


@st.composite
def views(draw: Draw, shape: Shape) -> tuple[Item, Shape]:
    """The numbers of a sample in another shape."""
    size = math.prod(shape)
    if draw(st.booleans()):
        return Item("flatten"), (size,)
    first = draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0]))
    sizes: Shape = (first, size // first)
    if draw(st.booleans()):
        rest = size // first
        second = draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0]))
        sizes = (first, second, rest // second)
    return Item(f"reshape([{', '.join(map(str, sizes))}])"), sizes


@st.composite
def schedules(
    draw: Draw, defined: Sequence[Definition], monitors: Sequence[str]
) -> str:
    """A schedule, by epoch or by update."""
    words = [*VOCABULARY["schedule"], *(d.use for d in defined)]
    word = draw(st.sampled_from(words))
    common = {"warmup": draw(st.sampled_from(["", "", "0", "2", "30"]))}
    common["per"] = draw(st.sampled_from(["", "", "step", "epoch"]))
    if word not in VOCABULARY["schedule"]:
        inside = word.partition("(")[2].rstrip(")")
        more = [f"{k}={v}" for k, v in common.items() if v]
        parts = [part for part in (inside, *more) if part]
        name = word.partition("(")[0]
        return f"{name}({', '.join(parts)})" if parts else name
    settled: dict[str, dict[str, str]] = {
        "exponential_decay": draw(
            st.sampled_from(
                [{"rate": "0.1", "gamma": ""}, {"gamma": "0.9", "rate": ""}]
            )
        ),
        "multi_step": {"milestones": "[1, 3, 4]", "factor": "0.5"},
        "step_decay": {"factor": "0.5", "every": draw(st.sampled_from("123"))},
        "plateau": {
            "per": "",
            "monitor": draw(st.sampled_from(monitors)),
            "patience": "1",
        },
        "polynomial": {"end": "0.0001"},
        "cosine": {"end": draw(st.sampled_from(["", "0.0001"]))},
    }
    return draw(uses("schedule", word, **(common | settled.get(word, {}))))


@st.composite
def optimizers(draw: Draw) -> str:
    """An optimizer whose steps stay small."""
    word = draw(st.sampled_from(sorted(VOCABULARY["optimizer"])))
    given = {"lr": draw(st.sampled_from(["0.001", "0.01", "1e-4"]))}
    if word in ("adam", "adamw"):
        given |= {"eps": draw(st.sampled_from(["", "1e-4"]))}
    if word in ("rmsprop", "adagrad"):
        given |= {"eps": "0.001"}
    if word == "sgd":
        given |= draw(
            st.sampled_from(
                [
                    {"momentum": ""},
                    {"momentum": "0.9"},
                    {"momentum": "0.5", "nesterov": "true"},
                ]
            )
        )
        given.setdefault("nesterov", "")
    return draw(uses("optimizer", word, **given))


@st.composite
def ends(
    draw: Draw, shape: Shape, defined: Sequence[Definition]
) -> tuple[Body, str, str, list[str]]:
    """The last layers, the target, the loss, and the metrics that suit them."""
    words = [*VOCABULARY["loss"], *(d.use for d in defined)]
    loss = draw(st.sampled_from(words))
    positive = any(d.use == loss and d.positive for d in defined)
    units = draw(st.sampled_from((1, 2, 3)))
    metrics: list[str] = []
    given = {"reduction": draw(st.sampled_from(["", "", "", "sum", "batch_mean"]))}
    sizes = ", ".join(map(str, shape[:-1]))
    if loss == "cross_entropy":
        units = max(units, 2)
        last = draw(st.sampled_from(["softmax", ""]))
        target = f"int[{sizes}]"
        metrics = ["accuracy"]
        if units == 2:
            metrics += ["precision", "recall", "f1"]
        given["label_smoothing"] = draw(st.sampled_from(["", "0.1"]))
    else:
        sizes = ", ".join(map(str, (*shape[:-1], units)))
        target = f"real[{sizes}]"
        last = (
            "sigmoid"
            if positive
            else draw(st.sampled_from(["", "", "tanh", "softplus"]))
        )
        metrics = ["mae", "mse", "accuracy(threshold=0.25)"]
        if loss == "binary_cross_entropy":
            last = draw(st.sampled_from(["sigmoid", ""]))
            metrics = ["accuracy", "mae"]
        if units == 1:
            metrics += ["r2", "precision", "recall(threshold=0.25)", "f1"]
    if loss in VOCABULARY["loss"]:
        if loss == "huber":
            given["delta"] = draw(st.sampled_from(["1", "0.3"]))
        loss = draw(uses("loss", loss, **given))
    body = (Item(draw(linears(units))), *([Item(last)] if last else []))
    chosen = [m for m in metrics if draw(st.integers(0, 2)) == 0]
    return body, target, loss, chosen


@st.composite
def settings_of(
    draw: Draw, metrics: Sequence[str], monitors: Sequence[str]
) -> dict[str, str]:
    """How training goes, and when it stops."""
    train = {
        "epochs": draw(st.sampled_from(["3", "6", "40"])),
        "batch_size": draw(st.sampled_from(["1", "2", "5", "16"])),
        "shuffle": draw(st.sampled_from(["", "false"])),
        "seed": draw(st.sampled_from(["", "7"])),
        "drop_last": draw(st.sampled_from(["", "", "true"])),
        "clip_norm": draw(st.sampled_from(["", "", "0.5"])),
        "clip_value": draw(st.sampled_from(["", "", "0.1"])),
        "on_nan": "",
    }
    clauses = {"train": draw(uses("setting", "train", **train))}
    if draw(st.booleans()):
        early = {
            "monitor": draw(st.sampled_from(monitors)),
            "patience": draw(st.sampled_from("123")),
            "min_delta": draw(st.sampled_from(["", "0.001"])),
            "restore_best": draw(st.sampled_from(["", "false"])),
            "mode": draw(st.sampled_from(["", "", "max"])),
            "start": draw(st.sampled_from(["", "2"])),
        }
        clauses["early_stopping"] = draw(uses("setting", "early_stopping", **early))
    return clauses


@st.composite
def specs(draw: Draw) -> Spec:
    """A whole spec."""
    defined = draw(
        st.lists(st.sampled_from(list(DEFINITIONS.values())), max_size=2, unique_by=id)
    )
    by_kind = {
        kind: [d for d in defined if d.kind == kind]
        for kind in ("activation", "loss", "schedule")
    }
    functions = [d for d in by_kind["activation"] if not d.positive]
    shape = draw(
        st.lists(st.sampled_from((1, 2, 3, 4)), min_size=1, max_size=3).map(tuple)
    )
    first: list[Item] = []
    if draw(st.integers(0, 4)) == 0:
        first.append(Item("standardize"))
    blocks: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    wide = shape
    if draw(st.integers(0, 3)) == 0:
        units, times = draw(st.sampled_from(SIZES)), draw(st.sampled_from((1, 2)))
        params = (f"param width = {units} in [{units}, {units + 1}]",)
        inner = draw(activations(len(shape), functions))
        blocks = (f"block mlp(n, k=2) {{ linear(n) {inner} linear(k * n) }}",)
        k = "" if times == 2 else f", k={times}"
        named = draw(st.sampled_from(["", "head"]))
        first.append(Item(f"mlp(width{k})", name=named))
        wide = (*shape[:-1], units * times)
    body, given = draw(bodies(wide, 2, functions))
    last, target, loss, metrics = draw(ends(given, by_kind["loss"]))
    figures = ["loss", *(m.partition("(")[0] for m in metrics)]
    monitors = [f"{part}_{figure}" for part in ("val", "train") for figure in figures]
    whole = (*first, *body, *last)
    clauses = {
        "input": f"input x: real[{', '.join(map(str, shape))}]",
        "target": f"target y: {target}",
        "loss": f"loss {loss}",
        "optimizer": f"optimizer {draw(optimizers())}",
        "schedule": f"schedule {draw(schedules(by_kind['schedule'], monitors))}",
        **draw(settings_of(metrics, monitors)),
        **{f"metric {m}": f"metric {m}" for m in metrics},
    }
    return Spec(
        body=whole,
        clauses=clauses,
        definitions=tuple(d.text for d in defined),
        blocks=blocks,
        params=params,
        input=shape,
    )
