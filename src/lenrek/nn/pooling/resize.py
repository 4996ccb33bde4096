"""Pooling to a given size as modules."""

from __future__ import annotations

from torch import Tensor, nn

from lenrek.nn.pooling.module import PoolingModule
from lenrek.ops.pooling import adaptive_average_pool, adaptive_max_pool, spectral_pool
from lenrek.ops.pooling.adaptive import OutputSize


class AdaptiveMaxPool(PoolingModule):
    """`ops.pooling.adaptive_max_pool` with these arguments.

    Example:
        >>> import torch
        >>> AdaptiveMaxPool2d((2, None))(torch.arange(12.0).reshape(1, 4, 3))
        tensor([[[ 3.,  4.,  5.],
                 [ 9., 10., 11.]]])
    """

    def __init__(self, output_size: OutputSize, return_indices: bool = False):
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return adaptive_max_pool(x, self.per_axis(self.output_size), self.return_indices)


class AdaptiveMaxPool1d(AdaptiveMaxPool, nn.AdaptiveMaxPool1d):
    """`AdaptiveMaxPool` of (batch, channels, length)."""

    ndim = 1


class AdaptiveMaxPool2d(AdaptiveMaxPool, nn.AdaptiveMaxPool2d):
    """`AdaptiveMaxPool` of (batch, channels, height, width)."""

    ndim = 2


class AdaptiveMaxPool3d(AdaptiveMaxPool, nn.AdaptiveMaxPool3d):
    """`AdaptiveMaxPool` of (batch, channels, depth, height, width)."""

    ndim = 3


class AdaptiveAvgPool(PoolingModule):
    """`ops.pooling.adaptive_average_pool` with this argument.

    Example:
        >>> import torch
        >>> AdaptiveAvgPool1d(2)(torch.tensor([[1.0, 2.0, 6.0]]))
        tensor([[1.5000, 4.0000]])
    """

    def __init__(self, output_size: OutputSize):
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        return adaptive_average_pool(x, self.per_axis(self.output_size))


class AdaptiveAvgPool1d(AdaptiveAvgPool, nn.AdaptiveAvgPool1d):
    """`AdaptiveAvgPool` of (batch, channels, length)."""

    ndim = 1


class AdaptiveAvgPool2d(AdaptiveAvgPool, nn.AdaptiveAvgPool2d):
    """`AdaptiveAvgPool` of (batch, channels, height, width)."""

    ndim = 2


class AdaptiveAvgPool3d(AdaptiveAvgPool, nn.AdaptiveAvgPool3d):
    """`AdaptiveAvgPool` of (batch, channels, depth, height, width)."""

    ndim = 3


class SpectralPool(PoolingModule):
    """`ops.pooling.spectral_pool` with this argument.

    Example:
        >>> import torch
        >>> SpectralPool((2,))(torch.tensor([[1.0, 3.0, 1.0, 3.0]]))
        tensor([[2., 2.]])
    """

    def __init__(self, output_size: int | tuple[int, ...]):
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        return spectral_pool(x, self.output_size)
