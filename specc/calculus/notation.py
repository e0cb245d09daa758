"""Writes a Value as a line of mathematics, plain for comments or as LaTeX.

Names stand for themselves, `d_x` is dL/dx, and only what has no name is spelled out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from specc.ir.value import OPS, Rows, Value, is_constant

ATOM, POWER, PRODUCT, SUM, RELATION = range(5)
"""How tightly an expression binds, tightest first."""

Pattern = tuple[str, int, tuple[int, ...]]
"""How it is written, how tightly the whole binds, how tightly each operand has to."""


@dataclass(frozen=True)
class Notation:
    """How mathematics is written down."""

    patterns: Mapping[str, Pattern]
    """Of operations; any other is a function of its operands. Beside them `scale` is a product
    with a single number, `share` an n-th of something, and sums and means run over one axis or
    over the samples: `sum`, `sum_samples`, `mean_over`, `mean_samples`."""
    name: Callable[[str], str]
    derivative: Callable[[str], str]
    """Name -> how dL/d(name) is written."""
    number: Callable[[float], str]
    function: str
    group: str


PLAIN = Notation(
    patterns={
        "add": ("{} + {}", SUM, (SUM, SUM)),
        "sub": ("{} - {}", SUM, (SUM, PRODUCT)),
        "mul": ("{} * {}", PRODUCT, (PRODUCT, POWER)),
        "scale": ("{} * {}", PRODUCT, (PRODUCT, POWER)),
        "div": ("{} / {}", PRODUCT, (PRODUCT, POWER)),
        "share": ("{} / n", PRODUCT, (PRODUCT,)),
        "pow": ("{}^{}", POWER, (ATOM, ATOM)),
        "neg": ("-{}", SUM, (POWER,)),
        "square": ("{}^2", POWER, (ATOM,)),
        "mm": ("{} {}", PRODUCT, (ATOM, ATOM)),
        "transpose": ("{}^T", ATOM, (ATOM,)),
        "greater": ("[{} > {}]", ATOM, (RELATION, RELATION)),
        "equal": ("[{} = {}]", ATOM, (RELATION, RELATION)),
        "less": ("[{} < {}]", ATOM, (RELATION, RELATION)),
        "greater_equal": ("[{} >= {}]", ATOM, (RELATION, RELATION)),
        "less_equal": ("[{} <= {}]", ATOM, (RELATION, RELATION)),
        "not_equal": ("[{} != {}]", ATOM, (RELATION, RELATION)),
        "both": ("[{} and {}]", ATOM, (RELATION, RELATION)),
        "double": ("{}", ATOM, (ATOM,)),
        "rounded": ("{}", ATOM, (ATOM, ATOM)),
        "abs": ("|{}|", ATOM, (RELATION,)),
        "norm": ("|{}|", ATOM, (RELATION,)),
        "with_ones": ("[{}; 1]", ATOM, (RELATION,)),
        "weight_of": ("W", ATOM, (RELATION,)),
        "body": ("{} without its last row", RELATION, (ATOM,)),
        "count": ("n", ATOM, (RELATION,)),
        "sum": ("sum({})", ATOM, (RELATION,)),
        "sum_samples": ("sum over samples of {}", PRODUCT, (POWER,)),
        "total": ("sum({})", ATOM, (RELATION,)),
        "mean_over": ("mean({})", ATOM, (RELATION,)),
        "mean_samples": ("mean over samples of {}", PRODUCT, (POWER,)),
        "concat": ("[{all}]", ATOM, ()),
        "minus_one_hot": ("{} - one_hot({})", SUM, (SUM, RELATION)),
        "minus_hot": ("{} - {height} one_hot({})", SUM, (SUM, RELATION)),
        "reshape": ("{}", ATOM, (ATOM,)),
        "swap": ("{}^T", ATOM, (ATOM,)),
        "part": ("{}[{start}:{stop}]", ATOM, (ATOM,)),
        "pick": ("{}[{}]", ATOM, (ATOM, RELATION)),
        "place": ("{0} at {2}", RELATION, (ATOM, ATOM, ATOM)),
    },
    name=str,
    derivative="dL/d{}".format,
    number=lambda number: "pi" if number == math.pi else f"{number:g}",
    function="{}({})",
    group="({})",
)
"""That of comments."""

SPELLED_OUT = frozenset({"normalize", "normalize_backward"})
"""The composites that are written as what they are made of."""


def mathematics(
    value: Value,
    names: Mapping[Value, str] | None = None,
    notation: Notation = PLAIN,
) -> str:
    """Write `value`; `names` are for Values that have no name of their own."""
    return _Writer(names or {}, notation).written(value)[0]


@dataclass(frozen=True)
class _Writer:
    names: Mapping[Value, str]
    notation: Notation

    def written(self, value: Value) -> tuple[str, int]:
        """Return the text of a Value and how tightly it binds."""
        notation = self.notation
        if value in self.names:
            return notation.name(self.names[value]), ATOM
        if value.name:
            symbol = dict(value.attrs).get("symbol") if value.op == "input" else None
            name = symbol or value.name
            if name.startswith("d_"):
                return notation.derivative(notation.name(name[2:])), ATOM
            return notation.name(name), ATOM
        if value.op == "const":
            number = value.attribute("value")
            return notation.number(number), ATOM if number >= 0 else PRODUCT
        if value.op == "mul" and is_constant(value.args[0], 1):
            return self.written(value.args[1])
        if value.op == "spread":
            return self.written(value.args[0])
        if value.op in SPELLED_OUT:
            made = OPS[value.op].expansion
            assert made is not None
            return self.written(made(*value.args, **dict(value.attrs)))
        op, args = _as_written(value)
        if op not in notation.patterns:
            inside = ", ".join(self.written(arg)[0] for arg in args)
            return notation.function.format(notation.name(op), inside), ATOM
        pattern, binds, needs = notation.patterns[op]
        words = self._numbers(value)
        if op == "concat":
            words["all"] = ", ".join(self.written(arg)[0] for arg in args)
        operands = [self._within(a, need) for a, need in zip(args, needs, strict=False)]
        return pattern.format(*operands, **words), binds

    def _within(self, value: Value, needs: int) -> str:
        text, binds = self.written(value)
        return text if binds <= needs else self.notation.group.format(text)

    def _numbers(self, value: Value) -> dict[str, str]:
        """Return the attributes that a pattern may name."""
        known = ((n, v) for n, v in value.attrs if isinstance(v, int | float))
        return {name: self.notation.number(number) for name, number in known}


def _as_written(value: Value) -> tuple[str, tuple[Value, ...]]:
    """Return the pattern of an operation, and its operands in written order."""
    match value.op, value.args:
        case "mul", (a, b) if b.op == "const" != a.op:
            return "scale", (b, a)
        case "mul", (a, b) if _is_share(a):
            return "share", (b,)
        case "mul", (a, b) if not (a.shape and b.shape):
            return "scale", (a, b)
        case ("sum" | "mean_over"), (x,):
            if isinstance(x.shape[value.attribute("axis")], Rows):
                return f"{value.op.removesuffix('_over')}_samples", (x,)
    return value.op, value.args


def _is_share(value: Value) -> bool:
    """True if it is 1 / n, for each element."""
    if value.op != "spread" or value.args[0].op != "div":
        return False
    one, n = value.args[0].args
    return is_constant(one, 1) and n.op == "count"
