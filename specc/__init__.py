"""specc compiles a declarative network into a standalone module with derived gradients."""

__version__ = "0.1.0"
