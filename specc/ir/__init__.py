"""The intermediate representation: Values, Programs, and the table of operations."""

from specc.ir.ops import rules_of as rules_of
