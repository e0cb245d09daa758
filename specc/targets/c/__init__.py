"""The target c: a C source and header, and the Python module that builds and binds them."""
