"""The intermediate representation: Values, Programs, and the table of operations."""

from specc.ir.value import OPS as OPS
