"""Data: sources found from what a path holds, decoding, splits, and the two ways samples reach a network."""
