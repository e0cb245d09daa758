"""The passes: each takes a Program and returns one with the same meaning."""
