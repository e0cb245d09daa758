"""One line of C an operation: of vectors of the compiler's own type, and of plain numbers.

`{0}`, `{1}` are the operands. What looks along the axis of a sample takes a row: a pointer to its
first number, and how many there are. Products are no lines: `printing/` calls their kernels.
"""

from __future__ import annotations

from dataclasses import replace

from specc.emit.language import (
    ATOM,
    CHOICE,
    COMPARISON,
    IN_LIBM,
    INFIX,
    PRODUCT,
    SUM,
    Text,
)
from specc.targets.numpy_words import ARRAY_WORDS, NUMBERS_ALONE

TENSOR: dict[str, Text] = {
    **{op: Text(*INFIX[op]) for op in ("add", "sub", "mul", "div", "neg")},
    "exp": Text("vexp({0})"),
    "log": Text("vlog({0})"),
    "log1p": Text("vlog1p({0})"),
    "abs": Text("vabs({0})"),
    **{op: Text(f"v{op}({{0}})") for op in "expm1 sqrt sin cos erf sign floor".split()},
    "minimum": Text("vmin({0}, {1})"),
    "maximum": Text("vmax({0}, {1})"),
    "where": Text("pick({0}, {1}, {2})"),
    "spread": Text("fill({0})"),
    "norm": Text("norm({0})"),
    "square": Text("vsquare({0})"),
    "pow": Text("vpow({0}, {1})"),
    "relu": Text("activated(RELU, {0})"),
    "tanh": Text("activated(TANH, {0})"),
    "sigmoid": Text("activated(SIGMOID, {0})"),
    "relu_backward": Text("through(RELU, {0}, {1})"),
    "tanh_backward": Text("through(TANH, {0}, {1})"),
    "sigmoid_backward": Text("through(SIGMOID, {0}, {1})"),
    **{
        op: Text(f"HOLDS({INFIX[op][0]})", ATOM, INFIX[op][2])
        for op in "greater less greater_equal less_equal equal not_equal".split()
    },
    "both": Text("({0}) & ({1})", ATOM),
    "double": Text("(double){0}", ATOM, (ATOM,)),
    "rounded": Text("(real){0}", ATOM, (ATOM,)),
    # Of a row: one number for each sample.
    "logsumexp": Text("logsumexp({0}, {width})"),
    "argmax": Text("argmax({0}, {width})"),
    "pick": Text("{0}[{1}]"),
    # Statements of their own.
    "log_softmax": Text("log_softmax"),
    "softmax": Text("softmax"),
    "minus_one_hot": Text("minus_one_hot"),
    "minus_hot": Text("minus_hot"),
    "linear": Text("dense"),
    "mm": Text("product"),
    "transpose": Text("{0}"),
    "accumulate_mm": Text("gradient"),
    "accumulate_sum": Text("gradient"),
    "concat": Text("concat"),
    "part": Text("part"),
    "reshape": Text("reshape"),
    "swap": Text("swap"),
    "mean_over": Text("mean_over"),
    "normalize_backward": Text("normalize_backward"),
    "rsqrt": Text("1 / vsqrt({0})", PRODUCT),
    "mean": Text("mean"),
    "total": Text("total"),
    "share": Text("share"),
    "sum": Text("sum"),
}

SCALAR: dict[str, Text] = {
    **{op: Text(*pattern) for op, pattern in INFIX.items()},
    "pow": Text("pow({0}, {1})"),
    **{op: Text(f"{op}({{0}})") for op in IN_LIBM},
    "abs": Text("fabs({0})"),
    "sign": Text("({0} > 0) - ({0} < 0)", SUM, (SUM,)),
    "relu": Text("fmax({0}, 0)"),
    "square": Text("pow({0}, 2)"),
    "rsqrt": Text("1 / sqrt({0})", PRODUCT),
    "sigmoid": Text("1 / (1 + exp(-{0}))", PRODUCT, (ATOM,)),
    "minimum": Text("fmin({0}, {1})"),
    "maximum": Text("fmax({0}, {1})"),
    "where": Text("{0} ? {1} : {2}", CHOICE, (COMPARISON, COMPARISON, COMPARISON)),
}

C = replace(
    NUMBERS_ALONE,
    name="c",
    tensor=TENSOR,
    scalar=SCALAR,
    words=replace(
        ARRAY_WORDS,
        needs=(
            "It needs NumPy and, once, a C compiler (to save and load, safetensors too), no"
            " autograd: every derivative is written out, beside its derivation."
        ),
    ),
    descends="always",
    copies=True,
    workspace=True,
)
"""Its module in Python is one over NumPy arrays."""
