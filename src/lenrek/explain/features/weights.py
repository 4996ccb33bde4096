"""The filters of a convolution, whatever layer it is: one row per output channel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy

from lenrek.data.shown import few
from lenrek.errors import ModelError
from lenrek.explain.layer_outputs import find_layer


def is_convolution(module: object) -> bool:
    """Whether the module has filters: PyTorch's convolutions, plain and transposed, and what is made of them."""
    return isinstance(module, _ConvNd)


def convolutions(network: nn.Module) -> list[str]:
    """Names of the layers that have filters, in the network's order."""
    return [name for name, module in network.named_modules() if name and is_convolution(module)]


def weighted_layers(network: nn.Module) -> list[str]:
    """Names of the convolutions and linear layers, in the network's order; "" where it is one itself."""
    return [name for name, module in network.named_modules() if isinstance(module, _ConvNd | nn.Linear)]


def find_convolution_layer(network: nn.Module, name: str, who: str) -> Any:
    """The layer `name`, which has filters.

    Raises:
        ModelError: there is none of this name, it has no filters, or no size yet.
    """
    module: Any = network if not name else find_layer(network, name, who)
    if not is_convolution(module):
        there = convolutions(network)
        raise ModelError(
            f"{who}: layer {name!r} is a {type(module).__name__}, which has no filters.\n"
            f"  Hint: convolutions are {few(there)}." if there else
            f"{who}: layer {name!r} is a {type(module).__name__}, and the network has no convolution."
        )  # fmt: skip
    if is_lazy(module.weight):
        raise ModelError(f"{who}: layer {name!r} has no size yet.\n  Hint: run the network once on a sample.")
    return module


@torch.no_grad()
def filters_of(module: Any) -> Tensor:
    """(out_channels, in_channels / groups, *kernel_size), float32 on the CPU; of a transposed convolution as well.

    >>> filters_of(nn.ConvTranspose2d(4, 6, (3, 2), groups=2)).shape
    torch.Size([6, 2, 3, 2])
    """
    weight = module.weight.detach().float().cpu()
    if not module.transposed:
        return weight
    groups = module.groups  # stored as (in_channels, out_channels / groups, *kernel_size)
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
