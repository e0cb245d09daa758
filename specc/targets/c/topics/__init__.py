"""What the templates of C print, a frozen dataclass a topic."""
