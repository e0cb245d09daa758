"""From the text of a spec to its syntax tree, and how every message is rendered."""
