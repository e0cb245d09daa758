"""The same network built from torch.nn, torch.optim and published definitions."""
