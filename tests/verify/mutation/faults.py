"""Every small fault that a person might make in an emitted Python module.

Takes the text of a module, gives Faults: each is another text in one place. Nothing is chosen by
hand: the tree of the module is walked, and where an operator, a number, a name or a statement
stands, a wrong one of the same kind is put.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

OUTSIDE = re.compile(
    r"main|(write|read)_(tensors|arrays)|fingerprint|in_order|sweep_strays|fits"
    r"|checked|check_\w+|signed|on_one_thread.*"
    r"|Run\.(save|load|keep|tensors|arrays)"
    r"|Model\.(__getstate__|__setstate__|_over|_checked\w*|_workspace|save|load|as_module.*)"
    r"|Model\.(_alone|_busy|_forked)"
    r"|Network\..*|Layer\..*|never_runs.*|part_of|over|exporting"
    r"|History.*"
)
"""Functions without arithmetic or training: files, views, checks of arguments, threads, and what
`as_module` keeps. Tests in `tests/emitted` are about them."""

SIGNS: dict[type[ast.operator], str] = {ast.Add: "-", ast.Sub: "+"}
FACTORS: dict[type[ast.operator], str] = {ast.Mult: "/", ast.Div: "*", ast.Pow: "*"}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Eq: "!=",
}
METHODS = {
    "add_": "sub_",
    "sub_": "add_",
    "mul_": "div_",
    "div_": "mul_",
    "add": "subtract",
    "sub": "add",
    "subtract": "add",
    "multiply": "divide",
    "mul": "div",
    "mean": "sum",
    "sum": "mean",
    "relu_": "tanh_",
    "tanh_": "sigmoid_",
    "tanh": "exp",
    "exp": "tanh",
    "sqrt": "square",
    "square": "abs",
    "maximum": "minimum",
    "minimum": "maximum",
    "argmax": "argmin",
    "log_softmax": "softmax",
    "softmax": "log_softmax",
}
"""An operation -> a wrong one that takes the same arguments."""
COMMUTATIVE = frozenset("add mul multiply maximum minimum min max".split())
SYMMETRIC = ast.Add | ast.Mult | ast.BitXor | ast.BitAnd | ast.BitOr
STRICTNESS = frozenset("strict stable".split())
"""Arguments by name that only matter where something else is wrong."""


@dataclass(frozen=True)
class Fault:
    """A module with one place changed."""

    kind: str
    function: str
    old: str
    """The line as it is."""
    new: str
    """The line as it is made."""
    text: str
    """The whole module."""

    def __str__(self) -> str:
        return f"{self.function}: {self.old} -> {self.new}"


@dataclass(frozen=True)
class _Change:
    kind: str
    start: int
    end: int
    new: str


def faults(text: str) -> list[Fault]:
    """Give every fault of a module, in the order of its lines; no two give the same text."""
    module = _Module(text)
    made: dict[str, Fault] = {}
    for function, change in module.changes():
        whole = text[: change.start] + change.new + text[change.end :]
        if whole == text or whole in made:
            continue
        try:
            ast.parse(whole)
        except SyntaxError:
            continue
        line = text.count("\n", 0, change.start)
        old, new = (t.splitlines()[line].strip() for t in (text, whole))
        made[whole] = Fault(change.kind, function, old, new, whole)
    return list(made.values())


class _Module:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        lengths = [len(line) + 1 for line in text.split("\n")]
        self.starts = [sum(lengths[:i]) for i in range(len(lengths))]

    def changes(self) -> Iterator[tuple[str, _Change]]:
        """Give every change, with the function that it is in."""
        for name, function in _functions(self.tree, ""):
            if OUTSIDE.fullmatch(name):
                continue
            names = _attributes(function)
            for node in _walk(function):
                for change in self._of(node, names):
                    yield name, change

    def _at(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _of(self, node: ast.AST, names: dict[str, list[str]]) -> Iterator[_Change]:
        match node:
            case ast.BinOp(left, operator, right):
                sign = SIGNS.get(type(operator))
                other = sign or FACTORS.get(type(operator))
                if other is not None:
                    between = self._at(left)[1], self._at(right)[0]
                    old = self.text[between[0] : between[1]]
                    written = {"-": "+", "+": "-", "/": "*"}.get(other, "/")
                    written = "**" if isinstance(operator, ast.Pow) else written
                    if written in old:
                        kind = "sign" if sign else "factor"
                        yield _Change(kind, *between, old.replace(written, other, 1))
                if not isinstance(operator, SYMMETRIC):
                    yield from self._swapped("operands", left, right)
            case ast.UnaryOp(ast.USub(), operand):
                start, _ = self._at(node)
                yield _Change("sign", start, self._at(operand)[0], "")
            case ast.Compare(left, [operator], [right]):
                other = COMPARISONS.get(type(operator))
                if other is not None:
                    between = self._at(left)[1], self._at(right)[0]
                    yield _Change("comparison", *between, f" {other} ")
            case ast.Constant(bool()):
                flipped = str(not node.value)
                yield _Change("flag", *self._at(node), flipped)
            case ast.Constant(int() | float()):
                yield _Change("number", *self._at(node), f"({node.value!r} + 1)")
            case ast.Call(func, arguments, keywords):
                yield from self._call(node, func, arguments, keywords)
            case ast.Attribute(ast.Name(owner), name):
                start, end = self._at(node)
                for other in _near(name, names.get(owner, [])):
                    yield _Change("name", start, end, f"{owner}.{other}")
            case ast.AugAssign():
                start, end = self._at(node.target)[1], self._at(node.value)[0]
                yield _Change("accumulation", start, end, " = ")
            case ast.Expr(ast.Call()):
                yield _Change("statement", *self._at(node), "pass")
            case ast.Assign([ast.Attribute(ast.Name("self"), _)], _):
                yield _Change("statement", *self._at(node), "pass")

    def _call(
        self,
        node: ast.Call,
        func: ast.expr,
        arguments: list[ast.expr],
        keywords: list[ast.keyword],
    ) -> Iterator[_Change]:
        if isinstance(func, ast.Attribute):
            end = self._at(func)[1]
            start = end - len(func.attr)
            if func.attr in METHODS:
                yield _Change("operation", start, end, METHODS[func.attr])
            if func.attr in ("t", "clone", "copy") and not arguments:
                inner = self._at(func.value)[1]
                kind = "transpose" if func.attr == "t" else "copy"
                yield _Change(kind, inner, self._at(node)[1], "")
        called = func.attr if isinstance(func, ast.Attribute) else ast.unparse(func)
        if len(arguments) >= 2 and called not in COMMUTATIVE:
            yield from self._swapped("operands", *arguments[:2])

    def _swapped(self, kind: str, a: ast.expr, b: ast.expr) -> Iterator[_Change]:
        (first, end), (start, last) = self._at(a), self._at(b)
        between = self.text[end:start]
        new = self.text[start:last] + between + self.text[first:end]
        yield _Change(kind, first, last, new)


def _functions(node: ast.AST, inside: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield f"{inside}{child.name}", child
            yield from _functions(child, f"{inside}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{inside}{child.name}.")


def _walk(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Give the nodes of a body in order, without docstring, messages and inner functions."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Raise | ast.JoinedStr):
            continue
        yield node
        if isinstance(node, ast.keyword) and node.arg in STRICTNESS:
            continue
        waiting += reversed(list(ast.iter_child_nodes(node)))


def _attributes(function: ast.FunctionDef) -> dict[str, list[str]]:
    """Name what a function reads of its workspace and its parameters, in order."""
    found: dict[str, list[str]] = {}
    for node in _walk(function):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("s", "p", "g", "o", "buffers")
            and node.attr not in found.setdefault(node.value.id, [])
        ):
            found[node.value.id].append(node.attr)
    return found


def _near(name: str, names: list[str]) -> list[str]:
    """Give the name that was used before this one: what a person would mistake for it."""
    if len(names) < 2 or name not in names:
        return []
    return [names[names.index(name) - 1]]
