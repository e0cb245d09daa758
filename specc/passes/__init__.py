"""The passes: each takes a Program and gives one that means the same."""
