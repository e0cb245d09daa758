"""Values that move numbers and compute none -> calls of the kernels that copy rows."""

from __future__ import annotations

import math

from specc.ir.value import Value, rows_of
from specc.targets.c.printing.products import Products


class Copies(Products):
    """Writes what moves numbers and computes none."""

    def copied(self, value: Value) -> list[str]:
        """Copy rows to their place in longer ones, or from there."""
        self.made.calls.add("copy_rows")
        to, lines = self.array(value), list[str]()
        joins = value.op == "concat"
        start = 0 if joins else value.attribute("start")
        for arg in value.args:
            a = self.array(arg)
            width = min(a.width, to.width)
            behind = f" + {start}" if start else ""
            given = self.pointer(arg) + ("" if joins else behind)
            out = self.pointer(value) + (behind if joins else "")
            sizes = f"{self.rows(value)}, {width}"
            lines.append(f"copy_rows({sizes}, {given}, {a.pitch}, {out}, {to.pitch});")
            start += width
        return lines + self.cleared(value)

    def cleared(self, value: Value) -> list[str]:
        """Clear the padding of rows that are written number by number.

        What the memory held may have been NaN there, which no product with 0 takes back.
        """
        to = self.array(value)
        if to.pitch == to.width:
            return []
        self.made.calls.add("clear_padding")
        sizes = f"{self.rows(value)}, {to.width}, {self.pointer(value)}, {to.pitch}"
        return [f"clear_padding({sizes});"]

    def reshaped(self, value: Value) -> list[str]:
        """Copy numbers to rows of another width, a piece at a time that fits both."""
        self.made.calls.add("copy_pieces")
        (x,) = value.args
        a, to = self.array(x), self.array(value)
        piece = math.gcd(a.width, to.width)
        count = rows_of(x.shape) * a.width // piece
        return [
            f"copy_pieces({self.so_many(count)}, {piece},"
            f" {self.pointer(x)}, {a.width // piece}, {a.pitch},"
            f" {self.pointer(value)}, {to.width // piece}, {to.pitch});",
            *self.cleared(value),
        ]

    def swapped(self, value: Value) -> list[str]:
        """Turn every so many rows into columns."""
        self.made.calls.add("swap")
        (x,) = value.args
        a, to, size = self.array(x), self.array(value), value.attribute("size")
        blocks = rows_of(x.shape) // size
        return [
            f"swap({self.so_many(blocks)}, {size}, {a.width},"
            f" {self.pointer(x)}, {a.pitch}, {self.pointer(value)}, {to.pitch});",
            *self.cleared(value),
        ]
