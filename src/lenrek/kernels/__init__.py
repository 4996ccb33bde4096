"""The CPU fast paths: compiled kernels as PyTorch operators, each with a twin in plain PyTorch."""
