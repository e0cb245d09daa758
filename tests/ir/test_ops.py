"""Every row of `OPS`: its type, its derivative, its expansion, each against NumPy.

One function, `check`, measures a row in every case of the table below; planted wrong rows show that
it finds what it is there to find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from specc.calculus import reverse as sweep
from specc.calculus.reverse import differentiate
from specc.calculus.slope import slope_of
from specc.ir import formulas
from specc.ir.formulas import greater, mm, sigmoid, softmax, sum_over, transpose
from specc.ir.program import Program, verify
from specc.ir.rewrite import nameless
from specc.ir.types import TypeMismatch
from specc.ir.value import BATCH, OPS, DType, Rows, Shape, Value, apply, argument
from specc.passes.expand import expand
from specc.targets.torch.operations import TORCH
from specc.verify.compare.expansions import ELEMENTARY
from specc.verify.reference.interpreter import LINES, concrete, evaluate

N = 3
"""The batch of every case."""
COLUMN: Shape = (BATCH, 1)
ROWS: Shape = (BATCH, 4)
COLUMNS: Shape = (4, BATCH)
SQUARE: Shape = (3, 3)


@dataclass(frozen=True)
class Case:
    """One way to use an operation."""

    shapes: tuple[Shape, ...]
    attrs: tuple[tuple[str, Any], ...] = ()
    fixed: tuple[int, ...] = ()
    """The operands without a derivative."""
    index: int | None = None
    """The operand that holds class indices, below 4."""
    truth: int | None = None
    """The operand that holds truth values."""
    low: float = -2.0
    high: float = 2.0
    """Where real operands are drawn, away from kinks by 0.1."""

    def operands(self) -> tuple[Value, ...]:
        dtypes: list[DType] = ["real"] * len(self.shapes)
        if self.index is not None:
            dtypes[self.index] = "int"
        if self.truth is not None:
            dtypes[self.truth] = "bool"
        pairs = zip(self.shapes, dtypes, strict=True)
        return tuple(argument(f"a{i}", s, d) for i, (s, d) in enumerate(pairs))

    def arrays(self) -> dict[str, Any]:
        draw = np.random.default_rng(len(self.shapes))
        drawn: dict[str, Any] = {}
        for i, shape in enumerate(self.shapes):
            size = concrete(shape, N)
            if i == self.index:
                drawn[f"a{i}"] = draw.integers(4, size=size)
            elif i == self.truth:
                drawn[f"a{i}"] = draw.uniform(size=size) < 0.5
            else:
                x = draw.uniform(self.low, self.high, size)
                drawn[f"a{i}"] = np.where(abs(x) < 0.1, x + 0.3, x)
        return drawn


def case(*shapes: Shape, **options: Any) -> Case:
    """A case; what is no field of it is an attribute of the operation."""
    known = {
        k: options.pop(k)
        for k in ("fixed", "index", "truth", "low", "high")
        if k in options
    }
    return Case(shapes, tuple(options.items()), **known)


PAIRS: tuple[tuple[Shape, Shape], ...] = (
    (ROWS, ROWS),
    (ROWS, ()),
    ((), ROWS),
    (ROWS, (4,)),
    ((4,), ROWS),
    (ROWS, COLUMN),
    (COLUMN, (1, 4)),
    ((1, 1), ROWS),
    ((), ()),
)
SHAPES: tuple[Shape, ...] = (ROWS, COLUMNS, (4,), ())


def pairs(**options: Any) -> list[Case]:
    return [case(*shapes, **options) for shapes in PAIRS]


def single(**options: Any) -> list[Case]:
    return [case(shape, **options) for shape in SHAPES]


def along(*shapes: Shape, **options: Any) -> list[Case]:
    """The same case with samples as rows and as columns."""
    turned = [tuple(reversed(shape)) for shape in shapes]
    return [case(*shapes, axis=1, **options), case(*turned, axis=0, **options)]


def function(body: Value) -> dict[str, Any]:
    """The attributes of an elementwise function of x."""
    made = slope_of(body, "x", keep=False)
    return {"body": made.body, "slope": made.slope, "names": ("x",)}


SILU = function(formulas.scalar("x") * sigmoid(formulas.scalar("x")))

CASES: dict[str, list[Case]] = {
    "add": pairs(),
    "sub": pairs(),
    "mul": pairs(),
    "div": pairs(low=0.5),
    "pow": pairs(low=0.5),
    "neg": single(),
    "exp": single(),
    "log": single(low=0.2),
    "log1p": single(low=-0.7),
    "expm1": single(),
    "expm1_below": single(high=-0.5),
    "sqrt": single(low=0.2),
    "sin": single(),
    "cos": single(),
    "erf": single(),
    "abs": single(),
    "sign": single(fixed=(0,)),
    "floor": single(fixed=(0,)),
    "relu": single(),
    "tanh": single(),
    "sigmoid": single(),
    "softplus": single(),
    "minimum": pairs(),
    "maximum": pairs(),
    "where": [
        case(ROWS, ROWS, ROWS, truth=0, fixed=(0,)),
        case(ROWS, (), ROWS, truth=0, fixed=(0,)),
    ],
    "pointwise": [case(ROWS, **SILU), case(COLUMNS, **SILU)],
    "softmax": along(ROWS),
    "log_softmax": along(ROWS),
    "logsumexp": [*along(ROWS, keep=True), *along(ROWS, keep=False)],
    "greater": pairs(),
    "less": pairs(),
    "greater_equal": pairs(),
    "less_equal": pairs(),
    "equal": pairs(),
    "not_equal": pairs(),
    "both": pairs(),
    "double": single(),
    "rounded": [case(ROWS, (4,), fixed=(1,))],
    "argmax": along(ROWS),
    "pick": along(ROWS, COLUMN, index=1, fixed=(1,)),
    "place": along(COLUMN, ROWS, COLUMN, index=2),
    "minus_hot": along(ROWS, COLUMN, index=1, fixed=(1,), height=0.7),
    "minus_one_hot": along(ROWS, COLUMN, index=1, fixed=(1,)),
    "sum": [
        case(ROWS, axis=axis, keep=keep) for axis in (0, 1) for keep in (True, False)
    ],
    "spread": [
        case((), ROWS, axis=None, keep=False),
        case((4,), ROWS, axis=0, keep=False),
        case((BATCH,), ROWS, axis=1, keep=False),
        case(COLUMN, ROWS, axis=1, keep=True),
    ],
    "mean": [case(ROWS), case(COLUMNS), case((4,))],
    "total": [case(ROWS), case(COLUMNS), case((4,))],
    "norm": [case(ROWS), case((4,))],
    "mean_over": [
        case(ROWS, axis=axis, keep=keep) for axis in (0, 1) for keep in (True, False)
    ],
    "rsqrt": single(low=0.2),
    "reshape": [
        case(ROWS, rows=2, width=2),
        case((Rows(6), 2), rows=3, width=4),
        case(COLUMN, rows=1, width=1),
    ],
    "swap": [
        case((Rows(6), 2), size=3),
        case((Rows(4), 3), size=4),
        case((Rows(2), 1), size=2),
    ],
    "concat": [*along(ROWS, COLUMN), *along(ROWS, ROWS, COLUMN)],
    "part": along(ROWS, start=1, stop=3),
    "normalize": [
        case(ROWS, COLUMN, COLUMN, axis=1, fixed=(1, 2)),
        case(ROWS, (4,), (4,), axis=0, fixed=(1, 2)),
    ],
    "normalize_backward": [
        case(ROWS, ROWS, COLUMN, axis=1),
        case(ROWS, ROWS, (4,), axis=0),
    ],
    "count": [case(ROWS, fixed=(0,)), case((4,), fixed=(0,))],
    "share": [case(ROWS)],
    "mm": [case((BATCH, 2), (2, 4)), case(SQUARE, SQUARE), case((4, 2), (2, BATCH))],
    "transpose": [case(ROWS), case(SQUARE)],
    "with_ones": [case(COLUMNS), case((1, BATCH))],
    "body": [case(COLUMNS)],
    "weight_of": [case((4, 3))],
    "linear": [
        case((BATCH, 2), (4, 2), (4,)),
        case(SQUARE, SQUARE, (3,)),
        case(COLUMN, (1, 1), (1,)),
    ],
    "affine": [case((4, 3), (2, BATCH)), case((3, 4), SQUARE)],
    "mse": [case(ROWS, ROWS, fixed=(1,)), case(COLUMNS, COLUMNS, fixed=(1,))],
    "binary_cross_entropy": [
        case(ROWS, ROWS, fixed=(1,)),
        case(COLUMNS, COLUMNS, fixed=(1,)),
    ],
    "cross_entropy": along(ROWS, COLUMN, index=1, fixed=(1,)),
    "smoothed_cross_entropy": along(ROWS, COLUMN, index=1, fixed=(1,), smoothing=0.3),
    "relu_backward": [case(ROWS, ROWS)],
    "tanh_backward": [case(ROWS, ROWS)],
    "sigmoid_backward": [case(ROWS, ROWS)],
    "add_scaled": [case(ROWS, ROWS, ()), case((4,), (4,), ())],
    "square": single(),
    "addcmul": [case(ROWS, ROWS, ROWS, ()), case((4,), (4,), (4,), ())],
    "plus_quotient": [case((4,), ROWS, (4,), low=0.5)],
    "addcdiv": [case((4,), (4,), (4,), (), low=0.5)],
    "flat": single(),
    "dot": [case((4,), (4,)), case((BATCH,), (BATCH,))],
    "dense": [
        case((BATCH, 2), (4, 2), (4,), activation=activation)
        for activation in ("relu", "tanh")
    ],
    "wide_mm": [case((BATCH, 2), (2, 4))],
    "addmm": [
        case((4,), (BATCH, 2), (2, 4)),
        case(ROWS, (BATCH, 2), (2, 4)),
        case((4, 1), (4, 2), (2, BATCH)),
    ],
    "accumulate_mm": [case((3, 4), (3, BATCH), (BATCH, 4), (), ())],
    "wide_accumulate_mm": [case((3, 4), (3, BATCH), (BATCH, 4), (), ())],
    "accumulate_sum": [case((4,), (BATCH, 4), (), ())],
}

WITHOUT_DERIVATIVE = set(
    "greater less greater_equal less_equal equal"
    " not_equal addcmul addcdiv plus_quotient argmax place spread share body weight_of"
    " relu_backward tanh_backward sigmoid_backward add_scaled square dense wide_mm"
    " addmm flat dot accumulate_mm wide_accumulate_mm accumulate_sum"
    " normalize_backward both double part".split()
)
"""Steps and comparisons, what only derivatives are written with, and what `fuse` makes."""

WITH_ITS_OWN = {"normalize"}
"""What moves other operands with the first: measured by a test of its own."""

NEVER_EMITTED = set("place logsumexp".split())
"""Primitives that a hand-written derivative or a torch call hides from every target."""


def program(op: str, case: Case) -> Program:
    """y = op(a0, a1, ...)."""
    operands = case.operands()
    y = replace(apply(op, *operands, **dict(case.attrs)), name="y")
    return verify(Program("forward", operands, (("y", y),)), "test")


def check(op: str) -> None:
    """Measure a row in all its cases: value, expansion, derivative by differences."""
    for case in CASES[op]:
        forward = program(op, case)
        arrays = case.arrays()
        y = evaluate(forward, arrays, N)["y"]
        assert np.isfinite(y).all()
        row = OPS[op]
        if row.expansion is not None:
            expanded = nameless(verify(expand(forward, ELEMENTARY), "expand"))
            result = replace(expanded.output("y"), name="y")
            expanded = replace(expanded, outputs=(("y", result),))
            assert ELEMENTARY.issuperset(value.op for value in expanded.values)
            made = evaluate(expanded, arrays, N)["y"]
            close(made, y, 1e-12, f"{op}: the expansion")
        if row.derivative is None or op in WITH_ITS_OWN:
            continue
        dy = np.random.default_rng(5).normal(size=y.shape)
        found = derivatives(forward, case, arrays, y, dy)
        for name, derivative in found.items():
            measured = differences(forward, arrays, name, dy)
            close(derivative, measured, 1e-7, f"{op}: d_{name} by differences")
        if row.expansion is not None:
            mechanical = derivatives(expanded, case, arrays, y, dy)
            for name, derivative in found.items():
                close(
                    derivative,
                    mechanical[name],
                    1e-12,
                    f"{op}: d_{name} of the expansion",
                )


def derivatives(
    forward: Program, case: Case, arrays: dict[str, Any], y: Any, dy: Any
) -> dict[str, Any]:
    """dL/d(every operand that has one), through the sweep."""
    wanted = [v for i, v in enumerate(forward.inputs) if i not in case.fixed]
    backward = differentiate(forward, wanted, "backward")
    found = evaluate(backward, {**arrays, "y": y, "d_y": dy}, N)
    assert found.keys() == {f"d_{v.name}" for v in wanted}
    for value in wanted:
        assert found[f"d_{value.name}"].shape == arrays[value.name].shape
    return {value.name: found[f"d_{value.name}"] for value in wanted}


def differences(forward: Program, arrays: dict[str, Any], name: str, dy: Any) -> Any:
    """dL/d(one operand) for L = sum(dy y), by central differences."""
    step = 1e-5
    result = np.zeros_like(arrays[name])
    for place in np.ndindex(result.shape):
        sides = []
        for by in (step, -step):
            moved = arrays[name].copy()
            moved[place] += by
            y = evaluate(forward, {**arrays, name: moved}, N)["y"]
            sides.append((dy * y).sum())
        result[place] = (sides[0] - sides[1]) / (2 * step)
    return result


def close(found: Any, expected: Any, bound: float, what: str) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    assert float(np.abs(found - expected).max()) <= bound * scale, what


@pytest.mark.parametrize("op", CASES)
def test_value_expansion_and_derivative_agree(op: str) -> None:
    """A row's expansion has its value; its derivative is that of its value, and of both."""
    check(op)


@pytest.mark.parametrize("axis", [0, 1])
def test_normalizing_moves_the_mean_and_the_scale_too(axis: int) -> None:
    """The derivative is that of (x - mean(x)) / sqrt(variance(x) + eps), by autograd."""
    import torch

    x = argument("x", ROWS)
    keep = axis == 1
    mean = replace(formulas.mean_over(x, axis=axis, keep=keep), name="mean")
    variance = formulas.mean_over((x - mean) ** 2, axis=axis, keep=keep)
    rstd = replace(formulas.rsqrt(variance + 0.1), name="rstd")
    y = replace(formulas.normalize(x, mean, rstd, axis=axis), name="y")
    forward = verify(Program("forward", (x,), (("y", y),)), "test")
    numbers = np.random.default_rng(3).normal(size=(N, 4))
    t = torch.tensor(numbers, requires_grad=True)
    centred = t - t.mean(dim=axis, keepdim=True)
    expected = centred / (centred.square().mean(dim=axis, keepdim=True) + 0.1).sqrt()
    dy = np.random.default_rng(5).normal(size=(N, 4))
    expected.backward(torch.tensor(dy))
    kept = {"y": y, "rstd": rstd, "mean": mean}
    named = Program("forward", (x,), tuple(kept.items()))
    values = evaluate(named, {"x": numbers}, N)
    close(values["y"], expected.detach().numpy(), 1e-14, "y")
    backward = differentiate(forward, (x,), "backward")
    found = evaluate(backward, {"x": numbers, **values, "d_y": dy}, N)["d_x"]
    assert t.grad is not None
    close(found, t.grad.numpy(), 1e-14, "d_x")


def test_every_row_has_a_case() -> None:
    """A new row fails here until the table above has a case for it, and NumPy a line."""
    assert OPS.keys() == CASES.keys() == LINES.keys()
    assert all(CASES.values())


def test_rows_without_a_derivative_are_those_that_need_none() -> None:
    """A derivative that is lost, or won, is noticed."""
    assert {
        op for op, row in OPS.items() if row.derivative is None
    } == WITHOUT_DERIVATIVE


def test_every_primitive_has_a_line_in_the_torch_target() -> None:
    """What has no expansion has to be written by the target."""
    made_of = {op for op, row in OPS.items() if row.expansion is None}
    assert made_of - TORCH.primitive == NEVER_EMITTED


def test_every_line_of_the_torch_target_is_an_operation() -> None:
    """No line is left of an operation that is gone."""
    assert TORCH.primitive - {"input", "const"} <= OPS.keys()


@pytest.mark.parametrize(
    ("op", "x", "slope"),
    [
        ("relu", 0.0, 0.0),
        ("relu", -0.0, 0.0),
        ("relu", 1e-300, 1.0),
        ("relu", -1e-300, 0.0),
        ("abs", 0.0, 0.0),
        ("abs", 1e-300, 1.0),
        ("abs", -1e-300, -1.0),
    ],
)
def test_slopes_at_kinks_are_those_of_torch(op: str, x: float, slope: float) -> None:
    """relu and abs have slope 0 at 0, of either sign, and theirs right beside it."""
    import torch

    forward = program(op, case(()))
    arrays = {"a0": np.float64(x)}
    y = evaluate(forward, arrays)["y"]
    found = derivatives(forward, case(()), arrays, y, np.float64(1.0))
    assert found["a0"] == slope
    t = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    getattr(torch, op)(t).backward()
    assert t.grad is not None and t.grad.item() == slope


def test_relu_backward_is_closed_at_0() -> None:
    """The fused form has the same slope at 0 as the row it stands for."""
    forward = program("relu_backward", case((3,), (3,)))
    arrays = {"a0": np.ones(3), "a1": np.array([0.0, -0.0, 1e-300])}
    for form in (forward, expand(forward, ELEMENTARY)):
        assert evaluate(form, arrays)["y"].tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("op", "shapes", "attrs"),
    [
        ("add", ((2,), (3,)), {}),
        ("mul", ((2, 3), (2,)), {}),
        ("mm", ((2, 3), (2, 3)), {}),
        ("mm", ((3,), (3, 2)), {}),
        ("linear", ((BATCH, 2), (4, 2), (2,)), {}),
        ("linear", ((BATCH, 2), (2, 4), (4,)), {}),
        ("affine", ((4, 2), (2, BATCH)), {}),
        ("mse", ((BATCH,), COLUMN), {}),
        ("binary_cross_entropy", (ROWS, COLUMN), {}),
        ("cross_entropy", (ROWS, COLUMN), {"axis": 1}),
        ("with_ones", ((BATCH, 4),), {}),
    ],
)
def test_operands_that_do_not_fit_are_refused(
    op: str, shapes: tuple[Shape, ...], attrs: dict[str, Any]
) -> None:
    """Nothing broadcasts that should not; a class target of reals is none."""
    values = [argument(f"a{i}", shape) for i, shape in enumerate(shapes)]
    with pytest.raises(TypeMismatch):
        apply(op, *values, **attrs)


def _one_hot_left_out(dy: Value, y: Value, z: Value, t: Value, axis: int) -> Any:
    return (softmax(z, axis=axis) * (dy / formulas.count(t)), None)


def _divided_by_all(dy: Value, y: Value, z: Value, t: Value, axis: int) -> Any:
    p = apply("minus_one_hot", softmax(z, axis=axis), t, axis=axis)
    return (p * (dy / formulas.count(z)), None)


WRONG_DERIVATIVES: dict[str, tuple[str, Callable[..., Any]]] = {
    "tanh' = (1 - y)^2": ("tanh", lambda dy, y, x: (dy * (1 - y) ** 2,)),
    "tanh' = 1 - x^2": ("tanh", lambda dy, y, x: (dy * (1 - x**2),)),
    "sigmoid' = y": ("sigmoid", lambda dy, y, x: (dy * y,)),
    "sigmoid' without dy": ("sigmoid", lambda dy, y, x: (y * (1 - y),)),
    "relu' = 1": ("relu", lambda dy, y, x: (dy,)),
    "relu' = [y > 1]": ("relu", lambda dy, y, x: (dy * greater(y, 1),)),
    "abs' = 1": ("abs", lambda dy, y, x: (dy,)),
    "sub of the wrong sign": ("sub", lambda dy, y, a, b: (dy, dy)),
    "mul by itself": ("mul", lambda dy, y, a, b: (dy * a, dy * b)),
    "div of the wrong sign": ("div", lambda dy, y, a, b: (dy / b, dy * y / b)),
    "div by b once": ("div", lambda dy, y, a, b: (dy / b, -dy * y)),
    "pow without b - 1": (
        "pow",
        lambda dy, y, a, b: (dy * b * a**b, dy * y * formulas.log(a)),
    ),
    "pow without its log": ("pow", lambda dy, y, a, b: (dy * b * a ** (b - 1), dy * y)),
    "exp' = x": ("exp", lambda dy, y, x: (dy * x,)),
    "log1p' = 1 / x": ("log1p", lambda dy, y, x: (dy / x,)),
    "softmax without its sum": ("softmax", lambda dy, y, x, axis: (y * (dy - dy * y),)),
    "log_softmax by y": (
        "log_softmax",
        lambda dy, y, x, axis: (dy - y * sum_over(dy, axis=axis, keep=True),),
    ),
    "mean without 1/N": (
        "mean",
        lambda dy, y, x: (apply("spread", dy, x, axis=None, keep=False),),
    ),
    "mse without 1/N": ("mse", lambda dy, y, p, t: ((p - t) * (dy * 2), None)),
    "mse without 2": (
        "mse",
        lambda dy, y, p, t: ((p - t) * (dy / formulas.count(p)), None),
    ),
    "mse of the wrong sign": (
        "mse",
        lambda dy, y, p, t: ((t - p) * (dy * 2 / formulas.count(p)), None),
    ),
    "binary cross entropy of logits": (
        "binary_cross_entropy",
        lambda dy, y, z, t: ((z - t) * (dy / formulas.count(z)), None),
    ),
    "binary cross entropy without 1/N": (
        "binary_cross_entropy",
        lambda dy, y, z, t: ((sigmoid(z) - t) * dy, None),
    ),
    "cross entropy without one_hot": ("cross_entropy", _one_hot_left_out),
    "cross entropy over all elements": ("cross_entropy", _divided_by_all),
    "linear, weight gradient transposed": (
        "linear",
        lambda dy, y, x, w, b: (
            mm(dy, w),
            mm(transpose(x), dy),
            sum_over(dy, axis=0, keep=False),
        ),
    ),
    "linear, weight not as it was": (
        "linear",
        lambda dy, y, x, w, b: (
            mm(dy, transpose(w)),
            mm(transpose(dy), x),
            sum_over(dy, axis=0, keep=False),
        ),
    ),
    "linear, bias summed over units": (
        "linear",
        lambda dy, y, x, w, b: (
            mm(dy, w),
            mm(transpose(dy), x),
            sum_over(dy, axis=1, keep=False),
        ),
    ),
    "linear, bias forgotten": (
        "linear",
        lambda dy, y, x, w, b: (mm(dy, w), mm(transpose(dy), x), None),
    ),
    "mm, operands swapped": (
        "mm",
        lambda dy, y, a, b: (mm(transpose(b), dy), mm(dy, transpose(a))),
    ),
    "affine, ones forgotten": (
        "affine",
        lambda dy, y, m, x: (
            mm(dy, transpose(x)),
            mm(transpose(apply("weight_of", m)), dy),
        ),
    ),
    "transpose left as it is": ("transpose", lambda dy, y, a: (dy,)),
    "pick everywhere": (
        "pick",
        lambda dy, y, x, i, axis: (apply("spread", dy, x, axis=axis, keep=True), None),
    ),
}


@pytest.mark.parametrize("fault", WRONG_DERIVATIVES)
def test_a_wrong_derivative_is_found(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each plausible slip in a derivative fails the check that the true rows pass."""
    op, wrong = WRONG_DERIVATIVES[fault]
    check(op)
    monkeypatch.setitem(OPS, op, replace(OPS[op], derivative=wrong))
    with pytest.raises((AssertionError, TypeMismatch)):
        check(op)


WRONG_EXPANSIONS: dict[str, tuple[str, Callable[..., Value]]] = {
    "relu_backward": ("relu_backward", lambda dy, y: dy * greater(dy, 0)),
    "tanh_backward": ("tanh_backward", lambda dy, y: dy * (1 - y) ** 2),
    "sigmoid_backward": ("sigmoid_backward", lambda dy, y: dy * (1 - y)),
    "add_scaled": ("add_scaled", lambda x, y, a: x - a * y),
    "square": ("square", lambda x: 2 * x),
    "dense without its activation": (
        "dense",
        lambda x, w, b, activation: formulas.linear(x, w, b),
    ),
    "dense without its bias": (
        "dense",
        lambda x, w, b, activation: apply(activation, mm(x, transpose(w))),
    ),
    "addmm": ("addmm", lambda c, a, b: mm(a, b) - c),
    "accumulate_mm": (
        "accumulate_mm",
        lambda c, a, b, beta, alpha: c * alpha + mm(a, b) * beta,
    ),
    "accumulate_sum over the wrong axis": (
        "accumulate_sum",
        lambda c, x, beta, alpha: c * beta + x * alpha,
    ),
    "linear without its bias": ("linear", lambda x, w, b: mm(x, transpose(w))),
    "mse without its square": ("mse", lambda p, t: formulas.mean(apply("abs", p - t))),
    "log_softmax of the wrong sign": (
        "log_softmax",
        lambda x, axis: apply("logsumexp", x, axis=axis, keep=True) - x,
    ),
}


@pytest.mark.parametrize("fault", WRONG_EXPANSIONS)
def test_a_wrong_expansion_is_found(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row that is made of others is held to what it is made of."""
    op, wrong = WRONG_EXPANSIONS[fault]
    monkeypatch.setitem(OPS, op, replace(OPS[op], expansion=wrong))
    with pytest.raises((AssertionError, TypeMismatch)):
        check(op)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "pow"])
def test_a_missing_broadcast_sum_is_found(
    op: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the sweep's sum over broadcast axes every row that broadcasts fails."""
    monkeypatch.setattr(sweep, "_unbroadcast", lambda part, arg: part)
    with pytest.raises(AssertionError):
        check(op)


def test_a_wrong_type_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that declares another shape than it gives fails."""
    monkeypatch.setitem(
        OPS, "sum", replace(OPS["sum"], type=lambda x, axis, keep: ((), "real"))
    )
    with pytest.raises(AssertionError):
        check("sum")


def test_gradients_of_a_value_used_twice_add_up() -> None:
    """d(x x + x)/dx = 2 x + 1."""
    x = argument("x", ROWS)
    y = replace(x * x + x, name="y")
    backward = differentiate(Program("forward", (x,), (("y", y),)), (x,), "backward")
    values = np.random.default_rng(0).normal(size=(N, 4))
    arrays = {"x": values, "d_y": np.ones((N, 4))}
    found = evaluate(backward, arrays, N)["d_x"]
    close(found, 2 * values + 1, 1e-15, "2 x + 1")
