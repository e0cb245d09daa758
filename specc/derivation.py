"""A Value as a line of mathematics, for the comment beside the code that computes it.

Names stand for themselves, `d_x` is dL/dx, and only what has no name is spelled out.
"""

from __future__ import annotations

from collections.abc import Mapping

from specc.ir import Value, is_constant
from specc.ops import OPS

ATOM, POWER, PRODUCT, SUM, RELATION = range(5)
"""How tightly an expression binds, tightest first."""

INFIX: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "add": ("{} + {}", SUM, (SUM, SUM)),
    "sub": ("{} - {}", SUM, (SUM, PRODUCT)),
    "mul": ("{} * {}", PRODUCT, (PRODUCT, POWER)),
    "div": ("{} / {}", PRODUCT, (PRODUCT, POWER)),
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
    "abs": ("|{}|", ATOM, (RELATION,)),
    "norm": ("|{}|", ATOM, (RELATION,)),
    "with_ones": ("[{}; 1]", ATOM, (RELATION,)),
    "weight_of": ("W", ATOM, (RELATION,)),
    "body": ("{} without its last row", RELATION, (ATOM,)),
    "count": ("n", ATOM, (RELATION,)),
    "spread": ("{}", ATOM, (ATOM,)),
    "minus_one_hot": ("{} - one_hot({})", SUM, (SUM, RELATION)),
    "minus_hot": ("{} - {height} one_hot({})", SUM, (SUM, RELATION)),
    "reshape": ("{}", ATOM, (ATOM,)),
    "swap": ("{}^T", ATOM, (ATOM,)),
    "part": ("{}[{start}:{stop}]", ATOM, (ATOM,)),
    "pick": ("{}[{}]", ATOM, (ATOM, RELATION)),
    "place": ("{} at {}", RELATION, (ATOM, ATOM)),
}
"""Pattern, how tightly the whole binds, how tightly each operand has to."""


SPELLED_OUT = frozenset({"normalize", "normalize_backward"})
"""The composites that are written as what they are made of."""


def mathematics(value: Value, names: Mapping[Value, str] | None = None) -> str:
    """Write `value`; `names` are for Values that have no name of their own."""
    return _written(value, names or {})[0]


def _written(value: Value, names: Mapping[Value, str]) -> tuple[str, int]:
    if value in names:
        return names[value], ATOM
    if value.name:
        symbol = dict(value.attrs).get("symbol") if value.op == "input" else None
        name = symbol or value.name
        return (f"dL/d{name[2:]}" if name.startswith("d_") else name), ATOM
    if value.op == "const":
        number = value.attribute("value")
        return f"{number:g}", ATOM if number >= 0 else PRODUCT
    if value.op == "mul" and is_constant(value.args[0], 1):
        return _written(value.args[1], names)
    if value.op == "mul" and value.args[1].op == "const" != value.args[0].op:
        number = _within(value.args[1], PRODUCT, names)
        return f"{number} * {_within(value.args[0], POWER, names)}", PRODUCT
    if value.op == "mul" and _is_share(value.args[0]):
        return f"{_within(value.args[1], PRODUCT, names)} / n", PRODUCT
    if value.op == "sum":
        summed = value.args[0]
        if isinstance(summed.shape[value.attribute("axis")], str):
            return f"sum over samples of {_within(summed, POWER, names)}", PRODUCT
        return f"sum({_written(summed, names)[0]})", ATOM
    if value.op == "total":
        return f"sum({_written(value.args[0], names)[0]})", ATOM
    if value.op == "mean_over":
        averaged = value.args[0]
        if isinstance(averaged.shape[value.attribute("axis")], str):
            return f"mean over samples of {_within(averaged, POWER, names)}", PRODUCT
        return f"mean({_written(averaged, names)[0]})", ATOM
    if value.op == "concat":
        return f"[{', '.join(_written(arg, names)[0] for arg in value.args)}]", ATOM
    if value.op in SPELLED_OUT:
        made = OPS[value.op].expansion
        assert made is not None
        return _written(made(*value.args, **dict(value.attrs)), names)
    if value.op in INFIX:
        pattern, binds, needs = INFIX[value.op]
        operands = [
            _within(a, n, names) for a, n in zip(value.args, needs, strict=False)
        ]
        return pattern.format(*operands, **_numbers(value)), binds
    inside = ", ".join(_written(arg, names)[0] for arg in value.args)
    return f"{value.op}({inside})", ATOM


def _is_share(value: Value) -> bool:
    """Tell whether it is 1 / n, for each element."""
    if value.op != "spread" or value.args[0].op != "div":
        return False
    one, n = value.args[0].args
    return is_constant(one, 1) and n.op == "count"


def _numbers(value: Value) -> dict[str, str]:
    """Give the attributes that a pattern may name."""
    return {n: f"{v:g}" for n, v in value.attrs if isinstance(v, int | float)}


def _within(value: Value, needs: int, names: Mapping[Value, str]) -> str:
    text, binds = _written(value, names)
    return text if binds <= needs else f"({text})"
