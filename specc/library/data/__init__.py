"""The vocabulary of data: files, bundled and synthetic sets, and how they are split."""
