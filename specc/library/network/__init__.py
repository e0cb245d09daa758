"""The vocabulary of networks: layers, norms, activations, initializers."""
