"""What every target needs to print a module: statements, places, templates, formatting."""
