"""The definitions of a spec (`def`) as functions of torch tensors, for autograd.

Takes the syntax tree, returns functions in the precision of their operands. Invariant: nothing here
uses the expressions of the compiler, `ops` or `slope`; kinks are those of torch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from specc.model.model import Model
from specc.syntax import tree as syntax
from specc.syntax.parser import parse
from specc.syntax.source import Source
from specc.verify.compare.tensors import Tensor, torch
from specc.verify.reference.missing import MissingReference

Number = Tensor | float | bool
"""The value of an expression: a constant number, or a tensor."""

FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "expm1": torch.expm1,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sign": torch.sign,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "relu": torch.relu,
    "erf": torch.erf,
    "min": torch.minimum,
    "max": torch.maximum,
    "floor": torch.floor,
}
"""The function of torch for each function of the language."""

OPERATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": torch.div,
    "^": torch.pow,
    "<": torch.lt,
    "<=": torch.le,
    ">": torch.gt,
    ">=": torch.ge,
    "==": torch.eq,
    "!=": torch.ne,
}


def definitions(model: Model) -> Mapping[tuple[str, str], syntax.Definition]:
    """Return the definitions of a model's spec by kind and name."""
    return _definitions(model.source)


@functools.lru_cache(maxsize=8)
def _definitions(source: Source) -> Mapping[tuple[str, str], syntax.Definition]:
    tree, _ = parse(source)
    return {
        (each.kind, each.name.text): each
        for each in tree.statements
        if isinstance(each, syntax.Definition)
    }


def function_of(
    model: Model, kind: str, name: str, arguments: Mapping[str, Any]
) -> Callable[..., Tensor]:
    """Return a definition as a function of its operands, with its `arguments` bound.

    Raises KeyError if the spec has no such definition.
    """
    definition = definitions(model)[kind, name]
    constants = dict(model.constants)
    names = {n: v for n, v in constants.items() if isinstance(v, int | float)}
    names |= {"pi": math.pi, "true": True, "false": False}
    parameters = [p.name.text for p in definition.parameters]

    def function(*operands: Number) -> Tensor:
        given = dict(zip(parameters, operands, strict=False))
        leaves = {**names, **arguments, **given}
        return tensor_of(written(definition.value, leaves))

    return function


def written(expr: syntax.Expr, names: Mapping[str, Any]) -> Tensor:
    """Return the value of an expression; comparisons are 1 or 0."""
    match expr:
        case syntax.Number(text):
            return tensor_of(float(text.replace("_", "")))
        case syntax.Word(name):
            return tensor_of(names[name])
        case syntax.Negative(operand):
            return -written(operand, names)
        case syntax.Binary(sign, left, right):
            pair = written(left, names), written(right, names)
            return OPERATORS[sign](*pair).to(torch.result_type(*pair))
        case syntax.Entry(name, arguments) if name.text == "where":
            condition, a, b = (argument.value for argument in arguments)
            return _chosen(written(condition, names) != 0, a, b, names)
        case syntax.Entry(name, arguments):
            values = [written(argument.value, names) for argument in arguments]
            if name.text not in FUNCTIONS:
                raise MissingReference("function", name.text, "formulas.py")
            return FUNCTIONS[name.text](*values)
    raise AssertionError(expr)


def _chosen(
    condition: Tensor, a: syntax.Expr, b: syntax.Expr, names: Mapping[str, Any]
) -> Tensor:
    """Return the chosen branch, each evaluated only where it is taken: elsewhere its slope may be
    infinite.
    """
    arrays = [v for v in names.values() if isinstance(v, Tensor)]
    broadcast: Any = torch.broadcast_tensors
    condition = broadcast(condition, *arrays)[0]
    made = torch.zeros(condition.shape, dtype=_precision(arrays))
    for taken, branch in ((condition, a), (~condition, b)):
        inside = {
            name: v.expand(taken.shape)[taken] if isinstance(v, Tensor) else v
            for name, v in names.items()
        }
        value = written(branch, inside).expand(int(taken.sum()))
        made = made.masked_scatter(taken, value.to(made))
    return made


def _precision(arrays: list[Tensor]) -> torch.dtype:
    """Return the precision of arrays; integers and booleans have none."""
    real = (array.dtype for array in arrays if array.is_floating_point())
    return next(real, torch.float64)


def tensor_of(value: Number) -> Tensor:
    """Return a tensor of real numbers, in float64 unless it has a precision."""
    if isinstance(value, Tensor):
        return value.to(_precision([value]))
    return torch.tensor(value, dtype=torch.float64)


def numbers_in(expr: syntax.Expr) -> set[float]:
    """Return every number in an expression, where it may have a kink."""
    match expr:
        case syntax.Number(text):
            return {float(text.replace("_", ""))}
        case syntax.Negative(operand):
            return {-number for number in numbers_in(operand)}
        case syntax.Binary(_, left, right):
            return numbers_in(left) | numbers_in(right)
        case syntax.Entry(_, arguments):
            return {n for each in arguments for n in numbers_in(each.value)}
    return set()
