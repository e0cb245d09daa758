"""Values -> expressions of C: a vector of an array, a number of a sample, a number of the batch.

`{at}` in the text of a vector stands for where in an array it is; the printer of statements writes
the loop. Nothing here knows a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from specc.emit.language import ATOM, COMPARISON, NEGATION, PRODUCT, SUM, Text, spelled
from specc.emit.statements import numbered
from specc.ir.value import Origin, Value, batched, role, rows_of
from specc.targets.c.memory.rows import Array, Arrays
from specc.targets.c.operations import C
from specc.targets.c.printing.formatting import WIDTH

ACTIVATIONS = {"relu": "RELU", "tanh": "TANH", "sigmoid": "SIGMOID"}
THROUGH = {f"{op}_backward": word for op, word in ACTIVATIONS.items()}
ROWS = frozenset({"logsumexp", "argmax", "pick", "double"})
"""Operations that give one number for each sample."""
SIGNS = {"equal": "==", "greater": ">", "both": "&&"}
"""How numbers of a sample are compared."""
WHOLE = frozenset({"linear", "mm", "accumulate_mm", "accumulate_sum"}) | {
    "minus_one_hot",
    "minus_hot",
    "normalize_backward",
    "concat",
    "part",
    "reshape",
    "swap",
}
OF_VECTORS = frozenset({"where", "minimum", "maximum", "pow"})
"""Functions in C that take a number as a vector of it."""
WHOLE_ROWS = frozenset({"softmax", "log_softmax"})
"""Operations that are statements of their own."""


@dataclass
class Statement:
    """A few lines, with what is said above them."""

    lines: list[str]
    values: list[Value] = field(default_factory=list)

    @property
    def origins(self) -> list[Origin]:
        """The layers that it belongs to, in order."""
        found = [origin for value in self.values for origin in value.origins]
        return list(dict.fromkeys(found))

    @property
    def derivations(self) -> list[str]:
        """The lines of mathematics that it computes."""
        return [value.derivation for value in self.values if value.derivation]


@dataclass
class Printed:
    """The body of one function, and what it needs around it."""

    statements: list[Statement] = field(default_factory=list)
    result: str = ""
    scalars: dict[str, str] = field(default_factory=dict)
    """Numbers that depend on the batch alone: name -> expression."""
    called: set[str] = field(default_factory=set)
    """Kernels and operations."""
    vectors: set[str] = field(default_factory=set)
    """Sums of vectors, of which the total is still to be taken."""


class Expressions:
    """Writes what stands within the statements of one module."""

    def __init__(self, arrays: Arrays, name: Callable[[str], str]) -> None:
        self.arrays = arrays
        self.member = name
        self.inside: set[Value] = set()
        """What a later statement of the same array takes in."""
        self.by_row = False
        """Whether a statement reads numbers of a row `s`, or of a feature `c`."""

    def _lanes(
        self,
        value: Value,
        made: Printed,
        inside: bool = False,
        sums: list[str] | None = None,
    ) -> tuple[str, int]:
        """Give the expression of a vector at `{at}`; `inside` spells out what has a slot.

        `sums` takes the lines of sums over a row that it needs.
        """
        if not value.shape:
            return self.factor(value, made)
        if value.op == "input" or (value.slot and not inside):
            return self._loaded(value), ATOM
        if value.op == "sum":
            assert sums is not None and value.attribute("keep")
            return self._row_sum(value, made, sums), ATOM
        if value.op == "mean_over":
            assert sums is not None
            if value.attribute("axis") == 0:
                count = rows_text(value.args[0])
                count = count if count == "n" else f"({count})"
                return (
                    f"{self._feature_sum(value, made, sums)} / (real){count}",
                    PRODUCT,
                )
            width = _width(value.args[0])
            return f"{self._row_sum(value, made, sums)} / {width}", PRODUCT
        if value.op == "mul" and any(arg.op == "greater" for arg in value.args):
            a, b = value.args
            a, b = (a, b) if b.op == "greater" else (b, a)
            made.called.add("keep")
            kept = [
                self._lanes(arg, made, arg in self.inside, sums)[0] for arg in (b, a)
            ]
            kept[1] = kept[1] if a.shape else f"fill({kept[1]})"
            return f"keep({', '.join(kept)})", ATOM
        rule = C.tensor[value.op]
        if value.op == "pow" and is_whole(value.args[1]):
            rule = Text("powi({0}, {1})")
            made.called.add("powi")
        else:
            made.called.add(value.op)
        if value.op in ACTIVATIONS:
            made.called.add(ACTIVATIONS[value.op])
        if value.op in THROUGH:
            made.called |= {THROUGH[value.op], "through"}
        operands = [
            self._lanes(arg, made, arg in self.inside, sums) for arg in value.args
        ]
        if "powi" not in rule.plain:
            operands = as_vectors(value, operands)
        return spelled(rule, operands, **_kept(value))

    def _row_sum(self, value: Value, made: Printed, sums: list[str]) -> str:
        """Write the sum over row `s`, and give its name."""
        text, _ = self._lanes(value.args[0], made, False, sums)
        name = f"sum{len(sums) // 4 + 1}" if sums else "sum"
        made.called |= {"first", "total"}
        array = self._array(value.args[0])
        loop = self._rowwise(array, f"{name}_of += {{v}};", text, made)
        sums += [
            f"vec {name}_of = fill(0);",
            *loop,
            f"const real {name} = total({name}_of);",
        ]
        return name

    def _loaded(self, value: Value) -> str:
        """Read a vector at `{at}`, of a feature `c`, or the number of row `s`."""
        name = value.slot or value.name
        is_parameter = role(value) == "parameter"
        of_feature = {*self.arrays.buffers, *self.arrays.features}
        if is_parameter or name in of_feature:
            self.by_row = True
            return f"load({self._pointer(value)} + c)"
        if name in self.arrays.numbers:
            self.by_row = True
            return f"{self._pointer(value)}[s]"
        return f"load({self._pointer(value)} + {{at}})"

    def _feature_sum(self, value: Value, made: Printed, sums: list[str]) -> str:
        """Write the sum over the rows of vector `c` of the features, and give its name."""
        text, _ = self._lanes(value.args[0], made)
        pitch = self._array(value.args[0]).pitch
        name = f"sum{len(sums) // 3 + 1}" if sums else "sum"
        sums += [
            f"vec {name} = fill(0);",
            f"for (int s = 0, at = c; s < {rows_text(value.args[0])}; s++, at += {pitch})",
            f"  {name} += {text.replace('{at}', 'at')};",
        ]
        return name

    def _of_row(
        self, value: Value, made: Printed, sums: list[str], inside: bool
    ) -> tuple[str, int]:
        """Give a number of row `s`, made of sums along it."""
        if value.op == "const":
            number = value.attribute("value")
            return f"(real){number!r}", ATOM
        if value.op == "mean_over":
            width = _width(value.args[0])
            return f"{self._row_sum(value, made, sums)} / {width}", PRODUCT
        if value.op == "input" or (value.slot and not inside):
            return self._loaded(value), ATOM
        operands = [
            self._of_row(arg, made, sums, arg in self.inside) for arg in value.args
        ]
        return spelled(C.scalar[value.op], operands)

    def factor(self, value: Value, made: Printed) -> tuple[str, int]:
        """Give a number within an expression of vectors."""
        if value.op == "const":
            number = value.attribute("value")
            text = (
                f"{number:.0f}"
                if number == int(number) and abs(number) < 2**24
                else f"(real){number!r}"
            )
            return text, ATOM if number >= 0 else NEGATION
        if value.op == "div" and value.args[1].op == "count":
            number = value.args[0].attribute("value")
            word = {1: "one", 2: "two"}.get(number, "part")
            text = f"(real)({number!r} / {_count(value.args[1], 'total')})"
            return numbered(f"{word}_over_n", text, made.scalars), ATOM
        if value.op == "input":
            return self.member(value.name), ATOM
        rule = C.scalar[value.op]
        return spelled(rule, (self.factor(arg, made) for arg in value.args))

    def _number(self, value: Value, made: Printed) -> tuple[str, int]:
        """Give the expression of one sample's number, sample `s`."""
        if value.op == "const":
            return repr(value.attribute("value")), ATOM
        if value.op == "input" or value.slot:
            if value.dtype == "int":
                return self._label(value), ATOM
            return self._number_at(value, ""), ATOM
        made.called.add(value.op)
        if value.op == "pick":
            x, label = value.args
            if x.op == "log_softmax" and not x.slot:
                z = x.args[0]
                made.called |= {"logsumexp"}
                picked = self._number_at(z, self._label(label))
                return f"{picked} - logsumexp({self._row(z)}, {_width(z)})", SUM
            return self._number_at(x, self._label(label)), ATOM
        if value.op == "double":
            text, binds = self._number(value.args[0], made)
            return spelled(C.tensor["double"], [(text, binds)])
        if value.op in ROWS:
            x = value.args[0]
            return f"{value.op}({self._row(x)}, {_width(x)})", ATOM
        if value.op in SIGNS:
            a, b = (self._number(arg, made)[0] for arg in value.args)
            return f"{a} {SIGNS[value.op]} {b}", COMPARISON
        rule = C.scalar.get(value.op) or C.tensor[value.op]
        return spelled(rule, (self._number(arg, made) for arg in value.args))

    def _scalar(self, value: Value, sums: Mapping[Value, str]) -> str:
        """Give a number that is made of sums."""
        return self._scalar_text(value, sums)[0]

    def _scalar_text(self, value: Value, sums: Mapping[Value, str]) -> tuple[str, int]:
        if value in sums and value.op == "total":
            return sums[value], ATOM
        if value in sums:
            return f"{sums[value]} / {_parts(value.args[0], 'n')}", PRODUCT
        if value.op == "const":
            number = value.attribute("value")
            return repr(number), ATOM if number >= 0 else NEGATION
        if value.op == "count":
            return _parts(value.args[0], "n"), ATOM
        rule = C.scalar[value.op]
        return spelled(rule, (self._scalar_text(arg, sums) for arg in value.args))

    def _array(self, value: Value) -> Array:
        """Give how the rows of a Value lie: those of what it is made of."""
        name = value.slot or value.name
        if name in self.arrays.samples:
            return self.arrays.samples[name]
        for arg in value.args:
            if batched(arg.shape):
                return self._array(arg)
        raise KeyError(name)

    def _pointer(self, value: Value) -> str:
        name = value.slot or value.name
        if role(value) == "parameter":
            return f"p->{self.member(name)}"
        of = "buffers." if name in self.arrays.buffers else ""
        return f"m->{of}{self.member(name)}"

    def _row(self, value: Value) -> str:
        pitch = self._array(value).pitch
        at = "s" if pitch == 1 else f"s * {pitch}"
        return f"{self._pointer(value)} + {at}"

    def _number_at(self, value: Value, index: str) -> str:
        """Give one number of row `s`, the first where `index` is empty."""
        pitch = self._array(value).pitch
        at = "s" if pitch == 1 else f"s * {pitch}"
        return f"{self._pointer(value)}[{f'{at} + {index}' if index else at}]"

    def _label(self, value: Value) -> str:
        return f"{self._pointer(value)}[s]"

    def _is_rowwise(self, value: Value) -> bool:
        label = value.op == "input" and value.dtype == "int"
        return (
            value.op in ROWS
            or label
            or (
                value.op not in ("input", "const")
                and not value.slot
                and any(self._is_rowwise(arg) for arg in value.args)
            )
        )

    def _rowwise(self, a: Array, pattern: str, text: str, made: Printed) -> list[str]:
        """Write the loop over the vectors of row `s`, whose padding stays zero."""
        made.called.add("first")
        inside = f"first({text}, {a.width} - c)" if a.width != a.pitch else text
        body = pattern.replace("{v}", inside).replace("{at}", "at")
        head = f"for (int c = 0, at = s * {a.pitch}; c < {a.width}; c += LANES, at += LANES)"
        return [head, f"  {body}"]

    def _loop(
        self,
        value: Value,
        pattern: str,
        text: str,
        masked: bool,
        made: Printed,
    ) -> list[str]:
        """Write a loop over vectors; `{at}` is where in an array, `{v}` the vector."""
        a, rows = self._array(value), rows_text(value)
        if masked and a.width != a.pitch:
            inner = self._rowwise(a, pattern, text, made)
            return [
                f"for (int s = 0; s < {rows}; s++)",
                *("  " + line for line in inner),
            ]
        count = rows if a.pitch == 1 else f"{rows} * {a.pitch}"
        body = pattern.replace("{at}", "at").replace("{v}", text.replace("{at}", "at"))
        head = f"for (int at = 0; at < {count}; at += LANES)"
        if len(head) + len(body) + 5 <= WIDTH:
            return [f"{head} {body}"]
        return [head, f"  {body}"]


def as_vectors(
    value: Value, operands: Iterable[tuple[str, int]]
) -> list[tuple[str, int]]:
    """Let numbers stand for vectors, where a function in C takes no other."""
    if value.op not in OF_VECTORS:
        return list(operands)
    return [
        made if arg.shape else (f"fill({made[0]})", ATOM)
        for made, arg in zip(operands, value.args, strict=True)
    ]


def is_whole(exponent: Value) -> bool:
    """Tell whether a power is a few products, or one over them."""
    if exponent.op != "const":
        return False
    number = exponent.attribute("value")
    return float(number).is_integer() and abs(number) <= 16


def rows_text(value: Value) -> str:
    """Give how many rows an array has, for n of the batch."""
    rows = rows_of(value.shape)
    return "n" if rows == 1 else f"{rows} * n"


def _kept(value: Value) -> dict[str, str]:
    if value.op in ROWS:
        return {"width": str(_width(value.args[0]))}
    return {}


def _width(value: Value) -> int:
    width = value.shape[-1]
    assert isinstance(width, int)
    return width


def _parts(value: Value, batch: str) -> str:
    """Give how many elements a Value has, for a batch of so many."""
    size = _width(value) * rows_of(value.shape)
    return batch if size == 1 else f"({size} * {batch})"


def _count(count: Value, batch: str) -> str:
    return _parts(count.args[0], batch)
