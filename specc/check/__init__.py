"""From the syntax tree to the Model, with all errors and warnings."""
