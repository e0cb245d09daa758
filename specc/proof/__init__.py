"""What emitted modules are measured against, none of which shares a formula with `ops.py`."""
