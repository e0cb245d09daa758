"""Independent references, from torch.nn, torch.optim and published definitions."""
