"""Statements that write into a workspace: the target torch.

Each array is the `out=` of a call, or the first operand overwritten by a method. An operation that
overwrites the result of the line before joins that line. A view of a kept array is kept too.
"""

from __future__ import annotations

from specc.emit.language import ATOM
from specc.emit.statements import Printer, Statement, View, numbered
from specc.ir.value import Value


class WorkspacePrinter(Printer):
    """Prints each array as a call that writes to an array of the workspace."""

    def state(self, value: Value) -> None:
        """Print one statement, or lengthen the last one by a method."""
        rule = self.target.tensor[value.op]
        out = self.place(value.slot)
        first = value.args[0]
        words = {**self.attributes(value), "out": out, "all": self.all(value)}
        before = self.statements[-1] if self.statements else None
        over = rule.over and value.slot == (first.slot or first.name)
        free = [self.text(arg)[0] for arg in value.args]
        joined = over and before and before.value is first and self.uses[first] == 1
        if (
            before
            and joined
            and before.fits(method := rule.over.format(*free, **words))
        ):
            before.code += method
            before.value = value
            statement = self._head()
        else:
            operands = self.operands(value, rule)
            if over:
                code = out + rule.over.format(*free, **words)
            elif rule.fresh and self._is_made(value.slot):
                code = f"{out} = {rule.plain.format(*operands, **words)}"
                self.fresh.add(value.slot)
            elif rule.into:
                code = rule.into.format(*free, **words)
            elif rule.over:
                code = f"{out}.copy_({free[0]})" + rule.over.format(*free, **words)
            else:
                code = f"{out}.copy_({rule.plain.format(*operands, **words)})"
            statement = Statement(code, value)
            self.statements.append(statement)
            if joined:  # what a chain derives stands above the first of its lines
                statement.goes_on = self._head(1).says_nothing_but(value)
                statement = self._head()
        self.called.add(value.op)
        statement.origins += [o for o in value.origins if o not in statement.origins]
        if value.derivation:
            statement.derivations.append(value.derivation)

    def _head(self, behind: int = 0) -> Statement:
        """Return the statement that the last one continues, or the last but `behind`."""
        made = self.statements[: len(self.statements) - behind]
        return next(each for each in reversed(made) if not each.goes_on)

    def text(self, value: Value) -> tuple[str, int]:
        """Return the expression of a Value; counts and views are kept ahead of a step."""
        if value.slot or value.op == "input":
            return super().text(value)
        if value.op == "count":
            return f"{self.text(value.args[0])[0]}.numel()", ATOM
        if value.op == "div" and value.args[1].op == "count":
            return self._share(*value.args), ATOM
        if value.row.view:
            return self._view(value), ATOM
        return super().text(value)

    def _is_made(self, slot: str) -> bool:
        """True if a function makes the array and leaves it in the workspace."""
        return slot in self.place.fresh and bool(self.place.owner_of(slot))

    def _share(self, part: Value, count: Value) -> str:
        """Name part / n, a kept number: of a number in Python torch makes a tensor each time."""
        number = part.attribute("value")
        word = {1: "one", 2: "two"}.get(number, "part")
        divisor, binds = self.count(count.args[0])
        whole = divisor if binds == ATOM else f"({divisor})"
        name = numbered(f"{word}_over_n", f"{number!r} / {whole}", self.scalars)
        return self.place(name)

    def _view(self, value: Value) -> str:
        """Name a view: of a kept array it is kept too, of an argument it is taken in place."""
        operand = value.args[0]
        if value.op == "with_ones":
            name = operand.slot or operand.name
            self.carrying_ones.add(name)
            return self.place(f"{name}_ones")
        seen = self._view(operand) if operand.row.view else self.text(operand)[0]
        pattern = self.target.tensor[value.op].plain
        root = operand
        while root.row.view:
            root = root.args[0]
        owner = self.place.owner_of(root.slot or root.name)
        if not owner or (operand.slot or operand.name) in self.place.fresh:
            return str(pattern.format(seen))
        if value.op == "weight_of":
            name = f"{seen.removesuffix('_matrix')}_weight"
        else:
            name = seen + {"transpose": "_t", "flat": "_flat"}.get(value.op, "_body")
        own, of = (text.removeprefix(f"{owner}.") for text in (name, seen))
        self.views[name] = View(owner, own, of, pattern)
        return name
