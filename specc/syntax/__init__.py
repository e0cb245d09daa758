"""The text of a spec -> its syntax tree; the rendering of every message."""
