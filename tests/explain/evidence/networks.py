"""Small networks of one to three axes, all of them unequal."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIZES = {1: (29,), 2: (13, 17), 3: (9, 11, 13)}
CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def example(ndim: int, samples: int = 3, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, Tensor, list[int]]:
    """A network with strides and paddings that differ per axis, random samples, and a class for each."""
    torch.manual_seed(ndim)
    kernels, strides, paddings = (3, 5, 3)[:ndim], (2, 1, 3)[:ndim], (1, 2, 0)[:ndim]
    network = nn.Sequential()
    network.add_module(
        "features",
        nn.Sequential(
            CONV[ndim](2, 6, kernels, stride=strides, padding=paddings),
            nn.ReLU(inplace=True),
            CONV[ndim](6, 5, 3, padding=1),
            nn.Tanh(),
        ),
    )
    network.add_module("flat", nn.Flatten())
    size = network.features(torch.zeros(1, 2, *SIZES[ndim])).numel()
    network.add_module("head", nn.Linear(size, 4))
    nn.init.normal_(network.head.weight)
    x = torch.randn(samples, 2, *SIZES[ndim], generator=torch.Generator().manual_seed(7))
    return network.to(dtype).eval(), x.to(dtype), [3, 0, 1][:samples]
