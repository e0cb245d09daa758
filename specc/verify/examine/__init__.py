"""The checks of specc verify, one subject in each module."""
