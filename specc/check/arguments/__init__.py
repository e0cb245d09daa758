"""Arguments: expressions evaluated, matched to signatures, converted to their types."""
