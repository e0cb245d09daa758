"""The vocabulary of training: losses, metrics, optimizers, schedules, settings."""
