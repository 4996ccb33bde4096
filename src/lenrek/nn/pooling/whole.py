"""Global pooling as modules."""

from __future__ import annotations

from torch import Tensor

from lenrek.nn.pooling.module import PoolingModule
from lenrek.ops.pooling import global_average_pool, global_max_pool


class GlobalMaxPool(PoolingModule):
    """The largest sample of each channel, (batch, channels): `ops.pooling.global_max_pool`.

    Example:
        >>> import torch
        >>> GlobalMaxPool()(torch.arange(12.0).reshape(1, 2, 2, 3))
        tensor([[ 5., 11.]])
    """

    def __init__(self, keepdim: bool = False):
        super().__init__()
        self.keepdim = keepdim

    def forward(self, x: Tensor) -> Tensor:
        return global_max_pool(x, self.keepdim)


class GlobalAvgPool(PoolingModule):
    """The mean of each channel, (batch, channels): `ops.pooling.global_average_pool`.

    Example:
        >>> import torch
        >>> GlobalAvgPool()(torch.arange(12.0).reshape(1, 2, 2, 3))
        tensor([[2.5000, 8.5000]])
    """

    def __init__(self, keepdim: bool = False):
        super().__init__()
        self.keepdim = keepdim

    def forward(self, x: Tensor) -> Tensor:
        return global_average_pool(x, self.keepdim)
