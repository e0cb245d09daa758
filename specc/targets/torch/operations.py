"""One line of torch an operation, and of plain Python for a scalar.

`plain` is an expression, `into` writes to a kept buffer `{out}`, `over` is a method that overwrites
the first operand; `{0}`, `{1}` are the operands, other names the attributes.
"""

from __future__ import annotations

from specc.emit.language import ATOM, FREE, INFIX, NUMBERS, Language, Text, Words
from specc.targets.torch.statements import WorkspacePrinter

_METHOD = (ATOM, FREE, FREE)


def _infix(op: str, torch_name: str) -> Text:
    plain, binds, needs = INFIX[op]
    into = f"torch.{torch_name}({{0}}, {{1}}, out={{out}})"
    return Text(plain, binds, needs, into, f".{torch_name}_({{1}})")


def _unary(torch_name: str) -> Text:
    into = f"torch.{torch_name}({{0}}, out={{out}})"
    return Text(f"{{0}}.{torch_name}()", ATOM, _METHOD, into, f".{torch_name}_()")


def _call(name: str, arguments: str, out: str = "") -> Text:
    into = f"{name}({arguments}, {out}={{out}})" if out else ""
    return Text(f"{name}({arguments})", ATOM, into=into)


def _clamp(torch_name: str) -> Text:
    into = f"torch.{torch_name}({{0}}, {{1}}, out={{out}})"
    return Text(
        f"{{0}}.{torch_name}({{1}})", ATOM, _METHOD, into, f".{torch_name}_({{1}})"
    )


def _along(torch_name: str) -> Text:
    into = f"torch.{torch_name}({{0}}, dim={{axis}}{{keep}}, out={{out}})"
    return Text(f"{{0}}.{torch_name}(dim={{axis}}{{keep}})", ATOM, _METHOD, into)


def _scaled(torch_name: str) -> Text:
    arguments = "{1}, {2}, value={3}"
    return Text(
        f"{{0}}.{torch_name}({arguments})",
        ATOM,
        (*_METHOD, FREE),
        f"torch.{torch_name}({{0}}, {arguments}, out={{out}})",
        f".{torch_name}_({arguments})",
    )


TENSOR: dict[str, Text] = {
    "add": _infix("add", "add"),
    "sub": _infix("sub", "sub"),
    "mul": _infix("mul", "mul"),
    "div": _infix("div", "div"),
    "pow": Text(*INFIX["pow"], into="torch.pow({0}, {1}, out={out})"),
    "neg": Text(*INFIX["neg"], into="torch.neg({0}, out={out})", over=".neg_()"),
    "exp": _unary("exp"),
    "log": _unary("log"),
    "log1p": _unary("log1p"),
    "abs": _unary("abs"),
    **{op: _unary(op) for op in "expm1 sqrt rsqrt sin cos erf sign floor".split()},
    "minimum": _clamp("clamp_max"),
    "maximum": _clamp("clamp_min"),
    "where": Text("torch.where({0}, {1}, {2})"),
    "spread": Text("torch.full_like({1}, {0})", into="{out}.copy_({0})"),
    "relu": Text(
        "{0}.relu()", ATOM, _METHOD, "torch.clamp_min({0}, 0, out={out})", ".relu_()"
    ),
    "tanh": _unary("tanh"),
    "sigmoid": _unary("sigmoid"),
    "softmax": Text(
        "{0}.softmax(dim={axis})",
        ATOM,
        _METHOD,
        "torch.softmax({0}, dim={axis}, out={out})",
    ),
    "log_softmax": Text(
        "{0}.log_softmax(dim={axis})",
        ATOM,
        _METHOD,
        "torch.log_softmax({0}, dim={axis}, out={out})",
    ),
    **{
        op: Text(*INFIX[op])
        for op in "greater less greater_equal less_equal equal not_equal both".split()
    },
    "double": Text("{0}.double()", ATOM, _METHOD),
    "rounded": Text("{0}.to({1}.dtype)", ATOM, (ATOM, ATOM)),
    "argmax": Text("{0}.argmax(dim={axis}, keepdim=True)", ATOM, _METHOD),
    "pick": Text("{0}.gather({axis}, {1})", ATOM, _METHOD),
    "minus_one_hot": Text(
        '{0}.scatter({axis}, {1}, -1, reduce="add")',
        ATOM,
        _METHOD,
        over='.scatter_({axis}, {1}, -1, reduce="add")',
    ),
    "minus_hot": Text(
        '{0}.scatter({axis}, {1}, -{height}, reduce="add")',
        ATOM,
        _METHOD,
        over='.scatter_({axis}, {1}, -{height}, reduce="add")',
    ),
    "concat": Text(
        "torch.cat([{all}], dim={axis})",
        into="torch.cat([{all}], dim={axis}, out={out})",
    ),
    "part": Text("{0}.narrow({axis}, {start}, {size})", ATOM, _METHOD),
    "reshape": Text("{0}.reshape(-1, {width})", ATOM, _METHOD, fresh=True),
    "swap": Text(
        "{0}.reshape(-1, {size}, {width}).mT.reshape(-1, {size})",
        ATOM,
        _METHOD,
        "{out}.view(-1, {width}, {size}).copy_({0}.reshape(-1, {size}, {width}).mT)",
    ),
    "sum": _along("sum"),
    "mean_over": _along("mean"),
    "norm": Text("{0}.norm().item()", ATOM, _METHOD),
    "mean": Text("{0}.mean()", ATOM, _METHOD),
    "total": Text("{0}.sum()", ATOM, _METHOD),
    "share": Text("{0}.double().mean()", ATOM, _METHOD),
    "mm": _call("torch.mm", "{0}, {1}", "out"),
    "transpose": Text("{0}.t()", ATOM, _METHOD),
    "body": Text("{0}[:-1]", ATOM, _METHOD),
    "weight_of": Text("{0}[:, :-1]", ATOM, _METHOD),
    "with_ones": Text("with_ones({0})"),
    "relu_backward": _call("relu_backward", "{0}, {1}, 0", "grad_input"),
    "tanh_backward": _call("tanh_backward", "{0}, {1}", "grad_input"),
    "sigmoid_backward": _call("sigmoid_backward", "{0}, {1}", "grad_input"),
    "add_scaled": Text(
        "{0}.add({1}, alpha={2})",
        ATOM,
        _METHOD,
        "torch.add({0}, {1}, alpha={2}, out={out})",
        ".add_({1}, alpha={2})",
    ),
    "addcmul": _scaled("addcmul"),
    "addcdiv": _scaled("addcdiv"),
    "plus_quotient": Text("torch.addcdiv({0}, {1}, {2})"),
    "flat": Text("{0}.view(-1)", ATOM, _METHOD),
    "dot": _call("torch.dot", "{0}, {1}"),
    "square": Text("{0}.square()", ATOM, _METHOD, over=".square_()"),
    "dense": Text('dense({0}, {1}, {2}, "{activation}")', fresh=True),
    "wide_mm": Text(
        "dense({0}, {1}.t())", into="dense({0}, {1}.t(), out={out})", fresh=True
    ),
    "addmm": _call("torch.addmm", "{0}, {1}, {2}", "out"),
    "accumulate_mm": Text(
        "{0}.addmm({1}, {2}, beta={3}, alpha={4})",
        ATOM,
        _METHOD,
        over=".addmm_({1}, {2}, beta={3}, alpha={4})",
    ),
    "wide_accumulate_mm": Text("", into="add_product({out}, {1}, {2}, {3}, {4})"),
    "accumulate_sum": Text(
        "", into="accumulate({out}, torch.sum({1}, dim=0), {2}, {3})"
    ),
}
"""What computes with tensors."""

TORCH = Language(
    name="torch",
    tensor=TENSOR,
    scalar=NUMBERS,
    words=Words(
        library="torch",
        array="Tensor",
        integers="torch.int64",
        floats="torch.float32, torch.float64",
        assign="{0}.copy_({1})",
        fill="{0}.fill_({1})",
        reshape="view",
        keep=", keepdim=True",
        needs=(
            "It needs torch alone (to save and load, safetensors and NumPy too), no"
            " autograd: every derivative is written out below, beside its derivation."
        ),
    ),
    imports=frozenset({"torch", "safetensors"}),
    printer=WorkspacePrinter,
    helpers=(),
    columns=True,
    descends="wide",
    copies=False,
    workspace=True,
)
