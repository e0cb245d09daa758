"""Each pass gives a Program that means the same: measured on drawn Programs and on all specs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from specc.compiler import optimized
from specc.derive.derive import derive
from specc.derive.derived import Derived
from specc.derive.lower import lower
from specc.emit.statements import in_statements
from specc.ir import formulas
from specc.ir.formulas import greater, mm, transpose
from specc.ir.listing import show
from specc.ir.program import InvalidProgram, Program, verify
from specc.ir.rewrite import nameless
from specc.ir.types import TypeMismatch
from specc.ir.value import BATCH, Value, apply, argument, constant, is_constant, named
from specc.passes.buffers import buffers
from specc.passes.descend import descend
from specc.passes.expand import expand
from specc.passes.fuse import fuse
from specc.passes.layout import layout
from specc.passes.share import share
from specc.passes.simplify import simplify
from specc.targets.numpy.operations import NUMPY
from specc.targets.torch.operations import TORCH
from specc.verify.reference.interpreter import concrete, evaluate
from tests.cases.modules import checked
from tests.cases.networks import CASES as SPECS

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")

N = 3
SEEDS = range(25)
PASSES: dict[str, Callable[[Program], Program]] = {
    "simplify": simplify,
    "expand": lambda program: expand(program, TORCH.primitive),
    "share": share,
    "fuse": lambda program: fuse(program, TORCH.primitive),
    "buffers": buffers,
}
ORDER = ("simplify", "expand", "share", "fuse", "simplify", "buffers")


def derived(name: str) -> Derived:
    return derive(lower(checked(SPECS[name])), TORCH)


def drawn(seed: int) -> Program:
    """Draw a Program full of what the passes look for: ones, zeros, turns, equal parts."""
    draw = np.random.default_rng(seed)
    square = (4, 4)
    pool = [argument("x", square), argument("y", square), argument("z", square)]
    inputs = (*pool, argument("s"))
    scalars = [inputs[-1], *(constant(n) for n in (0.0, 1.0, -1.0, 2.0, 0.5))]

    def any_of(values: list[Value]) -> Value:
        return values[draw.integers(len(values))]

    def one() -> Value:
        return any_of(pool)

    makers: list[Callable[[], Value]] = [
        lambda: one() + any_of(scalars),
        lambda: any_of(scalars) + one(),
        lambda: one() - any_of(scalars),
        lambda: any_of(scalars) * one(),
        lambda: one() * any_of(scalars),
        lambda: one() / any_of([constant(1.0), constant(2.0)]),
        lambda: one() + one() * any_of(scalars),
        lambda: one() - one() * any_of(scalars),
        lambda: one() * greater(one(), 0),
        lambda: one() * (1 - one() ** 2),
        lambda: formulas.mean(one()) * one(),
        lambda: -one(),
        lambda: formulas.tanh(one()),
        lambda: formulas.relu(one()),
        lambda: formulas.tanh(one()) ** any_of([constant(1.0), constant(2.0)]),
        lambda: apply("transpose", one()),
        lambda: formulas.tanh(mm(one(), one()) + one()),
        lambda: formulas.softmax(one(), axis=1),
        lambda: formulas.sigmoid(one()),
    ]
    for i in range(14):
        value = makers[draw.integers(len(makers))]()
        if value.op == "transpose" and value.args[0].op == "input":
            value = -value  # a view that is a result has a case of its own
        if draw.random() < 0.4:
            value = named(value, f"v{i}")
        if value.shape:
            pool.append(value)
    results = [formulas.tanh(pool[-1] + pool[-2]), pool[-3] * 2 + pool[-4]]
    outputs = tuple((f"r{i}", named(v, f"r{i}")) for i, v in enumerate(results))
    return verify(Program("drawn", inputs, outputs), "test")


def arrays(program: Program, seed: int = 0) -> dict[str, Any]:
    """Draw every argument of a Program; class indices are below 2."""
    draw = np.random.default_rng(seed)
    found = {}
    for value in program.inputs:
        shape = concrete(value.shape, N)
        real = value.dtype == "real"
        low = 0.2 if value.name.endswith(("_var", "_std", "_variance")) else -1
        found[value.name] = (
            draw.uniform(low, 1, shape) if real else draw.integers(2, size=shape)
        )
    return found


def equal(before: Program, after: Program) -> None:
    """Both give the same results, by name, in the same order."""
    given = arrays(before)
    expected, found = evaluate(before, given, N), evaluate(after, given, N)
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-12)


def size(program: Program) -> int:
    return sum(value.op not in ("input", "const") for value in program.values)


@pytest.mark.parametrize("change", PASSES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_pass_keeps_the_value_of_drawn_programs(seed: int, change: str) -> None:
    """Each pass alone, on a Program that no compilation made."""
    program = drawn(seed)
    equal(program, verify(PASSES[change](program), change))


@pytest.mark.parametrize("seed", SEEDS)
def test_all_passes_in_turn_keep_the_value_of_drawn_programs(seed: int) -> None:
    program = before = drawn(seed)
    for change in ORDER:
        program = verify(PASSES[change](program), change)
    equal(before, program)


@pytest.mark.parametrize("name", SPECS)
def test_the_passes_keep_the_value_of_every_program_of_a_spec(name: str) -> None:
    """Before and after each pass, in the compiler's order; at the end what it ends with."""
    raw = derived(name)
    made = optimized(raw, TORCH).programs
    for program, end in zip(raw.programs, made, strict=True):
        before = program
        for change in ORDER:
            after = verify(PASSES[change](program), change)
            if change == "buffers":
                after = buffers(program, raw.overwritten.get(program.name))
            if change == "expand" and program.name in raw.formulas:
                after = nameless(after)
            equal(program, after)
            program = after
        equal(before, end)
        assert show(program) == show(end)


def _affected(program: Program) -> Iterator[tuple[str, Program]]:
    """Programs that a careless pass could have made of `program`."""
    name, result = program.outputs[0]
    for what, wrong in {
        "sign": -result,
        "factor": 2 * result,
        "term": 1 + result,
    }.items():
        yield what, replace(program, outputs=((name, wrong), *program.outputs[1:]))


def test_another_value_is_told_apart() -> None:
    """The comparison of these tests fails for a wrong sign, factor or term."""
    for _, wrong in _affected(drawn(0)):
        with pytest.raises(AssertionError):
            equal(drawn(0), wrong)


X = argument("x", (BATCH, 4))
Y = argument("y", (BATCH, 4))
W = argument("w", (4, 4))
S = argument("s")
PARTS: dict[str, Value] = {"X": X, "Y": Y, "S": S}
SIMPLER: dict[str, tuple[Value, str]] = {
    "x + 0": (X + 0, "X"),
    "0 + x": (0 + X, "X"),
    "x - 0": (X - 0, "X"),
    "x * 1": (X * 1, "X"),
    "1 * x": (1 * X, "X"),
    "x / 1": (X / 1, "X"),
    "x ^ 1": (X**1, "X"),
    "-(-x)": (apply("neg", -X), "X"),
    "x^T^T": (apply("transpose", apply("transpose", X)), "X"),
    "s * 1": (S * 1, "S"),
    "1 * (x + 0)": (1 * (X + 0), "X"),
}


@pytest.mark.parametrize("rule", SIMPLER)
def test_simplify_drops_what_changes_nothing(rule: str) -> None:
    value, part = SIMPLER[rule]
    found = simplify(Program("p", (X, Y, W, S), (("r", value),)))
    assert found.output("r") is PARTS[part]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (constant(2) + 3, 5),
        (constant(2) - 3, -1),
        (constant(2) * 3, 6),
        (constant(3) / 2, 1.5),
        (constant(2) ** 3, 8),
        (-constant(2), -2),
        (formulas.exp(constant(0.5)), np.exp(0.5)),
        (formulas.floor(constant(-0.5)), -1),
        ((constant(2) + 3) * (constant(1) - 3), -10),
    ],
)
def test_simplify_folds_constants(value: Value, number: float) -> None:
    found = simplify(Program("p", (), (("r", value),))).output("r")
    assert is_constant(found, number)


@pytest.mark.parametrize(
    "value", [2 * X, S * X, X * 2, X * S, X * Y, S * S, 2 * (S * X)], ids=range(7)
)
def test_simplify_puts_a_scalar_factor_second(value: Value) -> None:
    program = Program("p", (X, Y, S), (("r", value),))
    found = simplify(program)
    equal(program, found)
    for product in (v for v in found.values if v.op == "mul"):
        first, second = product.args
        assert first.shape or not second.shape


def test_simplify_turns_a_factor_minus_1_into_a_sign() -> None:
    found = simplify(Program("p", (X,), (("r", -1 * X),))).output("r")
    assert (found.op, found.args) == ("neg", (X,))


@pytest.mark.parametrize(
    "value", [X + 1, X - 1, 0 - X, X * 0, X * 2, X / 2, 1 / X, X**2, -X]
)
def test_simplify_leaves_what_changes_something(value: Value) -> None:
    found = simplify(Program("p", (X,), (("r", value),))).output("r")
    assert found.op == value.op


def test_simplify_keeps_the_name_of_what_it_rewrites() -> None:
    found = simplify(Program("p", (X,), (("r", named(2 * X, "r")),))).output("r")
    assert (found.name, found.args[0]) == ("r", X)


def test_share_merges_equal_expressions() -> None:
    """exp(x y) + exp(x y) computes one product and one exponential."""
    program = Program("p", (X, Y), (("r", formulas.exp(X * Y) + formulas.exp(X * Y)),))
    found = share(program)
    assert (size(program), size(found)) == (5, 3)
    assert found.output("r").args[0] is found.output("r").args[1]
    equal(program, found)


def test_share_keeps_apart_what_differs() -> None:
    """Other operands, another order, other attributes, other operations are other things."""
    parts = [
        X * Y,
        Y * X,
        X - Y,
        Y - X,
        formulas.softmax(X, axis=0),
        formulas.softmax(X, axis=1),
    ]
    program = Program("p", (X, Y), tuple((f"r{i}", v) for i, v in enumerate(parts)))
    assert size(share(program)) == len(parts)


def test_share_keeps_the_first_name() -> None:
    both = (named(X * Y, "first"), X * Y)
    program = Program("p", (X, Y), (("r", both[0] + both[1]),))
    assert [v.name for v in share(program).output("r").args] == ["first", "first"]


WIDE_X = argument("wide_x", (BATCH, 64))
WIDE_W = argument("wide_w", (64, 64))
WIDE_B = argument("wide_b", (64,))
A = argument("a", (BATCH, 64))


def _wide_layer() -> Value:
    return named(mm(WIDE_X, transpose(WIDE_W)) + WIDE_B, "z")


FUSED: dict[str, tuple[Value, str]] = {
    "relu_backward": (named(X * greater(Y, 0), "r"), "relu_backward"),
    "tanh_backward": (named(X * (1 - apply("square", Y)), "r"), "tanh_backward"),
    "tanh_backward of a power": (named(X * (1 - Y**2), "r"), "tanh_backward"),
    "add_scaled": (X + Y * S, "add_scaled"),
    "add_scaled, minus": (X - Y * S, "add_scaled"),
    "square": (X**2, "square"),
    "addmm": (mm(X, W) + argument("b", (4,)), "addmm"),
    "dense, relu": (named(formulas.relu(_wide_layer()), "r"), "dense"),
    "dense, tanh": (named(formulas.tanh(_wide_layer()), "r"), "dense"),
}


def everything(value: Value) -> Program:
    """A Program of one result, with all arguments that it has."""
    bare = Program("p", (), (("r", value),))
    inputs = tuple(v for v in bare.values if v.op == "input")
    return verify(Program("p", inputs, (("r", value),)), "test")


@pytest.mark.parametrize("rule", FUSED)
def test_fuse_makes_one_operation(rule: str) -> None:
    value, op = FUSED[rule]
    program = everything(value)
    found = verify(fuse(program, TORCH.primitive), "fuse")
    assert found.output("r").op == op
    equal(program, found)


def test_fuse_knows_the_slope_of_sigmoid() -> None:
    """dy y (1 - y), where y is one and the same Value."""
    program = everything(named(X * Y * (1 - Y), "r"))
    found = fuse(program, TORCH.primitive)
    assert [v.op for v in found.values if v.args] == ["sigmoid_backward"]
    equal(program, found)


@pytest.mark.parametrize(
    "value",
    [
        named(X * greater(Y, 1), "r"),
        X * greater(Y, 0),
        X * (1 - Y**2),
        named(X * (2 - Y**2), "r"),
        named(X * (1 - Y**3), "r"),
        named(X * Y * (1 - X), "r"),
        named(X * Y * (1 - argument("z", (BATCH, 4))), "r"),
        X**3,
        S**2,
        S + S * S,
        X + X * Y,
        formulas.relu(mm(X, transpose(W)) + argument("b", (4,))),
    ],
    ids=range(12),
)
def test_fuse_leaves_what_only_looks_alike(value: Value) -> None:
    """Another constant, another operand, no name, no array: no kernel is right for it."""
    program = everything(value)
    found = verify(fuse(program, TORCH.primitive), "fuse")
    equal(program, found)
    assert found.output("r").op == value.op


@pytest.mark.parametrize("name", ["wide", "wide_no_bias", "wide_last"])
def test_wide_products_of_rows_are_fused(name: str) -> None:
    ops_of = [v.op for p in optimized(derived(name), TORCH).programs for v in p.values]
    assert "wide_mm" in ops_of


@pytest.mark.parametrize("name", ["digits", "columns_wide", "columns_wide_no_bias"])
def test_products_of_columns_are_not_fused(name: str) -> None:
    """Their buffers carry a row of ones or are looked at turned, so they are written in place."""
    found = derived(name)
    assert found.columns
    ops_of = {v.op for p in optimized(found, TORCH).programs for v in p.values}
    assert not ops_of & {"dense", "wide_mm"}


def test_a_layer_that_is_read_twice_is_not_fused() -> None:
    """Its own value is needed, which a fused layer does not leave behind."""
    z = _wide_layer()
    program = everything(named(formulas.relu(z), "r") * z)
    found = fuse(program, TORCH.primitive)
    assert "dense" not in {value.op for value in found.values}
    equal(program, found)


@pytest.mark.parametrize("name", SPECS)
def test_expand_leaves_only_what_the_target_has(name: str) -> None:
    for program in derived(name).programs:
        found = expand(program, TORCH.primitive)
        assert {value.op for value in found.values} <= TORCH.primitive


def test_expand_goes_down_to_the_primitives() -> None:
    """A composite of composites is expanded to the end, and keeps its name."""
    t = argument("t", (BATCH, 1), "int")
    loss = named(formulas.cross_entropy(X, t), "loss")
    small = TORCH.primitive - {"log_softmax", "softmax"} | {"logsumexp"}
    found = expand(Program("p", (X, t), (("loss", loss),)), small)
    assert {value.op for value in found.values} <= small
    assert found.output("loss").name == "loss"


def test_expand_refuses_what_nothing_can_write() -> None:
    with pytest.raises(AssertionError, match="no target text and no expansion: place"):
        at = argument("at", (BATCH, 1), "int")
        placed = apply("place", formulas.sum_over(X, axis=1, keep=True), X, at, axis=1)
        expand(everything(placed), TORCH.primitive)


@pytest.mark.parametrize(
    ("wide", "columns"), [(127, True), (128, True), (129, False), (200, False)]
)
def test_layout_is_chosen_by_the_largest_weight(wide: int, columns: bool) -> None:
    """128 by 128 is 16,384 numbers, the most for which samples are columns."""
    text = SPECS["chain"].replace("linear(5) linear(6)", f"linear(128) linear({wide})")
    found = derive(lower(checked(text)), TORCH)
    assert found.columns is columns
    x = found.forward.inputs[0]
    assert x.shape == ((4, BATCH) if columns else (BATCH, 4))


TURNED = [
    name
    for name, text in SPECS.items()
    if "_norm" not in text and not checked(text).rows_differ
]
"""A norm's vectors of features would have to be turned too, and rows of another width are no
view of columns: `derive` leaves both as they are."""


@pytest.mark.parametrize("name", TURNED)
def test_layout_turns_samples_and_nothing_else(name: str) -> None:
    """The turned forward Program on turned arrays gives the turned result."""
    program = lower(checked(SPECS[name])).forward
    turned = verify(layout(program), "layout")
    given = arrays(program)
    batches = {v.name for v in program.inputs if BATCH in v.shape}
    other = {k: v.T if k in batches else v for k, v in given.items()}
    for weight in [k for k in given if k.endswith("_weight")]:
        layer = weight.removesuffix("_weight")
        if f"{layer}_bias" in given:
            bias = given[f"{layer}_bias"][:, None]
            other[f"{layer}_matrix"] = np.hstack([given[weight], bias])
    assert {v.name for v in turned.inputs} <= other.keys()
    ((result, expected),) = evaluate(program, given, N).items()
    found = evaluate(turned, other, N)[result]
    np.testing.assert_allclose(found, expected.T, rtol=1e-12, atol=1e-13)


WIDE = SPECS["chain"].replace("linear(5) linear(6)", "linear(150) relu linear(130)")
OPTIMIZERS = {
    "sgd(lr=0.1)": True,
    "sgd(lr=0.1, momentum=0.9)": False,
    "sgd(lr=0.1, momentum=0.9, nesterov=true)": False,
    "sgd(lr=0.1, weight_decay=0.01)": False,
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_backward_writes_the_update_of_plain_sgd_alone(optimizer: str) -> None:
    text = WIDE.replace("sgd(lr=0.1)", optimizer)
    assert derive(lower(checked(text)), TORCH).descends is OPTIMIZERS[optimizer]


def test_backward_of_a_small_network_writes_gradients() -> None:
    assert not derived("chain").descends


def _accumulating() -> tuple[Program, Program, tuple[Value, ...]]:
    """The backward Program of WIDE before and after, and its parameters."""
    lowered = lower(checked(WIDE))
    momentum = WIDE.replace("sgd(lr=0.1)", "sgd(lr=0.1, momentum=0.9)")
    before = derive(lower(checked(momentum)), TORCH).backward
    parameters = lowered.forward.inputs[1:]
    return before, derive(lowered, TORCH).backward, parameters


@pytest.mark.parametrize(("beta", "alpha"), [(0, 1), (1, -0.5), (0.25, 3)])
def test_descend_adds_to_what_was_there(beta: float, alpha: float) -> None:
    before, after, parameters = _accumulating()
    given = arrays(after) | {"beta": np.float64(beta), "alpha": np.float64(alpha)}
    gradients = evaluate(before, given, N)
    found = evaluate(after, given, N)
    assert {f"d_{value.name}" for value in parameters} == gradients.keys()
    for name, gradient in gradients.items():
        expected = beta * given[name] + alpha * gradient
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-12)


def test_descend_refuses_an_order_in_which_a_changed_parameter_is_read() -> None:
    before, after, parameters = _accumulating()
    assert descend(before, parameters) is None, "each layer's parameters come first"
    assert [name for name, _ in after.outputs][0] == "d_linear2"


def test_descend_refuses_a_derivative_that_is_no_product() -> None:
    before, _, parameters = _accumulating()
    (name, value), *rest = before.outputs
    other = replace(before, outputs=((name, value * 2), *rest))
    assert descend(other, parameters) is None


ACCUMULATING = frozenset({"accumulate_mm", "wide_accumulate_mm", "accumulate_sum"})
"""Operations that write over their first operand, and perhaps over the parameter itself."""

ELEMENTWISE = frozenset(
    "add sub mul div neg exp log log1p abs relu tanh sigmoid add_scaled square"
    " relu_backward tanh_backward sigmoid_backward minus_one_hot minus_hot sqrt minimum"
    " maximum addcmul addcdiv rsqrt".split()
)
"""Operations that read an element of an operand before they write the same one."""


def run(program: Program) -> None:
    """Follow the statements in their order; fail where one reads what is written over.

    A slot holds the Value that was written to it last. A statement reads, through the
    expression that it is, the Values with slots and the arguments below it.
    """
    holds: dict[str, Value] = {value.name: value for value in program.inputs}
    done = []
    for value in in_statements(program):
        if not value.slot:  # a number with a name, which nothing is written over
            continue
        for read, looked_at in _reads(value):
            slot = read.slot or read.name
            assert (
                holds.get(slot) is read
            ), f"{value.name or value.op} reads {slot} too late"
            if slot == value.slot and value.op in ACCUMULATING:
                assert read is value.args[0]
            elif slot == value.slot:
                assert value.op in ELEMENTWISE and not looked_at, value.op
        written = holds.setdefault(value.slot, value)
        assert written.shape == value.shape, f"{value.slot} has two shapes"
        holds[value.slot] = value
        if value.op in ACCUMULATING:
            holds[value.slot.removeprefix("d_")] = value
        done.append(value)
    assert set(done) == {value for value in program.values if value.slot}
    for name, value in program.outputs:
        if value.slot:
            assert holds[value.slot] is value, f"{name} is written over"


def _reads(value: Value) -> Iterator[tuple[Value, bool]]:
    """What a statement reads, and whether it does through a view."""
    for arg in value.args:
        if arg.op == "const":
            continue
        if arg.slot or arg.op == "input":
            yield arg, False
        else:
            for read, looked_at in _reads(arg):
                yield read, looked_at or arg.row.view


@pytest.mark.parametrize("name", SPECS)
def test_no_statement_reads_what_is_written_over(name: str) -> None:
    """No two Values that are needed at the same time share a slot, in any Program."""
    for program in optimized(derived(name), TORCH).programs:
        run(program)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_drawn_program_reads_what_is_written_over(seed: int) -> None:
    program = drawn(seed)
    run(buffers(program))
    for change in ORDER:
        program = PASSES[change](program)
    run(program)


@pytest.mark.parametrize("name", ["wide", "no_bias", "wide_no_bias", "axes_classes"])
def test_every_gradient_is_written_to_a_buffer(name: str) -> None:
    """A result without a slot would leave the buffer of a gradient as it was."""
    found = optimized(derived(name), TORCH).backward
    assert [n for n, value in found.outputs if value.slot != n] == []


def test_an_update_that_comes_too_early_is_found() -> None:
    """A planted fault: the parameters of a layer before what it passes on."""
    good = optimized(derive(lower(checked(WIDE)), TORCH), TORCH).backward
    run(good)
    outputs = sorted(good.outputs, key=lambda output: output[0] == "d_linear2")
    bad = replace(good, outputs=tuple(outputs))
    with pytest.raises(AssertionError, match="linear3_weight too late"):
        run(bad)
    found = derive(lower(checked(WIDE)), TORCH)
    with pytest.raises(InvalidProgram, match="backward reads linear3_weight too late"):
        buffers(bad, found.overwritten["backward"])


def test_a_result_that_is_a_view_is_written_to_a_buffer() -> None:
    program = everything(named(apply("transpose", named(formulas.tanh(X), "h")), "r"))
    assert buffers(program).output("r").slot == "r"


def test_one_buffer_takes_a_chain_of_values_that_nobody_else_reads() -> None:
    """tanh(-(x y)) needs one buffer; where the product is read again it has its own."""
    product = named(X * Y, "product")
    alone = buffers(everything(named(formulas.tanh(-product), "r")))
    assert {value.slot for value in alone.values if value.args} == {"r"}
    again = buffers(everything(named(formulas.tanh(-product), "h") + product))
    slots = {value.name: value.slot for value in again.values if value.name}
    assert slots["product"] == "product" != slots["h"]


def test_what_broadcasting_stretches_is_not_written_over() -> None:
    """A row of numbers cannot hold the array that it is added to."""
    row = named(formulas.tanh(argument("b", (4,))), "row")
    program = buffers(everything(named(row + X, "r")))
    run(program)
    assert program.output("r").args[0].slot == "row"


def test_an_argument_is_never_written_over_unasked() -> None:
    found = buffers(everything(named(formulas.tanh(X), "r")))
    assert found.output("r").slot == "r"


def test_buffers_refuses_to_write_over_what_is_read_later() -> None:
    """theta is written before velocity reads it: no order of statements helps."""
    theta, velocity = argument("theta", (5,)), argument("velocity", (5,))
    new = theta - velocity
    program = Program(
        "update", (theta, velocity), (("theta", new), ("velocity", velocity + theta))
    )
    with pytest.raises(InvalidProgram, match="update reads theta too late"):
        buffers(program, derived("chain").overwritten["update"])


def _shared_slot(program: Program) -> Program:
    """Put two Values that are alive together into one slot."""
    (name, result), *rest = program.outputs
    first, second = result.args
    both = tuple(replace(v, slot="same") for v in (first, second))
    return replace(program, outputs=((name, replace(result, args=both)), *rest))


def test_a_slot_that_two_live_values_share_is_found() -> None:
    """The simulation of these tests sees the planted fault."""
    h, g = named(formulas.tanh(X), "h"), named(formulas.exp(X), "g")
    program = buffers(everything(named(h - g, "r") + h * g))
    run(program)
    damaged = buffers(everything(named(h - g, "r")))
    run(damaged)
    with pytest.raises(AssertionError, match="too late"):
        run(_shared_slot(damaged))


def test_verify_takes_what_is_right() -> None:
    program = everything(named(X * Y, "r"))
    assert verify(program, "test") is program


DAMAGE: dict[str, tuple[Program, str]] = {
    "wrong shape": (
        Program("p", (X, Y), (("r", replace(X * Y, shape=(4, 4))),)),
        r"after test, program `p`: mul is real\[batch, 4\]",
    ),
    "wrong type": (
        Program("p", (X, Y), (("r", replace(X * Y, dtype="bool")),)),
        "mul is real",
    ),
    "wrong shape inside": (
        Program("p", (X, Y), (("r", -replace(X * Y, shape=(4,))),)),
        "mul is real",
    ),
    "foreign argument": (Program("p", (X,), (("r", X * Y),)), "`y` is no argument"),
    "an argument of the same name": (
        Program("p", (argument("x", (BATCH, 4)), Y), (("r", X * Y),)),
        "`x` is no argument",
    ),
    "one name twice": (
        Program("p", (X, Y), (("r", named(X * Y, "h") + named(X - Y, "h")),)),
        "two values are called `h`",
    ),
    "an argument's name": (
        Program("p", (X, Y), (("r", named(X * Y, "x")),)),
        "two values are called `x`",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_verify_finds_damage(damage: str) -> None:
    program, says = DAMAGE[damage]
    with pytest.raises(InvalidProgram, match=says):
        verify(program, "test")


def test_verify_finds_operands_that_do_not_fit() -> None:
    product = replace(X * Y, args=(X, W))
    with pytest.raises(TypeMismatch):
        verify(Program("p", (X, W), (("r", product),)), "test")


def test_the_compiler_verifies_after_each_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that breaks a Program is named in the error."""
    from specc.passes import pipeline

    def broken(program: Program) -> Program:
        (name, result), *rest = program.outputs
        wrong = replace(result, shape=(7, *result.shape))
        return replace(program, outputs=((name, wrong), *rest))

    monkeypatch.setattr(pipeline, "share", broken)
    with pytest.raises(InvalidProgram, match="after share"):
        optimized(derived("relu"), TORCH)


@pytest.mark.parametrize("name", SPECS)
def test_a_target_gets_no_operation_that_it_lacks(name: str) -> None:
    """What fuse knows beyond numpy's operations it does not make there."""
    found = optimized(derive(lower(checked(SPECS[name])), NUMPY), NUMPY)
    used = {value.op for program in found.programs for value in program.values}
    assert used <= NUMPY.primitive
    assert not found.columns and not found.descends and found.step_loss is None


@pytest.mark.parametrize("name", SPECS)
def test_without_a_workspace_every_array_has_a_name_of_its_own(name: str) -> None:
    found = optimized(derive(lower(checked(SPECS[name])), NUMPY), NUMPY)
    for program in (found.forward, found.loss_gradient, found.backward):
        slots = [value.slot for value in program.values if value.slot]
        assert len(slots) == len(set(slots))
        assert all(v.slot in ("", v.name) for v in program.values)
