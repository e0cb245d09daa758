"""What the two array targets, torch and NumPy, have in common."""
