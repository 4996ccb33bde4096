"""Training: configuration, epochs, checkpoints, evaluation and the report."""
