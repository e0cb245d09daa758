"""From the Model to its differentiated Programs."""
