"""Image search: a network's features as vectors, a store that keeps them, and questions to it."""
