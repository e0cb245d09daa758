"""The command line: each command is a few lines over functions of other packages."""
