"""Stochastic pooling as a module."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lenrek.geometry import Boundary, Padding
from lenrek.nn.pooling.module import PoolingModule
from lenrek.ops.pooling import stochastic_pool


class StochasticPool(PoolingModule):
    """`ops.pooling.stochastic_pool` with these arguments, drawing where the module trains.

    Example:
        >>> import torch
        >>> StochasticPool((2,)).eval()(torch.tensor([[1.0, 3.0, 0.0, 0.0]]))
        tensor([[2.5000, 0.0000]])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        padding_mode: Boundary = "zeros",
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        return stochastic_pool(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            training=self.training,
            boundary=self.padding_mode,
        )
