"""Where a C module keeps its numbers: how the rows of each array lie in memory.

A row is padded with zeros to whole vectors of 16, on every machine, so that a header means the
same memory whatever it is compiled for. A few outputs of a wide layer are not padded (they are
*narrow*): their numbers fill vectors over the samples, and the layer's weight lies as in torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from specc.derive.derived import Derived
from specc.derive.sweeps import parameters_of
from specc.ir.program import Program
from specc.ir.value import Value, batched

LINE = 16
"""To how many numbers a row is padded: the widest vector of float32."""
NARROW = 4
"""How wide an array may be and not be padded."""
MOST_ROWS = 256
"""How many rows the workspace holds at most: a larger batch goes through it in parts."""
TILE = 8
"""How many rows a kernel takes at a time: the workspace holds a multiple."""
DEPTH = 256
"""How many rows of a weight go to the panel at a time."""
STRIDE = 128
"""Rows that are longer are copied to the panel, for a gradient."""
CACHED = 8192
"""A weight of more numbers is copied to the panel for a product."""


def padded(width: int) -> int:
    """Return the length of a padded row."""
    return -(-width // LINE) * LINE


@dataclass(frozen=True)
class Array:
    """The rows of an array."""

    width: int
    pitch: int
    """From one row to the next."""

    @property
    def narrow(self) -> bool:
        """Whether the numbers of a row leave no gap to the next on purpose."""
        return self.width <= NARROW and self.pitch == self.width


@dataclass(frozen=True)
class Weight:
    """A parameter: its rows, and whether they are its columns in torch."""

    rows: int
    row: Array
    turned: bool
    """Whether (in, out) in memory, for torch's (out, in)."""
    is_bias: bool = False

    @property
    def size(self) -> int:
        """How many numbers it takes, its padding included."""
        return padded(self.rows * self.row.pitch)


@dataclass(frozen=True)
class Arrays:
    """Every array of a module."""

    samples: Mapping[str, Array]
    """Arrays of the workspace, by slot or argument; those of class labels are not here."""
    parameters: Mapping[str, Weight]
    buffers: Mapping[str, int]
    """State of layers: name -> width."""
    features: Mapping[str, int]
    """Arrays of the workspace with a number a feature: name -> width."""
    numbers: frozenset[str]
    """Those with a number a row, of what runs along it."""

    @property
    def size(self) -> int:
        """How many numbers all parameters take."""
        return sum(weight.size for weight in self.parameters.values())


def arrays(derived: Derived, kept: Iterable[Program]) -> Arrays:
    """Decide how every array lies; `kept` are the Programs whose results have one."""
    kept = tuple(kept)
    networks = [derived.forward]
    if derived.evaluation is not None:
        networks.append(derived.evaluation.forward)
    if derived.standardize is not None:
        networks.append(derived.standardize)
    compact = _compact(derived.programs)
    for network in networks:
        compact -= _joined(network)
    numbers = frozenset(
        value.slot
        for program in kept
        for value in _running_along(program)
        if value.slot and batched(value.shape)
    )
    samples: dict[str, Array] = {}

    def laid(width: int, narrow: bool) -> Array:
        return Array(width, width if narrow else padded(width))

    x = (derived.standardize or derived.forward).inputs[0]
    samples[x.name] = laid(_width(x), _width(x) in compact)
    features: dict[str, int] = {}
    for program in kept:
        for value in program.values:
            name = value.slot or (value.name if value.op == "input" else "")
            of_features = value.shape and not batched(value.shape)
            if value.slot and of_features and not value.slot.startswith("d_"):
                features[value.slot] = _width(value)
            if not name or not batched(value.shape) or name in {*samples, *numbers}:
                continue
            if value.dtype == "int" or value.op == "transpose":
                continue
            samples[name] = _of_samples(value, samples, compact, laid)
    parameters = _weights(derived.forward, samples)
    last = derived.loss.inputs[0].name
    label = derived.loss.inputs[1]
    if label.dtype == "real":
        samples[label.name] = samples[last]
    buffers = {value.name: _width(value) for value in derived.buffers}
    samples |= {name: Array(1, 1) for name in numbers}
    return Arrays(samples, parameters, buffers, features, numbers)


def _weights(forward: Program, samples: Mapping[str, Array]) -> dict[str, Weight]:
    """Return how every parameter lies, in torch's order."""
    of_layers: dict[str, Weight] = {}
    for value in forward.values:
        if value.op in ("linear", "mm"):
            weight, *bias = _parameters(value)
            given, out = samples[_name(value.args[0])], samples[value.slot]
            if out.narrow:
                row = Array(given.width, given.pitch)
                of_layers[weight.name] = Weight(out.width, row, False)
            else:
                of_layers[weight.name] = Weight(given.width, out, True)
            for b in bias:
                of_layers[b.name] = _vector(out.width)
    return {
        v.name: of_layers.get(v.name) or _vector(_width(v))
        for v in parameters_of(forward)
    }


def _vector(width: int) -> Weight:
    """Return how a bias lies, or another vector."""
    return Weight(1, Array(width, padded(width)), False, is_bias=True)


def parameter_of(gradient: Value) -> str:
    """Name the parameter of what a gradient is added to."""
    return gradient.name.removeprefix("d_")


def _running_along(program: Program) -> list[Value]:
    """Return the Values that are a number for each row, such as its mean or deviation."""
    found: dict[Value, None] = {}
    for value in program.values:
        rows = [arg for arg in value.args if batched(arg.shape)]
        if value.op == "mean_over":
            runs = value.attribute("axis") > 0
        else:
            runs = bool(rows) and all(arg in found for arg in rows)
        if runs:
            found[value] = None
    return list(found)


def _parameters(linear: Value) -> list[Value]:
    """Return the weight and, if there is one, the bias of a linear layer."""
    if linear.op == "linear":
        return list(linear.args[1:])
    return [linear.args[1].args[0]]


def _of_samples(
    value: Value, samples: Mapping[str, Array], compact: frozenset[int], laid: object
) -> Array:
    assert callable(laid)
    width = _width(value)
    if value.op in ("linear", "mm"):
        given = samples.get(_name(value.args[0]))
        is_forward = value.op == "linear" or value.args[1].op == "transpose"
        if is_forward:
            narrow = width in compact and given is not None and not given.narrow
            made: Array = laid(width, narrow)
            return made
        like = samples.get(_forward_name(value))
        if like is not None:
            return like
    waiting = list(value.args)
    while waiting:  # what an expression is made of lies as its result does
        arg = waiting.pop(0)
        if batched(arg.shape) and _width(arg) == width:
            known = samples.get(_name(arg))
            if known is not None:
                return known
            waiting += arg.args
    made = laid(width, width in compact)
    return made


def _name(value: Value) -> str:
    return value.slot or value.name


def _forward_name(value: Value) -> str:
    """Return the Value that a derivative belongs to: `relu1` for `d_relu1`."""
    name = (value.name or value.slot).removeprefix("d_")
    return name.rpartition("_from_")[0] or name


def _width(value: Value) -> int:
    width = value.shape[-1]
    assert isinstance(width, int)
    return width


def _compact(programs: Iterable[Program]) -> frozenset[int]:
    """Return the widths at which rows need no padding: no operation runs along such a row.

    What is copied to rows of another width lies as all others of that width do: padded.
    """
    programs = tuple(programs)
    along = {
        _width(value.args[0])
        for program in programs
        for value in program.values
        if "axis" in dict(value.attrs)
        and value.args[0].shape
        and len(value.args[0].shape) > value.attribute("axis") > 0
    }
    copied = {
        _width(each)
        for program in programs
        for value in program.values
        if value.op in ("reshape", "swap")
        for each in (value, value.args[0])
    }
    return frozenset(range(1, NARROW + 1)) - along - copied


def _joined(forward: Program) -> set[int]:
    """Return the widths of arrays that meet, which have to lie alike."""
    return {
        _width(part)
        for value in forward.values
        if sum(batched(arg.shape) for arg in value.args) > 1 or _meets_features(value)
        for part in (value, *value.args)
        if part.shape == value.shape and batched(part.shape)
    }


def _meets_features(value: Value) -> bool:
    """True if an operation takes a number for each feature, as no linear layer does."""
    shapes = [arg.shape for arg in value.args if arg.shape]
    products = ("linear", "mm", "transpose")
    return value.op not in products and any(not batched(shape) for shape in shapes)
