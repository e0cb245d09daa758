"""Comparison of numbers and runs, and the module under test."""
