"""Linear layers and their derivatives -> the calls of kernels, one kernel for each shape.

Takes Values whose arrays are laid out. Invariant: two calls share a kernel exactly when its text is
the same, so that a deep network of equal layers compiles as fast as a shallow one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specc.ir.value import Value
from specc.targets.c.memory.rows import CACHED, STRIDE, Arrays
from specc.targets.c.printing.expressions import (
    ACTIVATIONS,
    THROUGH,
    Expressions,
    Printed,
    Statement,
    rows_text,
)


class Products(Expressions):
    """Writes the products of one module."""

    def __init__(
        self, arrays: Arrays, name: Callable[[str], str], panel: str = "NULL"
    ) -> None:
        super().__init__(arrays, name)
        self.panel = panel
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
                f"{kind} void {name}{signature} {{",
                f"  {body};",
                "}",
            ]
        return lines

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
        xs, ys, rows = self._pointer(x), self._pointer(value), rows_text(x)
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
                rows,
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
                rows,
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
                rows,
            )
        if out.narrow:
            made.called |= {"narrow", "total", "totals"}
            lines = self._call(
                f"narrow_{sizes}_unpadded",
                f"narrow(n, dy, {given.pitch}, {given.width}, w, {weight.row.pitch}, NULL,"
                f" {out.width}, NONE, dx)",
                {"*dy": xs, "*w": p, "dx": ys},
                rows,
            )
            if by is not None:
                text = (
                    f"through({kind}, load({ys} + at), load({self._pointer(by)} + at))"
                )
                lines += self._loop(
                    value, f"store({ys} + {{at}}, {{v}});", text, False, made
                )
            return lines
        made.called |= {"back", "product", "dots", "turn", "totals"}
        return self._call(
            f"back_{sizes}{word}",
            f"back(n, dy, {given.pitch}, {given.width}, w, {out.width}, {kind}, {gate}, dx,"
            f" {out.pitch}, panel)",
            {"*dy": xs, "*w": p, **through, "dx": ys, "panel": self.panel},
            rows,
        )

    def _bias(self, bias: list[Value]) -> tuple[str, dict[str, str]]:
        """Give the ending of a kernel's name, and the argument, for a bias or none."""
        if not bias:
            return "_unbiased", {}
        return "", {"*bias": f"p->{self.member(bias[0].name)}"}

    def _call(
        self, name: str, body: str, given: Mapping[str, str], rows: str
    ) -> list[str]:
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
        return [f"{name}({rows}, {', '.join(given.values())}{more});"]

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
                and other.origins == value.origins
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
            rows_text(x),
        )
        return statement
