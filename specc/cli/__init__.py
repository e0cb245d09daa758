"""The command line: each command calls functions of other packages."""
