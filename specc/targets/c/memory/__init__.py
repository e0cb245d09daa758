"""Where the numbers of a C module lie, and how many bytes they take."""
