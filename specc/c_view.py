"""A model and its Programs -> everything that the templates of C print, by name.

The facts of the spec come from `module_view`; here are the arrays, the functions and the sizes.
"""

from __future__ import annotations

import math
import re
import textwrap
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from specc.c_arrays import (
    CACHED,
    DEPTH,
    LINE,
    MOST_ROWS,
    STRIDE,
    TILE,
    Array,
    Arrays,
    arrays,
    padded,
)
from specc.c_formatting import WIDTH
from specc.c_printing import Printed, Printer, Statement
from specc.derivation import mathematics
from specc.derive import Derived
from specc.functions_view import BASIC, file_name, schedule_view
from specc.ir import BATCH, Program, Value, nameless
from specc.library.initializers import Draw
from specc.model import Clause, Model
from specc.passes.buffers import buffers
from specc.passes.expand import expand
from specc.targets.numpy_text import NUMPY
from specc.view import Code

KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while asm typeof linux unix bool true false vec real mask whole
    errno panel parameters seed""".split()
)
"""What a member of a struct may not be called, or is called already."""

SHUFFLES = {"totals", "turn"}


def member(name: str) -> str:
    """Name a member of a struct after a layer, an input or a parameter."""
    return f"{name}_" if name in KEYWORDS else name


def c_view(
    model: Model, derived: Derived, facts: dict[str, Any], stem: str
) -> dict[str, Any]:
    """Give the view; every leaf that a template prints is Code."""
    last = derived.loss.inputs[0].name
    x = derived.forward.inputs[0]
    d_x = f"d_{x.name}"
    by_input = _named(derived.input_gradient, d_x)
    laid = arrays(derived, by_input)
    label = derived.loss.inputs[1]
    optimizer = model.optimizer.use()
    state = list(optimizer.state())
    positions = math.prod(model.input.shape[:-1])
    batch = model.train.batch_size
    descends = derived.descends
    parts = -(-batch // max(MOST_ROWS // positions, 1))
    samples = max(-(-batch // parts), -(-TILE // positions))
    rows = -(-samples * positions // TILE) * TILE
    samples = rows // positions
    panel = _panel(derived, laid, rows)

    output = _named(derived.output) if derived.output is not None else None
    if output is not None:
        (_, made), *_ = output.outputs
        shape = laid.samples[last]
        laid = Arrays({**laid.samples, made.slot: shape}, laid.parameters)
    predicted = output.outputs[0][1].slot if output is not None else last
    laid = Arrays({**laid.samples, "prediction": laid.samples[last]}, laid.parameters)
    names = {"prediction": member(predicted)}
    printer = Printer(
        laid,
        lambda name: names.get(name, member(name)),
        "m->panel" if panel else "NULL",
    )

    forward = printer.printed(derived.forward)
    loss = printer.reduced(derived.loss)
    gradient = printer.printed(derived.loss_gradient)
    step_loss = printer.reduced(derived.step_loss) if derived.step_loss else None
    backward = printer.printed(derived.backward)
    input_backward = printer.printed(by_input)
    output_made = printer.printed(output) if output is not None else None
    metrics = [printer.reduced(program) for program in derived.metrics]
    update, update_called, update_scalars = _update(derived.update, state, printer)
    everything = [forward, loss, gradient, step_loss, backward, input_backward]
    everything += [output_made, *metrics]
    called = {op for made in everything if made for op in made.called} | update_called
    uses = _uses(called, laid)

    keeps_gradient = not (descends and batch <= samples)
    workspace = _workspace(derived, laid, rows, by_input, label, output, panel)
    c, upper = model.name, model.name.upper()
    size = laid.size
    reals = size * (1 + len(state) + keeps_gradient) + sum(
        n for _, n, _ in workspace if n
    )
    integers = sum(8 * n for name, n, kind in workspace if kind == "int64_t")
    reals -= sum(n for name, n, kind in workspace if kind == "int64_t")
    orthogonal = [
        math.prod(p.shape)
        for p in model.parameters.values()
        if p.initializer(p.fans).distribution == "orthogonal"
    ]
    integers += 8 * max(orthogonal, default=0)
    stopping = model.early_stopping
    restores = stopping is not None and stopping.restore_best
    run_reals = size * (2 * (1 + len(state)) + restores)
    run_rest = 16 * (stopping is not None) + 16
    constants = [
        (f"{upper}_INPUT", math.prod(model.input.shape), "numbers of one sample"),
        (
            f"{upper}_TARGET",
            1 if label.dtype == "int" else math.prod(model.target.shape),
            "",
        ),
        (f"{upper}_OUTPUT", math.prod(model.output_shape), ""),
        (
            f"{upper}_PARAMETERS",
            sum(math.prod(p.shape) for p in model.parameters.values()),
            "",
        ),
        (f"{upper}_PADDED", size, "the same with padding"),
        (f"{upper}_BATCH_SIZE", batch, ""),
        (f"{upper}_SAMPLES", samples, "what the workspace holds"),
        (f"{upper}_EPOCHS", model.train.epochs, ""),
        (f"{upper}_SEED", model.train.seed, ""),
    ]
    if stopping is not None:
        constants.append(
            (f"{upper}_PATIENCE", stopping.patience, "epochs without a gain")
        )
    figures = ["loss", *(p.name for p in derived.metrics)]
    said = "logits" if derived.output else "prediction"
    target_type = "int64_t" if label.dtype == "int" else f"{c}_real"

    def rowed(n: str) -> str:
        return n if positions == 1 else f"{n} * {positions}"

    activations = [op for op in ("RELU", "TANH", "SIGMOID") if op in called]
    shuffled = model.train.shuffle
    view: dict[str, Any] = {
        **facts,
        "C": Code(upper),
        "c": Code(c),
        "file": Code(stem),
        "uses": SimpleNamespace(**uses),
        "constants": _aligned(
            [f"{name} = {value}," for name, value, _ in constants],
            [text for _, _, text in constants],
        ),
        "parameter_members": _parameter_members(laid, c),
        "state_members": [
            Code(f"{c}_parameters {name};")
            for name in [*state, *(["gradient"] if keeps_gradient else [])]
        ],
        "workspace_members": _workspace_members(workspace, laid, c, upper)
        + (
            [Code(f"double basis[{max(orthogonal)}]; /* of an initializer */")]
            if orthogonal
            else []
        ),
        "figure_members": [Code(f"double {name};") for name in figures],
        "run_members": _run_members(c, state, stopping is not None, restores),
        "model_bytes": Code(str(4 * reals + integers)),
        "model_bytes_double": Code(str(8 * reals + integers)),
        "run_bytes": Code(str(4 * run_reals + run_rest)),
        "run_bytes_double": Code(str(8 * run_reals + run_rest)),
        "target_type": Code(target_type),
        "label_type": Code("int64_t" if label.dtype == "int" else "real"),
        "target_says": Code(
            f"labels, from 0 to {model.output_shape[-1] - 1}"
            if label.dtype == "int"
            else f"targets of {upper}_TARGET numbers"
        ),
        "schedule_says": Code(str(model.schedule.use)),
        **schedule_view(model, derived, NUMPY),
        "c_schedule_doc": Code(
            f"The rate after t epochs: {_says(model, model.schedule)}."
        ),
        "c_learning_rate": Code(_rate_text(derived.learning_rate)),
        "constant_rate": not derived.learning_rate.inputs,
        "update_says": Code(_says(model, model.optimizer)),
        "step_limit": Code(f"{upper}_SAMPLES" if not keeps_gradient else "n"),
        "keeps_gradient": keeps_gradient,
        "shuffle": shuffled,
        "or_null": Code(", or as they come where `order` is NULL"),
        "unless_monitored": Code(""),
        "order_says": Code(
            f"`order` has room for {upper}_ORDER(n) numbers. " if shuffled else ""
        ),
        "order_argument": Code("uint32_t *order, " if shuffled else ""),
        "order_parameter": Code("uint32_t *order, " if shuffled else ""),
        "seed_parameter": Code("uint64_t seed, " if shuffled else ""),
        "order_call": Code("order, " if shuffled else ""),
        "seed_call": Code("seed, " if shuffled else ""),
        "updates_of_n": Code(
            f"n / {upper}_BATCH_SIZE"
            if model.train.drop_last
            else f"(n + {upper}_BATCH_SIZE - 1) / {upper}_BATCH_SIZE"
        ),
        "samples_seen": Code(
            f"updates * {upper}_BATCH_SIZE" if model.train.drop_last else "n"
        ),
        "usage": [
            Code(line)
            for line in (
                f"   static {upper}_ALIGNED {c}_model net;",
                f"   {c}_init(&net, {upper}_SEED);",
                f"   {c}_fit(&net, ...); or {c}_train_step(&net, x, y, n, lr);",
                f"   {c}_predict(&net, x, n, prediction);",
            )
        ],
        "build_says": [
            Code(line)
            for line in textwrap.wrap(
                f"cc -O3 -march=native -ffp-contract=fast -c {stem}.c; it needs libm and"
                " nothing else, allocates nothing, and has no state outside of what it is given.",
                88,
            )
        ],
        "binding_says": [
            Code(line)
            for line in textwrap.wrap(
                f"The arithmetic is in {stem}.c, which is built once, when the first Model is"
                " made, and kept in a cache. Arrays are handed over as they are, and so are"
                " torch tensors on the CPU.",
                86,
            )
        ],
        "activations": Code(", ".join(["NONE", *activations])),
        "activation_cases": [Code(_ACTIVATED[op]) for op in activations],
        "slope_cases": [
            Code(_THROUGH[op]) for op in activations if "through" in called
        ],
        "forward_doc": Code(
            f"Write the {said} of the samples in the workspace to {last}, and what backward reads."
        ),
        "forward": _body(forward, _forward_says(model)),
        "output": _body(output_made, _none) if output_made else [],
        "output_doc": Code(f"Predict, from {last}."),
        "loss_name": Code(derived.loss.name),
        "loss_doc": Code(f"L = {_formula(derived.loss)}."),
        "loss": _reduction(loss),
        "loss_gradient_name": Code(derived.loss_gradient.name),
        "loss_gradient_doc": Code(
            f"Write dL/d{last} to {gradient and 'd_' + last}, for a mean over `total` samples."
        ),
        "loss_gradient": _scalars(gradient) + _body(gradient, _derived_says),
        "step_loss": _reduction(step_loss) if step_loss else [],
        "step_loss_name": Code("step_loss" if step_loss else derived.loss.name),
        "step_loss_doc": Code(
            f"{derived.step_loss.outputs[0][1].derivation}, of what {derived.loss_gradient.name}"
            " left."
            if derived.step_loss
            else ""
        ),
        "descends_says": Code(
            "that is the update." if descends else "it would be an update of plain sgd."
        ),
        "backward": _body(backward, _backward_says()),
        "input_backward": _body(input_backward, _derived_says),
        "input_backward_reads_p": any(
            "p->" in line for s in input_backward.statements for line in s.lines
        ),
        "input_backward_doc": Code(
            f"{derived.input_gradient.outputs[0][1].derivation or d_x}."
        ),
        "stride": Code(str(STRIDE)),
        "kernels": [Code(line) for line in printer.kernels],
        "metrics": [
            SimpleNamespace(
                name=Code(program.name),
                doc=Code(_says(model, clause)),
                lines=_reduction(made),
            )
            for program, clause, made in zip(
                derived.metrics, model.metrics, metrics, strict=True
            )
        ],
        "no_metrics": not metrics,
        "metrics_read_output": output is not None and bool(metrics),
        "update": [Code(line) for line in update],
        "update_arrays": [Code(line) for line in _update_arrays(update, state)],
        "state": [Code(name) for name in state],
        "figures": [Code(name) for name in figures],
        "rows_of_n": Code(rowed("n")),
        "rows_of_part": Code(rowed("part")),
        "rows_of_int_n": Code(rowed("(int)n")),
        "times_positions": Code("" if positions == 1 else f" * {positions}"),
        "output_width": Code(str(model.output_shape[-1])),
        "predicted": Code(member(predicted)),
        "predicted_at": Code(_times("s", laid.samples[last].pitch)),
        "input_width": Code(str(model.input.shape[-1])),
        "input_at": Code(_times("s", laid.samples[x.name].pitch)),
        "d_input": Code(member(d_x)),
        "take_x": _copied(x.name, "x", laid.samples[x.name], positions),
        "take_y": (
            _labels(label, positions)
            if label.dtype == "int"
            else _copied(
                label.name,
                "y",
                laid.samples[label.name],
                math.prod(model.target.shape[:-1]),
            )
        ),
        "monitored": Code(_monitored(stopping.monitor)) if stopping else Code(""),
        "in_c": True,
        "has_state": bool(state),
        "descends": True,
        "padded": Code(str(size)),
        "chunk": Code(str(_chunk(model))),
        "vectors": Code(str(1 + len(state))),
        "state_views": [
            Code(f'"{name}": numbers[{i} * PADDED : {i + 1} * PADDED]')
            for i, name in enumerate(state, 1)
        ],
        "samples_held": Code(str(samples)),
        "named": _named_views(model, laid),
        "figure_names": Code(", ".join(f'"{name}"' for name in figures)),
        "input_quoted": Code(f'"{model.input.name}"'),
        **_stopping(facts, upper),
    }
    view |= _starts(model, laid, c)
    view["numbered"] = shuffled or view["draws_truncated"]
    return view


_ACTIVATED = {
    "RELU": "case RELU: return keep(~HOLDS(z <= 0), z);",
    "TANH": "case TANH: return vtanh(z);",
    "SIGMOID": "case SIGMOID: return vsigmoid(z);",
}
_THROUGH = {
    "RELU": "case RELU: return keep(~HOLDS(y <= 0), dy);",
    "TANH": "case TANH: return dy * (1 - y * y);",
    "SIGMOID": "case SIGMOID: return dy * y * (1 - y);",
}


def _uses(called: set[str], laid: Arrays) -> dict[str, bool]:
    """Tell which parts of the kernels a module needs."""
    found = set(called)
    if "RELU" in found:
        found.add("keep")
    if found & {"gradient", "narrow_gradient"}:
        found.add("first")
    if "abs" in found:
        found.add("pick")
    if found & {"logsumexp", "log_softmax", "softmax", "pick_row"}:
        found |= {"logsumexp"}
    if "logsumexp" in found:
        found |= {"first", "total", "exp"}
    elementary = {
        "vexp": "exp" in found,
        "vlog": "log" in found,
        "vlog1p": "log1p" in found,
        "vtanh": "TANH" in found,
        "vsigmoid": "SIGMOID" in found,
    }
    made = {name for name, there in elementary.items() if there}
    if made & {"vsigmoid", "vtanh", "vlog", "vlog1p"}:
        found.add("pick")
    elementary["expm1_over"] = bool(made & {"vsigmoid", "vtanh"})
    elementary["log_of"] = bool(made & {"vlog", "vlog1p"})
    names = """keep pick first total largest totals turn square pow abs argmax logsumexp log_softmax
        softmax product dense dots back narrow narrow_back gradient narrow_gradient wide""".split()
    uses = {name: name in found for name in names}
    uses["gradient"] = uses["gradient"] or uses["narrow_gradient"]
    uses["shuffles"] = bool(found & SHUFFLES)
    uses["elementary"] = any(elementary.values())
    return uses | elementary


def _named(program: Program, name: str | None = None) -> Program:
    """Keep the result of a Program in an array of its own."""
    outputs = tuple(
        (key, value if value.slot else replace(value, name=name or key))
        for key, value in program.outputs
    )
    return buffers(replace(program, outputs=outputs))


def _panel(derived: Derived, laid: Arrays, rows: int) -> int:
    """Give the size of the panel that strips of weights are copied to; 0 where none is."""
    deep = 0
    for program in (derived.forward, derived.backward, derived.input_gradient):
        for value in program.values:
            match value:
                case Value(op="mm", args=(_, Value(op="input") as w)):
                    weight = laid.parameters[w.name]
                    if weight.turned:
                        deep = max(deep, min(DEPTH, padded(weight.row.width)))
                case Value(op="linear" | "mm"):
                    w = value.args[1]
                    weight = laid.parameters[
                        (w.args[0] if w.op == "transpose" else w).name
                    ]
                    if weight.turned and weight.rows * weight.row.pitch > CACHED:
                        deep = max(deep, min(DEPTH, weight.rows))
                case Value(op="accumulate_mm"):
                    weight = laid.parameters[value.args[0].name.removeprefix("d_")]
                    if weight.row.pitch > STRIDE:
                        deep = max(deep, rows)
    return padded(deep) * 2 * LINE


def _workspace(
    derived: Derived,
    laid: Arrays,
    rows: int,
    by_input: Program,
    label: Value,
    output: Program | None,
    panel: int,
) -> list[tuple[str, int, str]]:
    """Give every array: its name, how many numbers, of what type."""
    found: dict[str, tuple[int, str]] = {}

    def add(name: str, array: Array) -> None:
        slack = LINE if array.narrow else 0
        found.setdefault(name, (padded(rows * array.pitch + slack), "real"))

    x = derived.forward.inputs[0].name
    add(x, laid.samples[x])
    if label.dtype == "int":
        found[label.name] = (rows, "int64_t")
    else:
        add(label.name, laid.samples[label.name])
    programs = [derived.forward, derived.loss_gradient, derived.backward, by_input]
    programs += [output] if output is not None else []
    for program in programs:
        for value in program.values:
            if value.slot and BATCH in value.shape and value.slot in laid.samples:
                add(value.slot, laid.samples[value.slot])
    if panel:
        found["panel"] = (panel, "real")
    ordered = sorted(found.items(), key=lambda item: item[1][1] == "int64_t")
    return [(name, *size) for name, size in ordered]


def _workspace_members(
    workspace: list[tuple[str, int, str]], laid: Arrays, c: str, upper: str
) -> list[Code]:
    lines = []
    comments = []
    for name, count, kind in workspace:
        text = f"{c}_real" if kind == "real" else kind
        shown = name if name == "panel" else member(name)
        lines.append(f"{text} {shown}[{count}];")
        array = laid.samples.get(name)
        if array is None:
            comments.append("strips of a weight" if name == "panel" else "(batch,)")
        elif array.pitch == array.width:
            comments.append(f"(batch, {array.width})")
        else:
            comments.append(f"(batch, {array.width}) in rows of {array.pitch}")
    return _aligned(lines, comments)


def _parameter_members(laid: Arrays, c: str) -> list[Code]:
    lines, comments = [], []
    for name, weight in laid.parameters.items():
        lines.append(f"{c}_real {member(name)}[{weight.size}];")
        row = weight.row
        rows = f" in rows of {row.pitch}" if row.pitch != row.width else ""
        if name.endswith("_bias") and weight.rows == 1 and not weight.turned:
            comments.append(f"({row.width},)")
        elif weight.turned:
            comments.append(f"(in {weight.rows}, out {row.width}){rows}")
        else:
            comments.append(f"(out {weight.rows}, in {row.width}){rows}")
    return _aligned(lines, comments)


def _run_members(c: str, state: list[str], stops: bool, restores: bool) -> list[Code]:
    lines = [(f"{c}_parameters before[2];", "of the last two epochs, to go back to")]
    lines += [(f"{c}_parameters before_{name}[2];", "") for name in state]
    if restores:
        lines.append((f"{c}_parameters best;", ""))
    if stops:
        lines += [("double best_value, reference;", "of what early stopping watches")]
    lines.append(("int32_t epochs;", "finished"))
    lines.append(("int32_t best_epoch;", "-1 before the first"))
    lines.append(("int32_t waited;", "epochs without a gain"))
    lines.append(("int32_t unused;", ""))
    return _aligned([a for a, _ in lines], [b for _, b in lines])


def _aligned(lines: list[str], comments: list[str]) -> list[Code]:
    width = max((len(line) for line in lines), default=0)
    return [
        Code(f"{line:<{width}} /* {text} */" if text else line)
        for line, text in zip(lines, comments, strict=True)
    ]


def _update(
    program: Program, state: list[str], printer: Printer
) -> tuple[list[str], set[str], dict[str, str]]:
    """Print the update of all parameters as the body of one loop over vectors."""
    made = Printed()
    results = {value: name for name, value in program.outputs}
    known: dict[Value, str] = {}
    lines: list[str] = []

    def text(value: Value) -> tuple[str, int]:
        if value in known:
            return known[value], 0
        if not value.shape:
            return printer._factor(value, made)
        if value.op == "input":
            return f"load({value.name} + at)", 0
        from specc.targets.c_text import TENSOR

        rule = TENSOR[value.op]
        made.called.add(value.op)
        operands = []
        for arg, need in zip(value.args, rule.needs, strict=False):
            inner, binds = text(arg)
            operands.append(inner if binds <= need else f"({inner})")
        return rule.plain.format(*operands), rule.binds

    for value in program.values:
        name = results.get(value) or (value.name if value.op != "input" else "")
        if not name or not value.shape or value.op == "input":
            continue
        if value.derivation:
            lines.append(f"/* {value.derivation} */")
        expression, _ = text(value)
        uses = program.uses()[value] - (value in results)
        if value in results and not uses:
            lines.append(f"store({name} + at, {expression});")
            continue
        local = f"new_{name}" if value in results else name
        lines.append(f"vec {local} = {expression};")
        known[value] = local
        if value in results:
            lines.append(f"store({name} + at, {local});")
    return lines, made.called, made.scalars


def _update_arrays(lines: list[str], state: list[str]) -> list[str]:
    body = "\n".join(lines)
    found = ["real *theta = flat(&m->parameters);"]
    found += [f"real *{name} = flat(&m->{name});" for name in state]
    if re.search(r"\bgradient\b", body):
        found.append("const real *gradient = flat_const(g);")
    return found


def _body(made: Printed | None, says: Any) -> list[Code]:
    lines: list[Code] = []
    if made is None:
        return lines
    for statement in made.statements:
        said = says(statement)
        if said:
            lines += _comment(said)
        lines += [Code(line) for line in statement.lines]
    return lines


def _scalars(made: Printed) -> list[Code]:
    lines = [
        Code(f"const real {name} = {text};") for name, text in made.scalars.items()
    ]
    return lines or [Code("(void)total;")]


def _reduction(made: Printed) -> list[Code]:
    lines = [Code(line) for statement in made.statements for line in statement.lines]
    return [*lines, Code(f"return {made.result};")]


def _comment(text: str) -> list[Code]:
    lines = textwrap.wrap(text, WIDTH - 10, break_long_words=False)
    if len(lines) == 1:
        return [Code(f"/* {lines[0]} */")]
    return [
        Code(f"/* {lines[0]}"),
        *(Code(f" * {line}") for line in lines[1:-1]),
        Code(f" * {lines[-1]} */"),
    ]


def _forward_says(model: Model) -> Any:
    def says(statement: Statement) -> str:
        origins = statement.origins
        said = ", ".join(origin.says for origin in origins)
        lines = sorted({origin.line for origin in origins})
        where = "-".join(str(line) for line in (lines[0], lines[-1])[: len(lines)])
        return f"{origins[0].layer}: {said}  ({file_name(model)}:{where})"

    return says


def _backward_says() -> Any:
    seen = [""]

    def says(statement: Statement) -> str:
        text = ";  ".join(statement.derivations)
        layer = statement.origins[0].layer if statement.origins else ""
        if not layer or layer == seen[-1]:
            return text
        seen.append(layer)
        return f"{layer}: {text}"

    return says


def _derived_says(statement: Statement) -> str:
    return ";  ".join(statement.derivations)


def _none(statement: Statement) -> str:
    return ""


def _formula(program: Program) -> str:
    return mathematics(nameless(expand(program, BASIC)).outputs[0][1])


def _says(model: Model, clause: Clause) -> str:
    where = f"  ({file_name(model)}:{clause.span.line})" if clause.span else ""
    return f"{clause.use}{where}"


def _rate_text(program: Program) -> str:
    """Write the rate as a double; t is one, and so is every other number."""
    from specc.targets.c_text import SCALAR

    def text(value: Value) -> tuple[str, int]:
        if value.op == "const":
            number = value.attribute("value")
            return repr(float(number)), 0 if number >= 0 else 2
        if value.op == "input":
            return value.name, 0
        rule = SCALAR[value.op]
        operands = []
        for arg, need in zip(value.args, rule.needs, strict=False):
            inner, binds = text(arg)
            operands.append(inner if binds <= need else f"({inner})")
        return rule.plain.format(*operands), rule.binds

    return text(program.outputs[0][1])[0]


def _times(index: str, size: int) -> str:
    return index if size == 1 else f"{index} * {size}"


def _copied(name: str, given: str, array: Array, positions: int) -> list[Code]:
    """Copy one sample, number k of those given, to row s of the workspace."""
    width, pitch = array.width, array.pitch
    to = f"m->{member(name)}"
    where = "if (y) " if given == "y" else ""
    if positions == 1 or width == pitch:
        count = width * positions
        if count == 1:
            return [Code(f"{where}{to}[s] = {given}[k];")]
        at, of = _times("s", pitch * positions), _times("k", count)
        size = _times(f"sizeof *{given}", count)
        return [Code(f"{where}memcpy({to} + {at}, {given} + {of}, {size});")]
    at = f"(s * {positions} + q) * {pitch}"
    of = f"(k * {positions} + (size_t)q) * {width}"
    return [
        Code(f"for (int q = 0; {'y && ' if where else ''}q < {positions}; q++)"),
        Code(f"  memcpy({to} + {at}, {given} + {of}, {width} * sizeof *{given});"),
    ]


def _labels(label: Value, positions: int) -> list[Code]:
    to = f"m->{member(label.name)}"
    if positions == 1:
        return [Code(f"if (y) {to}[s] = y[k];")]
    copy = (
        f"memcpy({to} + s * {positions}, y + k * {positions}, {positions} * sizeof *y);"
    )
    return [Code(f"if (y) {copy}")]


def _stopping(facts: dict[str, Any], upper: str) -> dict[str, Code]:
    """Write in C what early stopping compares."""
    if not facts["early_stopping"]:
        return {}
    return {
        "c_worst": Code("-INFINITY" if facts["better"].text == ">" else "INFINITY"),
        "c_by_delta": Code(
            facts["by_delta"].text.replace("MIN_DELTA", facts["min_delta"].text)
        ),
    }


def _chunk(model: Model) -> int:
    """Give how many updates take a tenth of a second or so, at ten thousand million a second."""
    weights = sum(math.prod(p.shape) for p in model.parameters.values())
    operations = (
        6 * weights * model.train.batch_size * math.prod(model.input.shape[:-1])
    )
    return max(1, 2**30 // operations)


def _named_views(model: Model, laid: Arrays) -> list[Code]:
    """Look at each parameter in torch's shape, within all of them."""
    entries = []
    start = 0
    found: dict[str, str] = {}
    for name, weight in laid.parameters.items():
        row, end = weight.row, start + weight.rows * weight.row.pitch
        if weight.turned:
            how = f".reshape({weight.rows}, {row.pitch})[:, :{row.width}].T"
        elif weight.rows > 1 or name.endswith("_weight"):
            how = f".reshape({weight.rows}, {row.pitch})[:, :{row.width}]"
        else:
            end, how = start + row.width, ""
        found[name] = f"flat[{start}:{end}]{how}"
        start += weight.size
    for name in model.parameters:
        entries.append(Code(f'"{name}": {found[name.replace(".", "_")]}'))
    return entries


def _monitored(monitor: str) -> str:
    kind, _, figure = monitor.partition("_")
    return f"{'validation' if kind == 'val' else kind}.{figure}"


def _starts(model: Model, laid: Arrays, c: str) -> dict[str, Any]:
    """Give the statements that draw the parameters, and where each of those lies."""
    places: list[str] = []
    lines: list[Code] = []
    kinds: set[str] = set()
    for index, (name, parameter) in enumerate(model.parameters.items()):
        place = name.replace(".", "_")
        weight = laid.parameters[place]
        rows, columns = (*parameter.shape, 1)[:2]
        turned = weight.turned
        step_r, step_c = (1, weight.row.pitch) if turned else (weight.row.pitch, 1)
        if len(parameter.shape) == 1:
            step_r, step_c = 1, 0
        offset = f"offsetof({c}_parameters, {member(place)}) / sizeof(real)"
        places.append(f"{{{offset}, {rows}, {columns}, {step_r}, {step_c}}},")
        draw: Draw = parameter.initializer(parameter.fans)
        kinds.add(draw.distribution)
        if draw.distribution == "constant" and draw.a == 0:
            continue
        formula = f", {draw.formula}" if draw.formula else ""
        lines += _comment(f"{name}: {parameter.initializer}{formula}")
        size = math.prod(parameter.shape)
        stream = f'"init/{name}"'
        loop = f"for (int i = 0; i < {size}; i++)"
        put = f"  p[place({index}, i)] = (real)({{}});"
        if draw.distribution == "constant":
            lines += [Code(loop), Code(put.format(repr(draw.a)))]
            continue
        if draw.distribution == "truncated":
            drawn = f"truncated_normal(seed, {stream}, (uint64_t)i)"
        else:
            lines.append(Code(f"key = keyed(seed, named({stream}));"))
            kind = "uniform" if draw.distribution == "uniform" else "normal"
            drawn = f"{kind}(key, (uint64_t)i)"
        if draw.distribution == "orthogonal":
            longer, fewer = max(parameter.shape), min(parameter.shape)
            lines.append(Code(f"orthogonal(m->basis, key, {longer}, {fewer});"))
            r, k = f"i / {columns}", f"i % {columns}"
            at = "i" if rows >= columns else f"{k} * {fewer} + {r}"
            text = f"m->basis[{at}]" + ("" if draw.a == 1 else f" * {draw.a!r}")
        elif draw.distribution == "uniform" and draw.a == -draw.b:
            text = f"2 * {drawn} - 1"
            text = text if draw.b == 1 else f"({text}) * {draw.b!r}"
        elif draw.distribution == "uniform":
            text = f"{draw.a!r} + ({draw.b!r} - {draw.a!r}) * {drawn}".replace(
                "- -", "+ "
            )
        else:
            mean = f"{draw.a!r} + " if draw.a else ""
            text = f"{mean}{drawn}" + (f" * {draw.b!r}" if draw.b != 1 else "")
        lines += [Code(loop), Code(put.format(text))]
    normal = bool(kinds & {"normal", "truncated", "orthogonal"})
    return {
        "places": [Code(line) for line in places],
        "starts": lines,
        "draws_uniform": normal or "uniform" in kinds,
        "draws_normal": normal,
        "draws_truncated": "truncated" in kinds,
        "draws_orthogonal": "orthogonal" in kinds,
        "draws_key": bool(kinds & {"normal", "uniform", "orthogonal"}),
        "unseeded": not (kinds - {"constant"}),
        "unset": not lines,
    }
