"""Average pooling as modules."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lenrek.errors import OptionError
from lenrek.geometry import Boundary, Padding
from lenrek.nn.pooling.module import PoolingModule
from lenrek.ops.pooling import average_pool


class AvgPool(PoolingModule):
    """The mean of each window: `ops.pooling.average_pool` with these arguments; `padding_mode` is its boundary.

    `count_include_pad=False` is its boundary "ignore".

    Raises:
        OptionError: a padding that is not to count, and yet has a `padding_mode`.
    Example:
        >>> import torch
        >>> AvgPool1d(2, stride=1, padding=1, count_include_pad=False)(torch.tensor([[1.0, 2.0, 6.0]]))
        tensor([[1.0000, 1.5000, 4.0000, 6.0000]])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        dilation: int | Sequence[int] = 1,
        padding_mode: Boundary = "zeros",
    ):
        if not count_include_pad and padding_mode != "zeros":
            raise OptionError(
                f"{type(self).__name__}: padding_mode is {padding_mode!r}, but count_include_pad=False leaves the "
                "padding out, expected one of the two."
            )
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override
        self.dilation = dilation
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        return average_pool(
            x,
            self.per_axis(self.kernel_size),
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            boundary=self.padding_mode if self.count_include_pad else "ignore",
            divisor_override=self.divisor_override,
        )


class AvgPool1d(AvgPool, nn.AvgPool1d):
    """`AvgPool` of (batch, channels, length)."""

    ndim = 1


class AvgPool2d(AvgPool, nn.AvgPool2d):
    """`AvgPool` of (batch, channels, height, width)."""

    ndim = 2


class AvgPool3d(AvgPool, nn.AvgPool3d):
    """`AvgPool` of (batch, channels, depth, height, width)."""

    ndim = 3
