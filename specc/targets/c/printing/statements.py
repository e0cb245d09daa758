"""Values -> statements of C: a product is the call of a kernel, all else a loop over vectors.

A Value with a slot is a statement; what shares its slot and is read by it alone is part of it: the
activation after a product, the factors of a derivative. Nothing here knows a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Value, apply, batched
from specc.targets.c.memory.rows import parameter_of
from specc.targets.c.printing.copies import Copies
from specc.targets.c.printing.indexing import indented, on_a_line, times
from specc.targets.c.printing.record import Printed, Statement
from specc.targets.c.printing.shapes import End

PRODUCTS = frozenset({"linear", "mm"})


class Printer(Copies):
    """Prints the Programs of one module."""

    def printed(
        self, program: Program, masked: bool = False, count: str = "n"
    ) -> Printed:
        """Print a Program with slots; `masked` keeps the padding of its results zero."""
        made = self.begin(count)
        self.masked = masked
        uses = program.uses()
        done: set[Value] = set()
        values = [v for v in program.values if v.slot]
        self.inside = {v for v in values if self._is_inside(v, program, uses)}
        for value in values:
            if value not in done and value not in self.inside:
                made.statements.append(self._statement(value, values, uses, done))
        return made

    def reduced(self, program: Program) -> Printed:
        """Print a Program that gives a number: a mean over all elements of the batch."""
        made = self.begin()
        program = rewrite(program, _split)
        ((_, result),) = program.outputs
        sums: dict[Value, str] = {}
        for value in program.values:
            if value.op in ("mean", "share", "total"):
                sums[value] = "sum" if not sums else f"sum{len(sums) + 1}"
                made.statements.append(self._sum(value, sums[value]))
        texts = {
            value: f"(double)total({name})" if name in made.vectors else name
            for value, name in sums.items()
        }
        made.result, _ = self.of_sums(result, texts)
        return made

    # Which Values a statement is made of.

    def _is_inside(
        self, value: Value, program: Program, uses: Mapping[Value, int]
    ) -> bool:
        """True if a later statement takes this Value in."""
        if uses[value] != 1 or self._ends_product(value, uses):
            return False
        for later in program.users[value]:
            if later.slot == value.slot:
                if value.op in PRODUCTS:
                    return self.end(later) is not None
                return not {value.op, later.op} & (PRODUCTS | WHOLE.keys() | GRADIENTS)
        return False

    def _ends_product(self, value: Value, uses: Mapping[Value, int]) -> bool:
        """True if the kernel of a product does this too."""
        first = value.args[0]
        product = first.op in PRODUCTS and first.slot == value.slot
        return product and uses[first] == 1 and self.end(value) is not None

    def _taken_in(self, value: Value) -> list[Value]:
        """Return the Values that a statement takes in, the first to be computed first."""
        found: list[Value] = []
        for arg in value.args:
            if arg in self.inside:
                found += [*self._taken_in(arg), arg]
        return found

    def _statement(
        self,
        value: Value,
        values: list[Value],
        uses: Mapping[Value, int],
        done: set[Value],
    ) -> Statement:
        done.add(value)
        first = value.args[0]
        end = self.end(value)
        if end is not None and self._ends_product(value, uses):
            done.add(first)
            return Statement(tuple(self.product(first, end)), (first, value))
        if value.op in PRODUCTS:
            return Statement(tuple(self.product(value, End())), (value,))
        if value.op == "accumulate_mm":
            return self.gradient(value, values, done)
        if value.op in WHOLE:
            return Statement(tuple(WHOLE[value.op](self, value)), (value,))
        covered = (*self._taken_in(value), value)
        return Statement(tuple(self._loop_of(value)), covered)

    # Statements of one operation.

    def _minus_hot(self, value: Value) -> list[str]:
        x, label = value.args
        height = "1"
        if value.op == "minus_hot":
            height = f"(real){value.attribute('height')!r}"
        line = f"{self.number_at(x, self.label(label))} -= {height};"
        return [f"for (int s = 0; s < {self.rows(value)}; s++) {line}"]

    def _whole_rows(self, value: Value) -> list[str]:
        self.made.calls.add(value.op)
        (x,) = value.args
        a = self.array(x)
        given = f"{self.rows(x)}, {self.pointer(x)}, {a.width}, {a.pitch}"
        return [f"{value.op}({given}, {self.pointer(value)});"]

    def _feature_gradient(self, value: Value) -> list[str]:
        """Write the gradient of a vector with a number for each feature: zeros behind them."""
        before, x = value.args[:2]
        sums: list[str] = []
        made_of = self.feature_sum(x, sums)
        row = self.arrays.parameters[parameter_of(before)].row
        if row.width != row.pitch:
            self.made.calls.add("first")
            made_of = f"first({made_of}, {row.width} - c)"
        self.made.calls.add("add_to")
        return [
            f"for (int c = 0; c < {row.width}; c += LANES) {{",
            *indented(sums),
            f"  add_to({self.gradient_of(before)} + c, {made_of}, beta, alpha);",
            "}",
        ]

    def _normalize_backward(self, value: Value) -> list[str]:
        dy, y, scale = value.args
        a = self.array(dy)
        kernel = f"normalize_{'rows' if value.attribute('axis') else 'features'}_back"
        self.made.calls.add(kernel)
        given = ", ".join(self.pointer(each) for each in (dy, y, scale, value))
        return [f"{kernel}({self.rows(dy)}, {a.width}, {a.pitch}, {given});"]

    # Loops over the vectors of an array.

    def _loop_of(self, value: Value) -> list[str]:
        if not batched(value.shape):
            return self._features(value)
        if value.slot in self.arrays.numbers:
            return self._numbers(value)
        sums: list[str] = []
        self.by_row = False
        text, _ = self.lanes(value, sums, inside=True)
        pattern = f"store({self.pointer(value)} + {{at}}, {{v}});"
        head = f"for (int s = 0; s < {self.rows(value)}; s++)"
        if sums or self.by_row:
            inner = self.rowwise(self.array(value), pattern, text)
            return _braced(head, sums, inner)
        masked = self.masked or self._may_blow_up(value)
        return self.loop(value, pattern, text, masked)

    def _features(self, value: Value) -> list[str]:
        """Write a number for each feature, perhaps of sums over the rows."""
        sums: list[str] = []
        text, _ = self.lanes(value, sums, inside=True)
        head = f"for (int c = 0; c < {value.shape[-1]}; c += LANES)"
        return _braced(head, sums, [f"store({self.pointer(value)} + c, {text});"])

    def _numbers(self, value: Value) -> list[str]:
        """Write a number for each row, of what runs along it."""
        sums: list[str] = []
        text, _ = self.of_row(value, sums, True)
        text = text if value.op == "mean_over" else f"(real)({text})"
        line = f"{self.pointer(value)}[s] = {text};"
        head = f"for (int s = 0; s < {self.rows(value)}; s++) {{"
        return [head, *indented([*sums, line]), "}"]

    def _may_blow_up(self, value: Value) -> bool:
        """True if padding may become infinite, which no product with 0 takes back."""
        if value.op in ("log", "sqrt", "pow"):
            return True
        if value.op == "log1p" and value.args[0].op != "exp":
            return True
        if value.op == "div" and value.args[1].shape:
            return True
        parts = [v for v in value.args if not v.slot or v in self.inside]
        return any(self._may_blow_up(part) for part in parts)

    def _sum(self, value: Value, name: str) -> Statement:
        """Write the sum of what a mean is over."""
        (x,) = value.args
        if self.is_rowwise(x):
            head = f"for (int s = 0; s < {self.rows(x)}; s++)"
            lines = on_a_line(head, f"{name} += {self.number(x)[0]};")
            return Statement((f"double {name} = 0;", *lines), (value,))
        text, _ = self.lanes(x, [], inside=True)
        if value.op == "share":
            self.made.calls.add("keep")
            text = f"keep({text}, fill(1))"
        a = self.array(x)
        self.made.calls |= {"first", "total"}
        pattern, padded = f"{name} += {{v}};", a.width != a.pitch
        if not padded:
            count = times(self.rows(x), a.pitch)
            pattern = f"{name} += first({{v}}, {count} - at);"
        self.made.vectors.add(name)
        loop = self.loop(x, pattern, text, masked=padded)
        return Statement((f"vec {name} = fill(0);", *loop), (value,))


WHOLE: Mapping[str, Callable[[Printer, Value], list[str]]] = {
    "minus_one_hot": Printer._minus_hot,
    "minus_hot": Printer._minus_hot,
    "softmax": Printer._whole_rows,
    "log_softmax": Printer._whole_rows,
    "accumulate_sum": Printer._feature_gradient,
    "normalize_backward": Printer._normalize_backward,
    "concat": Printer.copied,
    "part": Printer.copied,
    "reshape": Printer.reshaped,
    "swap": Printer.swapped,
}
"""Operations that are statements of their own."""
GRADIENTS = frozenset({"accumulate_mm"})


def _braced(head: str, sums: list[str], inner: list[str]) -> list[str]:
    """Write a loop; it has braces where sums stand before its statement."""
    if not sums:
        return [head, *indented(inner)]
    return [f"{head} {{", *indented([*sums, *inner]), "}"]


def _split(value: Value) -> Value:
    """Take the mean of log_softmax apart: what keeps no array has none to write it to."""
    if value.op in ("mean", "total") and value.args[0].op == "log_softmax":
        (z,) = value.args[0].args
        axis = value.args[0].attribute("axis")
        sums = apply("logsumexp", z, axis=axis, keep=True)
        width = z.shape[axis] if value.op == "total" else 1
        assert isinstance(width, int)
        return apply(value.op, z) - apply(value.op, sums) * width
    return value
