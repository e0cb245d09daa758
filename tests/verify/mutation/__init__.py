"""Faults planted in emitted modules, and which check of `specc verify` finds each."""
