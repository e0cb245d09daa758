"""The targets, one folder each: how a module is written for torch, NumPy or C."""
