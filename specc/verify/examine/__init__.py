"""The checks of specc verify, one subject a module."""
