"""Statements that assign new arrays: the target numpy, and what every array module writes so.

A result that is there already is changed in place; everything else is an expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specc.emit.language import Text
from specc.emit.statements import Printer, Statement, is_named_number
from specc.ir.value import LEAVES, Value, is_constant

AUGMENTED = {"add": "+=", "sub": "-=", "mul": "*=", "div": "/="}
"""How an operation is written whose result takes the place of its first operand."""


class ExpressionPrinter(Printer):
    """Prints each array as one assignment."""

    def state(self, value: Value) -> None:
        """Print one assignment; an array that is there already is changed in place."""
        out = self.place(value.slot)
        sign = AUGMENTED.get(value.op)
        if not self.place.is_given(value.slot):
            result = value in self.results and not self.place.owner_of(value.slot)
            typed = f"{out}: {self.target.words.array}" if result else out
            code = f"{typed} = {self.formula(value, self.target.tensor)}"
        elif sign and self.text(value.args[0])[0] == out:
            self.called.add(value.op)
            code = f"{out} {sign} {self.text(value.args[1])[0]}"
        else:
            code = f"{out}[:] = {self.formula(value, self.target.tensor)}"
        statement = Statement(code, value, list(value.origins))
        if value.derivation:
            statement.derivations.append(value.derivation)
        elif self._follows(value):
            statement.goes_on = True
            heads = [made for made in self.statements if not made.goes_on]
            heads[-1].origins += statement.origins
        self.statements.append(statement)

    def _follows(self, value: Value) -> bool:
        """True if a layer continues the last statement, as relu after linear does."""
        before = self.statements[-1].value if self.statements else None
        follows = before is value.args[0] and self.uses[value.args[0]] == 1
        return follows and bool(value.origins) and value.shape == value.args[0].shape

    def formula(self, value: Value, table: Mapping[str, Text]) -> str:
        """Write an operation; a factor 1 / n divides by n."""
        match value:
            case Value(op="mul", args=(array, Value(op="div", args=(one, count)))):
                if array.shape and is_constant(one, 1):
                    share = replace(value, op="div", args=(array, count))
                    return self.formula(share, table)
        return super().formula(value, table)

    def operands(self, value: Value, rule: Text) -> list[str]:
        """Write the operands, a number before the array that it scales: `lr * gradient`."""
        if value.op == "mul":
            array, factor = value.args
            plain = factor.op in LEAVES or is_named_number(factor)
            if array.shape and plain and not factor.shape:
                value = replace(value, args=(factor, array))
        return super().operands(value, rule)
