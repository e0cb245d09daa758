"""Derivatives of Programs, and how they are written as mathematics."""
