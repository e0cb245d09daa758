"""The vocabulary of data: files, bundled and synthetic data sets, and how they are split."""
