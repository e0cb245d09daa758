"""Linear layers and their derivatives -> the calls of kernels, one kernel for each shape.

Takes Values whose arrays are laid out. Invariant: two calls share a kernel exactly when its text is
the same, so that a deep network of equal layers compiles as fast as a shallow one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specc.ir.value import Value
from specc.targets.c.memory.rows import CACHED, STRIDE, Arrays, parameter_of
from specc.targets.c.printing.record import Statement
from specc.targets.c.printing.shapes import (
    READ,
    STEP,
    WRITTEN,
    End,
    Given,
    Kernel,
    Shape,
)
from specc.targets.c.printing.vectors import ACTIVATIONS, THROUGH, Vectors


class Products(Vectors):
    """Writes the products of one module."""

    def __init__(
        self, arrays: Arrays, name: Callable[[str], str], panel: str = "NULL"
    ) -> None:
        super().__init__(arrays, name)
        self.panel = Given(WRITTEN, panel)
        self.shapes: dict[str, Shape] = {}
        """Kernels for one shape, by their names."""
        self.called: dict[str, int] = {}
        """How often each is called."""
        self.called_by_shapes: set[str] = set()
        """What their kernels call."""

    @property
    def kernels(self) -> list[Kernel]:
        """Every kernel for a shape."""
        return [
            Kernel(
                f"{'OUTLINE' if self.called[name] > 1 else 'INLINE'} void"
                f" {name}{shape.signature}",
                f"{shape.body};",
            )
            for name, shape in self.shapes.items()
        ]

    def end(self, value: Value) -> End | None:
        """Return how a Value would end the product before it, if it could."""
        if value.op in ACTIVATIONS:
            return End(ACTIVATIONS[value.op])
        if value.op in THROUGH:
            return End(THROUGH[value.op], value.args[1])
        return None

    def product(self, value: Value, end: End) -> list[str]:
        """Call the kernel of a linear layer, or of its derivative by its input."""
        self.called_by_shapes.add(end.kind)
        w = value.args[1]
        narrow = self.array(value).narrow
        if value.op == "linear" or w.op == "transpose":
            return (self._narrow if narrow else self._dense)(value, end)
        if end.by is not None:
            self.called_by_shapes.add("through")
        if not self.arrays.parameters[w.name].turned:
            return self._narrow_back(value, end)
        return (self._back_to_narrow if narrow else self._back)(value, end)

    def _operands(self, value: Value) -> dict[str, Given]:
        """Return the sample and the weight of a product."""
        x, w = value.args[:2]
        weight = w.args[0] if w.op == "transpose" else w
        return {
            "x": Given(READ, self.pointer(x)),
            "w": Given(READ, self.parameter(weight.name)),
        }

    def _bias(self, value: Value) -> dict[str, Given]:
        if value.op != "linear" or len(value.args) < 3:
            return {}
        return {"bias": Given(READ, self.parameter(value.args[2].name))}

    def _gate(self, end: End) -> dict[str, Given]:
        """Return what a derivative goes by."""
        return {} if end.by is None else {"x": Given(READ, self.pointer(end.by))}

    def _sizes(self, value: Value) -> str:
        return f"{self.array(value.args[0]).width}_{self.array(value).width}"

    def _pitch_of_weight(self, value: Value) -> int:
        weight = value.args[1]
        weight = weight.args[0] if weight.op == "transpose" else weight
        return self.arrays.parameters[weight.name].row.pitch

    def _narrow(self, value: Value, end: End) -> list[str]:
        out, given, bias = (
            self.array(value),
            self.array(value.args[0]),
            self._bias(value),
        )
        return self._call(
            f"narrow_{self._sizes(value)}{end.suffix}{'' if bias else '_unbiased'}",
            f"narrow(n, x, {given.pitch}, {given.width}, w, {self._pitch_of_weight(value)},"
            f" {'bias' if bias else 'NULL'}, {out.width}, {end.kind}, y)",
            {
                **self._operands(value),
                **bias,
                "y": Given(WRITTEN, self.pointer(value)),
            },
            value,
            "narrow",
        )

    def _dense(self, value: Value, end: End) -> list[str]:
        out, given, bias = (
            self.array(value),
            self.array(value.args[0]),
            self._bias(value),
        )
        if given.width * out.pitch > CACHED:
            self.called_by_shapes.add("wide")
        return self._call(
            f"dense_{self._sizes(value)}{end.suffix}{'' if bias else '_unbiased'}",
            f"dense(n, x, {given.pitch}, {given.width}, w, {'bias' if bias else 'NULL'},"
            f" {out.width}, {end.kind}, y, {out.pitch}, panel)",
            {
                **self._operands(value),
                **bias,
                "y": Given(WRITTEN, self.pointer(value)),
                "panel": self.panel,
            },
            value,
            "dense",
        )

    def _back(self, value: Value, end: End) -> list[str]:
        out, given, gate = self.array(value), self.array(value.args[0]), self._gate(end)
        operands = self._operands(value)
        return self._call(
            f"back_{self._sizes(value)}{end.suffix}",
            f"back(n, dy, {given.pitch}, {given.width}, w, {out.width}, {end.kind},"
            f" {'x' if gate else 'NULL'}, dx, {out.pitch}, panel)",
            {
                "dy": operands["x"],
                "w": operands["w"],
                **gate,
                "dx": Given(WRITTEN, self.pointer(value)),
                "panel": self.panel,
            },
            value,
            "back",
        )

    def _narrow_back(self, value: Value, end: End) -> list[str]:
        out, given, gate = self.array(value), self.array(value.args[0]), self._gate(end)
        operands = self._operands(value)
        return self._call(
            f"narrow_back_{self._sizes(value)}{end.suffix}",
            f"narrow_back(n, dy, {given.width}, w, {self._pitch_of_weight(value)},"
            f" {out.width}, {end.kind}, {'x' if gate else 'NULL'}, dx, {out.pitch})",
            {
                "dy": operands["x"],
                "w": operands["w"],
                **gate,
                "dx": Given(WRITTEN, self.pointer(value)),
            },
            value,
            "narrow_back",
        )

    def _back_to_narrow(self, value: Value, end: End) -> list[str]:
        out, given = self.array(value), self.array(value.args[0])
        operands, ys = self._operands(value), self.pointer(value)
        lines = self._call(
            f"narrow_{self._sizes(value)}_unpadded",
            f"narrow(n, dy, {given.pitch}, {given.width}, w,"
            f" {self._pitch_of_weight(value)}, NULL, {out.width}, NONE, dx)",
            {"dy": operands["x"], "w": operands["w"], "dx": Given(WRITTEN, ys)},
            value,
            "narrow",
        )
        if end.by is not None:
            self.made.calls |= {end.kind, "through"}
            y = self.pointer(end.by)
            text = f"through({end.kind}, load({ys} + at), load({y} + at))"
            lines += self.loop(value, f"store({ys} + {{at}}, {{v}});", text, False)
        return lines

    def gradient(
        self, value: Value, values: list[Value], done: set[Value]
    ) -> Statement:
        """Write the gradient of a weight, with that of its bias."""
        before, turned, x = value.args[:3]
        dy = turned.args[0]
        of_bias = next(
            (
                other
                for other in values
                if other.op == "accumulate_sum"
                and other.args[1] is dy
                and other.origins == value.origins
                and other not in done
            ),
            None,
        )
        given: dict[str, Given] = {
            "x": Given(READ, self.pointer(x)),
            "dy": Given(READ, self.pointer(dy)),
            "g": Given(WRITTEN, self.gradient_of(before)),
        }
        if of_bias is not None:
            done.add(of_bias)
            given["g_bias"] = Given(WRITTEN, self.gradient_of(of_bias.args[0]))
        weight = self.arrays.parameters[parameter_of(before)]
        a, d = self.array(x), self.array(dy)
        kind = "gradient" if weight.turned else "narrow_gradient"
        if weight.turned and d.pitch > STRIDE:
            self.called_by_shapes.add("wide")
        if weight.turned:
            given["panel"] = self.panel
        given |= {name: Given(kind, name) for name, kind in STEP.items()}
        lines = self._call(
            f"{kind}_{a.width}_{d.width}{'_unbiased' if of_bias is None else ''}",
            f"{kind}(n, x, {a.pitch}, {a.width}, dy, {f'{d.pitch}, ' if weight.turned else ''}"
            f"{d.width}, g, {weight.row.pitch}, {'NULL' if of_bias is None else 'g_bias'},"
            f" {'panel, ' if weight.turned else ''}beta, alpha)",
            given,
            x,
            kind,
        )
        values_of = (value,) if of_bias is None else (value, of_bias)
        return Statement(tuple(lines), values_of)

    def gradient_of(self, before: Value) -> str:
        """Point to the gradient that is added to."""
        return f"g->{self.member(parameter_of(before))}"

    def _call(
        self,
        name: str,
        body: str,
        given: Mapping[str, Given],
        of: Value,
        kernel: str,
    ) -> list[str]:
        """Call a kernel for these shapes, which is made once, for the rows of a Value."""
        self.called_by_shapes.add(kernel)
        takes = "".join(f", {each.type}{key}" for key, each in given.items())
        shape = Shape(f"(int n{takes})", body)
        base, ending = name, 2
        while self.shapes.get(name, shape) != shape:
            name, ending = f"{base}_{ending}", ending + 1
        self.shapes[name] = shape
        self.called[name] = self.called.get(name, 0) + 1
        texts = ", ".join(each.text for each in given.values())
        return [f"{name}({self.rows(of)}, {texts});"]
