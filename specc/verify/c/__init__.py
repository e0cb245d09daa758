"""Checks of C sources without their Python binding."""
