"""Max-pooling as modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from lenrek.geometry import Boundary, Padding
from lenrek.nn.pooling.module import PoolingModule
from lenrek.ops.pooling import max_pool


class MaxPool(PoolingModule):
    """The largest sample of each window: `ops.pooling.max_pool` with these arguments; `padding_mode` is its boundary.

    Example:
        >>> import torch
        >>> MaxPool2d(2)(torch.arange(16.0).reshape(1, 4, 4))
        tensor([[[ 5.,  7.],
                 [13., 15.]]])
        >>> MaxPool(3, stride=2, padding="same")
        MaxPool(kernel_size=3, stride=2, padding='same')
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
        padding_mode: Boundary | Literal["ignore"] = "ignore",
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return max_pool(
            x,
            self.per_axis(self.kernel_size),
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
            boundary=self.padding_mode,
        )


class MaxPool1d(MaxPool, nn.MaxPool1d):
    """`MaxPool` of (batch, channels, length)."""

    ndim = 1


class MaxPool2d(MaxPool, nn.MaxPool2d):
    """`MaxPool` of (batch, channels, height, width)."""

    ndim = 2


class MaxPool3d(MaxPool, nn.MaxPool3d):
    """`MaxPool` of (batch, channels, depth, height, width)."""

    ndim = 3
