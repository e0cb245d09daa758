"""Values -> statements of C: a product is the call of a kernel, all else a loop over vectors.

A Value with a slot is a statement; what shares its slot and is read by it alone is part of it: the
activation after a product, the factors of a derivative. Nothing here knows a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from specc.c_arrays import CACHED, STRIDE, Array, Arrays
from specc.c_formatting import WIDTH, wrapped
from specc.ir import BATCH, Origin, Program, Value
from specc.targets.c_text import C
from specc.targets.text import ATOM, COMPARISON, NEGATION, PRODUCT, SUM

ACTIVATIONS = {"relu": "RELU", "tanh": "TANH", "sigmoid": "SIGMOID"}
THROUGH = {f"{op}_backward": word for op, word in ACTIVATIONS.items()}
ROWS = frozenset({"logsumexp", "argmax", "pick"})
"""Operations that give one number for each sample."""
WHOLE = frozenset({"linear", "mm", "accumulate_mm", "accumulate_sum", "minus_one_hot"})
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


class Printer:
    """Prints the Programs of one module."""

    def __init__(
        self, arrays: Arrays, name: Callable[[str], str], panel: str = "NULL"
    ) -> None:
        self.arrays = arrays
        self.member = name
        self.panel = panel
        self.inside: set[Value] = set()
        self.shapes: dict[str, tuple[str, str]] = {}
        """Kernels for one shape: name -> parameters, body."""
        self.calls: dict[str, int] = {}
        """How often each is called."""

    @property
    def kernels(self) -> list[str]:
        """The lines that define every kernel for a shape."""
        lines: list[str] = []
        for name, (signature, body) in self.shapes.items():
            kind = "OUTLINE" if self.calls[name] > 1 else "INLINE"
            lines += [
                "",
                *wrapped(f"{kind} void {name}{signature} {{"),
                *wrapped(f"{body};", 2),
                "}",
            ]
        return lines

    def printed(self, program: Program, masked: bool = False) -> Printed:
        """Print a Program with slots; `masked` keeps the padding of its results zero."""
        made = Printed()
        uses = program.uses()
        done: set[Value] = set()
        values = [v for v in program.values if v.slot]
        self.inside = {v for v in values if self._is_inside(v, program, uses)}
        for value in values:
            if value in done or value in self.inside:
                continue
            statement = self._statement(value, values, uses, done, made, masked)
            made.statements.append(statement)
        return made

    def reduced(self, program: Program) -> Printed:
        """Print a Program that gives a number: a mean over all elements of the batch."""
        made = Printed()
        ((_, result),) = program.outputs
        sums: dict[Value, str] = {}
        for value in program.values:
            if value.op in ("mean", "share"):
                sums[value] = "sum" if not sums else f"sum{len(sums) + 1}"
                made.statements.append(self._sum(value, sums[value], made))
        texts = {
            value: f"(double)total({name})" if name in made.vectors else name
            for value, name in sums.items()
        }
        made.result = self._scalar(result, texts)
        return made

    # Statements.

    def _is_inside(
        self, value: Value, program: Program, uses: Mapping[Value, int]
    ) -> bool:
        """Tell whether a later statement takes this Value in."""
        if uses[value] != 1 or self._ends_product(value, uses):
            return False
        for later in program.values:
            if later.slot == value.slot and value in later.args and later is not value:
                if value.op in ("linear", "mm"):
                    return self._end(later) is not None
                return value.op not in WHOLE | WHOLE_ROWS and later.op not in WHOLE
        return False

    def _ends_product(self, value: Value, uses: Mapping[Value, int]) -> bool:
        """Tell whether the kernel of a product does this too."""
        first = value.args[0]
        product = first.op in ("linear", "mm") and first.slot == value.slot
        return product and uses[first] == 1 and self._end(value) is not None

    def _statement(
        self,
        value: Value,
        values: list[Value],
        uses: Mapping[Value, int],
        done: set[Value],
        made: Printed,
        masked: bool,
    ) -> Statement:
        done.add(value)
        first = value.args[0]
        if self._ends_product(value, uses):
            done.add(first)
            return Statement(
                self._product(first, self._end(value), made), [first, value]
            )
        if value.op in ("linear", "mm"):
            return Statement(self._product(value, None, made), [value])
        if value.op == "accumulate_mm":
            return self._gradient(value, values, done, made)
        if value.op == "minus_one_hot":
            x, label = value.args
            made.called.add("minus_one_hot")
            line = f"{self._number_at(x, self._label(label))} -= 1;"
            return Statement(["for (int s = 0; s < n; s++) " + line], [value])
        if value.op in WHOLE_ROWS:
            made.called.add(value.op)
            x = value.args[0]
            a = self._array(x)
            out = self._pointer(value)
            call = f"{value.op}(n, {self._pointer(x)}, {a.width}, {a.pitch}, {out});"
            return Statement(wrapped(call), [value])
        if value.op == "accumulate_sum":
            raise NotImplementedError("a bias without its weight")
        sums: list[str] = []
        text, _ = self._lanes(value, made, True, sums)
        pattern = f"store({self._pointer(value)} + {{at}}, {{v}});"
        array = self._array(value)
        if sums:
            inner = self._rowwise(array, pattern, text, made)
            return Statement(
                [
                    "for (int s = 0; s < n; s++) {",
                    *("  " + line for line in [*sums, *inner]),
                    "}",
                ],
                [value],
            )
        return Statement(self._loop(array, pattern, text, masked, made), [value])

    def _rowwise(self, a: Array, pattern: str, text: str, made: Printed) -> list[str]:
        """Write the loop over the vectors of row `s`, whose padding stays zero."""
        made.called.add("first")
        inside = f"first({text}, {a.width} - c)" if a.width != a.pitch else text
        body = pattern.replace("{v}", inside).replace("{at}", "at")
        head = f"for (int c = 0, at = s * {a.pitch}; c < {a.width}; c += LANES, at += LANES)"
        return [head, *wrapped(body, 2)]

    def _loop(
        self, a: Array, pattern: str, text: str, masked: bool, made: Printed
    ) -> list[str]:
        """Write a loop over vectors; `{at}` is where in an array, `{v}` the vector."""
        if masked and a.width != a.pitch:
            inner = self._rowwise(a, pattern, text, made)
            return [
                "for (int s = 0; s < n; s++)",
                *("  " + line for line in inner),
            ]
        count = "n" if a.pitch == 1 else f"n * {a.pitch}"
        body = pattern.replace("{at}", "at").replace("{v}", text.replace("{at}", "at"))
        head = f"for (int at = 0; at < {count}; at += LANES)"
        if len(head) + len(body) + 3 <= WIDTH:
            return [f"{head} {body}"]
        return [head, *wrapped(body, 2)]

    def _sum(self, value: Value, name: str, made: Printed) -> Statement:
        """Write the sum of what a mean is over."""
        x = value.args[0]
        if self._is_rowwise(x):
            text = self._number(x, made)[0]
            head, body = "for (int s = 0; s < n; s++)", f"{name} += {text};"
            short = len(head) + len(body) + 3 <= WIDTH
            lines = [f"{head} {body}"] if short else [head, *wrapped(body, 2)]
            return Statement([f"double {name} = 0;", *lines], [value])
        text, _ = self._lanes(x, made, inside=True)
        if value.op == "share":
            made.called |= {"keep", "truth"}
            text = f"keep({text}, fill(1))"
        a = self._array(x)
        made.called |= {"first", "total"}
        if a.width != a.pitch:
            loop = self._loop(a, f"{name} += {{v}};", text, True, made)
        else:
            count = "n" if a.pitch == 1 else f"n * {a.pitch}"
            loop = self._loop(
                a, f"{name} += first({{v}}, {count} - at);", text, False, made
            )
        made.vectors.add(name)
        return Statement([f"vec {name} = fill(0);", *loop], [value])

    def _end(self, value: Value) -> tuple[str, Value | None] | None:
        """Give the activation that ends a product, and by what it goes if it is a derivative."""
        if value.op in ACTIVATIONS:
            return ACTIVATIONS[value.op], None
        if value.op in THROUGH:
            return THROUGH[value.op], value.args[1]
        return None

    def _product(
        self, value: Value, end: tuple[str, Value | None] | None, made: Printed
    ) -> list[str]:
        """Call the kernel of a linear layer, or of its derivative by its input."""
        x, w, *bias = value.args
        kind, by = end or ("NONE", None)
        made.called.add(kind)
        out, given = self._array(value), self._array(x)
        forward = value.op == "linear" or w.op == "transpose"
        weight_value = w.args[0] if w.op == "transpose" else w
        weight = self.arrays.parameters[weight_value.name]
        p = f"p->{self.member(weight_value.name)}"
        xs, ys = self._pointer(x), self._pointer(value)
        sizes = f"{given.width}_{out.width}"
        word = "" if kind == "NONE" else f"_{kind.lower()}"
        if forward and out.narrow:
            made.called |= {"narrow", "total", "totals"}
            b, given_bias = self._bias(bias)
            return self._call(
                f"narrow_{sizes}{word}{b}",
                f"narrow(n, x, {given.pitch}, {given.width}, w, {weight.row.pitch},"
                f" {'NULL' if b else 'bias'}, {out.width}, {kind}, y)",
                {"*x": xs, "*w": p, **given_bias, "y": ys},
            )
        if forward:
            made.called |= {"dense", "product"}
            if given.width * out.pitch > CACHED:
                made.called.add("wide")
            b, given_bias = self._bias(bias)
            return self._call(
                f"dense_{sizes}{word}{b}",
                f"dense(n, x, {given.pitch}, {given.width}, w, {'NULL' if b else 'bias'},"
                f" {out.width}, {kind}, y, {out.pitch}, panel)",
                {"*x": xs, "*w": p, **given_bias, "y": ys, "panel": self.panel},
            )
        through = {"*x": self._pointer(by)} if by is not None else {}
        gate = "x" if by is not None else "NULL"
        if by is not None:
            made.called.add("through")
        if not weight.turned:
            made.called |= {"narrow_back", "product"}
            return self._call(
                f"narrow_back_{sizes}{word}",
                f"narrow_back(n, dy, {given.width}, w, {weight.row.pitch}, {out.width},"
                f" {kind}, {gate}, dx, {out.pitch})",
                {"*dy": xs, "*w": p, **through, "dx": ys},
            )
        if out.narrow:
            made.called |= {"narrow", "total", "totals"}
            lines = self._call(
                f"narrow_{sizes}_of_columns",
                f"narrow(n, dy, {given.pitch}, {given.width}, w, {weight.row.pitch}, NULL,"
                f" {out.width}, NONE, dx)",
                {"*dy": xs, "*w": p, "dx": ys},
            )
            if by is not None:
                text = (
                    f"through({kind}, load({ys} + at), load({self._pointer(by)} + at))"
                )
                lines += self._loop(
                    out, f"store({ys} + {{at}}, {{v}});", text, False, made
                )
            return lines
        made.called |= {"back", "product", "dots", "turn", "totals"}
        return self._call(
            f"back_{sizes}{word}",
            f"back(n, dy, {given.pitch}, {given.width}, w, {out.width}, {kind}, {gate}, dx,"
            f" {out.pitch}, panel)",
            {"*dy": xs, "*w": p, **through, "dx": ys, "panel": self.panel},
        )

    def _bias(self, bias: list[Value]) -> tuple[str, dict[str, str]]:
        """Give the ending of a kernel's name, and the argument, for a bias or none."""
        if not bias:
            return "_unbiased", {}
        return "", {"*bias": f"p->{self.member(bias[0].name)}"}

    def _call(self, name: str, body: str, given: Mapping[str, str]) -> list[str]:
        """Call a kernel for these shapes, which is made once; `*` marks what it reads."""
        taken = [
            f"const real *{key[1:]}" if key.startswith("*") else f"real *{key}"
            for key in given
        ]
        extra = ", real beta, real alpha" if "beta" in body else ""
        ending = 2
        base = name
        signature = f"(int n, {', '.join(taken)}{extra})"
        while self.shapes.get(name, (signature, body)) != (signature, body):
            name, ending = f"{base}_{ending}", ending + 1
        self.shapes[name] = (signature, body)
        self.calls[name] = self.calls.get(name, 0) + 1
        more = ", beta, alpha" if extra else ""
        return wrapped(f"{name}(n, {', '.join(given.values())}{more});")

    def _gradient(
        self, value: Value, values: list[Value], done: set[Value], made: Printed
    ) -> Statement:
        """Write the gradient of a weight, with that of its bias."""
        before, turned, x = value.args[:3]
        dy = turned.args[0]
        statement = Statement([], [value])
        g_bias: dict[str, str] = {}
        for other in values:
            if (
                other.op == "accumulate_sum"
                and other.args[1] is dy
                and other not in done
            ):
                done.add(other)
                statement.values.append(other)
                name = other.args[0].name.removeprefix("d_")
                g_bias = {"g_bias": f"g->{self.member(name)}"}
                break
        name = before.name.removeprefix("d_")
        weight = self.arrays.parameters[name]
        given, d = self._array(x), self._array(dy)
        made.called.add("gradient")
        kind = "gradient" if weight.turned else "narrow_gradient"
        made.called.add(kind)
        if weight.turned and d.pitch > STRIDE:
            made.called.add("wide")
        pitch = f"{d.pitch}, " if weight.turned else ""
        panel = "panel, " if weight.turned else ""
        statement.lines = self._call(
            f"{kind}_{given.width}_{d.width}{'' if g_bias else '_unbiased'}",
            f"{kind}(n, x, {given.pitch}, {given.width}, dy, {pitch}{d.width}, g,"
            f" {weight.row.pitch}, {'g_bias' if g_bias else 'NULL'}, {panel}beta, alpha)",
            {
                "*x": self._pointer(x),
                "*dy": self._pointer(dy),
                "g": f"g->{self.member(name)}",
                **g_bias,
                **({"panel": self.panel} if weight.turned else {}),
            },
        )
        return statement

    # Expressions.

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
            return f"load({self._pointer(value)} + {{at}})", ATOM
        if value.op == "sum":
            assert sums is not None and value.attribute("keep")
            return self._row_sum(value, made, sums), ATOM
        if value.op == "mul" and any(arg.op == "greater" for arg in value.args):
            a, b = value.args
            a, b = (a, b) if b.op == "greater" else (b, a)
            made.called.add("keep")
            kept = [
                self._lanes(arg, made, arg in self.inside, sums)[0] for arg in (b, a)
            ]
            return f"keep({', '.join(kept)})", ATOM
        rule = C.tensor[value.op]
        made.called.add(value.op)
        operands = []
        for arg, need in zip(value.args, rule.needs, strict=False):
            text, binds = self._lanes(arg, made, arg in self.inside, sums)
            operands.append(text if binds <= need else f"({text})")
        if value.op in ACTIVATIONS:
            made.called.add(ACTIVATIONS[value.op])
        if value.op in THROUGH:
            made.called |= {THROUGH[value.op], "through"}
        return rule.plain.format(*operands, **_kept(value)), rule.binds

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
            name = f"{word}_over_n"
            made.scalars[name] = (
                f"(real)({number!r} / {_count(value.args[1], 'total')})"
            )
            return name, ATOM
        if value.op == "input":
            return self.member(value.name), ATOM
        rule = C.scalar[value.op]
        operands = []
        for arg, need in zip(value.args, rule.needs, strict=False):
            text, binds = self.factor(arg, made)
            operands.append(text if binds <= need else f"({text})")
        return rule.plain.format(*operands), rule.binds

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
        if value.op in ROWS:
            x = value.args[0]
            return f"{value.op}({self._row(x)}, {_width(x)})", ATOM
        if value.op in ("equal", "greater"):
            sign = "==" if value.op == "equal" else ">"
            a, b = (self._number(arg, made)[0] for arg in value.args)
            return f"{a} {sign} {b}", COMPARISON
        rule = C.tensor[value.op]
        operands = []
        for arg, need in zip(value.args, rule.needs, strict=False):
            text, binds = self._number(arg, made)
            operands.append(text if binds <= need else f"({text})")
        return rule.plain.format(*operands), rule.binds

    def _scalar(self, value: Value, sums: Mapping[Value, str]) -> str:
        """Give a number that is made of sums."""
        return self._scalar_text(value, sums)[0]

    def _scalar_text(self, value: Value, sums: Mapping[Value, str]) -> tuple[str, int]:
        if value in sums:
            return f"{sums[value]} / {_parts(value.args[0], 'n')}", PRODUCT
        if value.op == "const":
            number = value.attribute("value")
            return repr(number), ATOM if number >= 0 else NEGATION
        rule = C.scalar[value.op]
        operands = []
        for arg, need in zip(value.args, rule.needs, strict=False):
            text, binds = self._scalar_text(arg, sums)
            operands.append(text if binds <= need else f"({text})")
        return rule.plain.format(*operands), rule.binds

    # Places.

    def _array(self, value: Value) -> Array:
        """Give how the rows of a Value lie: those of what it is made of."""
        name = value.slot or value.name
        if name in self.arrays.samples:
            return self.arrays.samples[name]
        for arg in value.args:
            if BATCH in arg.shape:
                return self._array(arg)
        raise KeyError(name)

    def _pointer(self, value: Value) -> str:
        return f"m->{self.member(value.slot or value.name)}"

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
        return value.op in ROWS or (
            value.op not in ("input", "const")
            and not value.slot
            and any(self._is_rowwise(arg) for arg in value.args)
        )


def _kept(value: Value) -> dict[str, str]:
    if value.op in ROWS:
        return {"width": str(_width(value.args[0]))}
    return {}


def _width(value: Value) -> int:
    width = value.shape[-1]
    assert isinstance(width, int)
    return width


def _parts(value: Value, batch: str) -> str:
    """Give how many elements a Value has, for `batch` rows."""
    width = _width(value)
    return batch if width == 1 else f"({width} * {batch})"


def _count(count: Value, batch: str) -> str:
    return _parts(count.args[0], batch)
