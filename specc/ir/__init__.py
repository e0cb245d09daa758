"""The intermediate representation: Values, Programs, and the table of operations."""
