"""What emitted modules are measured against; `mechanical` alone reads rows of `ops.py`."""
