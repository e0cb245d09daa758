"""The targets: for each, one line of text an operation."""
