"""Norms over windows as modules."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lenrek.geometry import Boundary, Padding
from lenrek.nn.pooling.module import PoolingModule
from lenrek.ops.pooling import lp_pool


class LPPool(PoolingModule):
    """The p-norm of each window: `ops.pooling.lp_pool` with these arguments; `padding_mode` is its boundary.

    Of absolute values, unlike PyTorch's: so with an odd `norm_type` negative samples count too.

    Example:
        >>> import torch
        >>> LPPool1d(2, 2)(torch.tensor([[3.0, -4.0, 0.0, 1.0]]))
        tensor([[5., 1.]])
    """

    def __init__(
        self,
        norm_type: float,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        ceil_mode: bool = False,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        padding_mode: Boundary = "zeros",
    ):
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode
        self.padding = padding
        self.dilation = dilation
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        return lp_pool(
            x,
            self.norm_type,
            self.per_axis(self.kernel_size),
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            boundary=self.padding_mode,
        )


class LPPool1d(LPPool, nn.LPPool1d):
    """`LPPool` of (batch, channels, length)."""

    ndim = 1


class LPPool2d(LPPool, nn.LPPool2d):
    """`LPPool` of (batch, channels, height, width)."""

    ndim = 2


class LPPool3d(LPPool, nn.LPPool3d):
    """`LPPool` of (batch, channels, depth, height, width)."""

    ndim = 3
