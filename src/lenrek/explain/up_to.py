"""A forward pass that ends where a layer has its output: nothing behind it is computed, and gradients may flow."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lenrek.errors import ModelError


class _EnoughError(Exception):
    """The layer's output is there; what follows need not run."""


def up_to(network: nn.Module, module: nn.Module, x: Tensor, who: str, run: int = 1) -> Tensor:
    """What `module` returns in its `run`-th run.

    Raises:
        ModelError: it does not run so often.
    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.ReLU(), nn.Linear(5, 5))
        >>> up_to(net, net[0], torch.tensor([[-1.0, 2.0]]), "example")
        tensor([[0., 2.]])
    """
    found: list[Tensor] = []

    def take(_: nn.Module, given: Any, output: Any) -> None:
        while not isinstance(output, Tensor):
            output = next(iter(output.values() if isinstance(output, dict) else output))
        found.append(output)
        if len(found) == run:
            found[-1] = output.clone()  # what follows may write into it
            raise _EnoughError

    handle = module.register_forward_hook(take)
    try:
        network(x)
    except _EnoughError:
        pass
    finally:
        handle.remove()
    if len(found) < run:
        raise ModelError(f"{who}: the layer does not run for this input.")
    return found[-1]


def count_runs(network: nn.Module, module: nn.Module, x: Tensor) -> int:
    """How often `module` runs in a forward pass."""
    runs: list[None] = []
    handle = module.register_forward_hook(lambda *_: runs.append(None))
    try:
        network(x)
    finally:
        handle.remove()
    return len(runs)
