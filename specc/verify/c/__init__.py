"""The checks of C sources, which run without their Python binding."""
