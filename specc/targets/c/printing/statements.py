"""Values -> statements of C: a product is the call of a kernel, all else a loop over vectors.

A Value with a slot is a statement; what shares its slot and is read by it alone is part of it: the
activation after a product, the factors of a derivative. Nothing here knows a layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from specc.ir.program import Program
from specc.ir.rewrite import rewrite
from specc.ir.value import Value, apply, batched, rows_of
from specc.targets.c.printing.expressions import (
    WHOLE,
    WHOLE_ROWS,
    Printed,
    Statement,
    rows_text,
)
from specc.targets.c.printing.formatting import WIDTH
from specc.targets.c.printing.products import Products


class Printer(Products):
    """Prints the Programs of one module."""

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
        program = rewrite(program, _split)
        ((_, result),) = program.outputs
        sums: dict[Value, str] = {}
        for value in program.values:
            if value.op in ("mean", "share", "total"):
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
        for later in program.users[value]:
            if later.slot == value.slot:
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
        if value.op in ("minus_one_hot", "minus_hot"):
            x, label = value.args
            made.called.add(value.op)
            height = "1"
            if value.op == "minus_hot":
                height = f"(real){value.attribute('height')!r}"
            line = f"{self._number_at(x, self._label(label))} -= {height};"
            head = f"for (int s = 0; s < {rows_text(value)}; s++) "
            return Statement([head + line], [value])
        if value.op in WHOLE_ROWS:
            made.called.add(value.op)
            x = value.args[0]
            a = self._array(x)
            out = self._pointer(value)
            given = f"{rows_text(x)}, {self._pointer(x)}, {a.width}, {a.pitch}"
            call = f"{value.op}({given}, {out});"
            return Statement([call], [value])
        if value.op == "accumulate_sum":
            return Statement(self._feature_gradient(value, made), [value])
        if value.op in ("concat", "part"):
            return Statement(self._copied(value, made), [value])
        if value.op == "reshape":
            return Statement(self._reshaped(value, made), [value])
        if value.op == "swap":
            return Statement(self._swapped(value, made), [value])
        if value.op == "normalize_backward":
            return Statement(self._normalize_backward(value, made), [value])
        covered = [*self._taken_in(value), value]
        if not batched(value.shape):
            return Statement(self._features(value, made), covered)
        if value.slot in self.arrays.numbers:
            return Statement(self._numbers(value, made), covered)
        sums: list[str] = []
        self.by_row = False
        text, _ = self._lanes(value, made, True, sums)
        pattern = f"store({self._pointer(value)} + {{at}}, {{v}});"
        array = self._array(value)
        masked = masked or self._may_blow_up(value)
        if sums or self.by_row:
            inner = self._rowwise(array, pattern, text, made)
            head = f"for (int s = 0; s < {rows_text(value)}; s++)"
            lines = [f"{head} {{", *("  " + line for line in [*sums, *inner]), "}"]
            if not sums:
                lines = [head, *("  " + line for line in inner)]
            return Statement(lines, covered)
        return Statement(self._loop(value, pattern, text, masked, made), covered)

    def _taken_in(self, value: Value) -> list[Value]:
        """Give the Values that a statement takes in, the first to be computed first."""
        found: list[Value] = []
        for arg in value.args:
            if arg in self.inside:
                found += [*self._taken_in(arg), arg]
        return found

    def _features(self, value: Value, made: Printed) -> list[str]:
        """Write a number for each feature, perhaps of sums over the rows."""
        sums: list[str] = []
        text, _ = self._lanes(value, made, True, sums)
        head = f"for (int c = 0; c < {value.shape[-1]}; c += LANES)"
        line = f"store({self._pointer(value)} + c, {text});"
        if sums:
            return [f"{head} {{", *("  " + each for each in [*sums, line]), "}"]
        return [head, f"  {line}"]

    def _feature_gradient(self, value: Value, made: Printed) -> list[str]:
        """Write the gradient of a vector with a number for each feature: zeros behind them."""
        before, x = value.args[:2]
        sums: list[str] = []
        made_of = self._feature_sum(replace(value, args=(x,)), made, sums)
        name = before.name.removeprefix("d_")
        row = self.arrays.parameters[name].row
        if row.width != row.pitch:
            made.called.add("first")
            made_of = f"first({made_of}, {row.width} - c)"
        made.called.add("add_to")
        return [
            f"for (int c = 0; c < {row.width}; c += LANES) {{",
            *("  " + line for line in sums),
            f"  add_to(g->{self.member(name)} + c, {made_of}, beta, alpha);",
            "}",
        ]

    def _numbers(self, value: Value, made: Printed) -> list[str]:
        """Write a number for each row, of what runs along it."""
        sums: list[str] = []
        text, _ = self._of_row(value, made, sums, True)
        text = text if value.op == "mean_over" else f"(real)({text})"
        line = f"{self._pointer(value)}[s] = {text};"
        return [
            f"for (int s = 0; s < {rows_text(value)}; s++) {{",
            *("  " + each for each in [*sums, line]),
            "}",
        ]

    def _normalize_backward(self, value: Value, made: Printed) -> list[str]:
        dy, y, scale = value.args
        a = self._array(dy)
        kind = "rows" if value.attribute("axis") else "features"
        made.called |= {f"normalize_{kind}_back", "first", "total"}
        given = ", ".join(self._pointer(each) for each in (dy, y, scale, value))
        sizes = f"{rows_text(dy)}, {a.width}, {a.pitch}"
        return [f"normalize_{kind}_back({sizes}, {given});"]

    def _copied(self, value: Value, made: Printed) -> list[str]:
        """Copy rows to their place in longer ones, or from there."""
        made.called.add("copy_rows")
        to, start, lines = self._array(value), 0, []
        rows = rows_text(value)
        if value.op == "part":
            start = value.attribute("start")
        for arg in value.args:
            a = self._array(arg)
            width = min(a.width, to.width)
            given, out = self._pointer(arg), self._pointer(value)
            if start:
                place = f" + {start}"
                given, out = (
                    (given, out + place)
                    if value.op == "concat"
                    else (
                        given + place,
                        out,
                    )
                )
            lines.append(
                f"copy_rows({rows}, {width}, {given}, {a.pitch}, {out}, {to.pitch});"
            )
            start += width
        return lines + self._cleared(value, made)

    def _cleared(self, value: Value, made: Printed) -> list[str]:
        """Clear the padding of rows that are written number by number.

        What the memory held may have been NaN there, which no product with 0 takes back.
        """
        to = self._array(value)
        if to.pitch == to.width:
            return []
        made.called.add("clear_padding")
        sizes = f"{rows_text(value)}, {to.width}, {self._pointer(value)}, {to.pitch}"
        return [f"clear_padding({sizes});"]

    def _reshaped(self, value: Value, made: Printed) -> list[str]:
        """Copy numbers to rows of another width, a piece at a time that fits both."""
        made.called.add("copy_pieces")
        x = value.args[0]
        a, to = self._array(x), self._array(value)
        piece = math.gcd(a.width, to.width)
        count = rows_of(x.shape) * a.width // piece
        return [
            f"copy_pieces({'n' if count == 1 else f'{count} * n'}, {piece},"
            f" {self._pointer(x)}, {a.width // piece}, {a.pitch},"
            f" {self._pointer(value)}, {to.width // piece}, {to.pitch});",
            *self._cleared(value, made),
        ]

    def _swapped(self, value: Value, made: Printed) -> list[str]:
        """Turn every so many rows into columns."""
        made.called.add("swap")
        x = value.args[0]
        a, to, size = self._array(x), self._array(value), value.attribute("size")
        blocks = rows_of(x.shape) // size
        return [
            f"swap({'n' if blocks == 1 else f'{blocks} * n'}, {size}, {a.width},"
            f" {self._pointer(x)}, {a.pitch}, {self._pointer(value)}, {to.pitch});",
            *self._cleared(value, made),
        ]

    def _may_blow_up(self, value: Value) -> bool:
        """Tell whether padding may become infinite, which no product with 0 takes back."""
        if value.op in ("log", "sqrt", "pow"):
            return True
        if value.op == "log1p" and value.args[0].op != "exp":
            return True
        if value.op == "div" and value.args[1].shape:
            return True
        parts = [v for v in value.args if not v.slot or v in self.inside]
        return any(self._may_blow_up(part) for part in parts)

    def _sum(self, value: Value, name: str, made: Printed) -> Statement:
        """Write the sum of what a mean is over."""
        x = value.args[0]
        if self._is_rowwise(x):
            text = self._number(x, made)[0]
            head = f"for (int s = 0; s < {rows_text(x)}; s++)"
            body = f"{name} += {text};"
            short = len(head) + len(body) + 5 <= WIDTH
            lines = [f"{head} {body}"] if short else [head, f"  {body}"]
            return Statement([f"double {name} = 0;", *lines], [value])
        text, _ = self._lanes(x, made, inside=True)
        if value.op == "share":
            made.called |= {"keep", "truth"}
            text = f"keep({text}, fill(1))"
        a = self._array(x)
        made.called |= {"first", "total"}
        if a.width != a.pitch:
            loop = self._loop(x, f"{name} += {{v}};", text, True, made)
        else:
            rows = rows_text(x)
            count = rows if a.pitch == 1 else f"{rows} * {a.pitch}"
            loop = self._loop(
                x, f"{name} += first({{v}}, {count} - at);", text, False, made
            )
        made.vectors.add(name)
        return Statement([f"vec {name} = fill(0);", *loop], [value])


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
