"""How a file, or a list of pairs, becomes Comparisons."""
