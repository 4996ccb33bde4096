"""Any PyTorch network on the fast paths of the CPU."""

from lenrek.optimize.module import optimize

__all__ = ["optimize"]
