"""Any PyTorch network on the fast paths of the CPU: `optimize` to train it, `compile_inference` to run it."""
