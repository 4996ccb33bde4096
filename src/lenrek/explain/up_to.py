"""A forward pass that ends where a layer has its output: nothing behind it is computed, and gradients may flow."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lenrek.errors import ModelError
from lenrek.explain.layer_outputs import find_run


class _EnoughError(Exception):
    """The layer's output is there; what follows need not run."""


def up_to(network: nn.Module, layer: str, x: Tensor, who: str) -> Tensor:
    """What `layer` returns: a module's path, with "#2" behind it of its second run; "" is the network's output.

    Raises:
        ModelError: no such layer, or it does not run so often.
    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.ReLU(), nn.Linear(5, 5))
        >>> up_to(net, "0", torch.tensor([[-1.0, 2.0]]), "example")
        tensor([[0., 2.]])
    """
    module, run = find_run(network, layer, who)
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
