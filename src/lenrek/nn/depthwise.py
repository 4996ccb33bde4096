"""Depthwise-separable layers: every channel filtered alone, then the channels mixed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lenrek.errors import ShapeError
from lenrek.geometry import Boundary, Padding, check_boundary, per_axis, resolve_padding
from lenrek.ops.depthwise import depthwise_separable_correlate


class DepthwiseSeparableConv(nn.Module):
    """A layer of `depthwise_separable_correlate`, with one axis for each entry of `kernel_size`.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode: as in `torch.nn.Conv2d`;
            padding and padding_mode take all that `correlate` takes as padding and boundary.
        multiplier: kernels per input channel.
        bias: whether a bias is added at the end.
    Attributes:
        depthwise_weight: (in_channels · multiplier, 1, *kernel_size).
        pointwise_weight: (out_channels, in_channels · multiplier, 1, …).
        bias: (out_channels,) or None.
    All start uniform in ±1/√fan_in of their own step, as PyTorch's convolutions do.
    Raises:
        OptionError, ShapeError: a value out of range, or not one per axis.
    Source: Howard et al. 2017, MobileNets, arXiv:1704.04861, §3.1.
    Example: 8 · 9 + 16 · 8 weights instead of 16 · 8 · 9.
        >>> layer = DepthwiseSeparableConv2d(8, 16, 3, padding="same", bias=False)
        >>> sum(weight.numel() for weight in layer.parameters())
        200
    """

    ndim: int | None = None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        multiplier: int = 1,
        bias: bool = True,
        padding_mode: Boundary = "zeros",
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        who = type(self).__name__
        counts = {"in_channels": in_channels, "out_channels": out_channels, "multiplier": multiplier}
        for name, count in counts.items():
            per_axis(count, 1, who, name)
        ndim = self.ndim
        if ndim is None:
            if isinstance(kernel_size, int):
                raise ShapeError(f"{who}: kernel_size {kernel_size} does not say for how many axes, expected one each.")
            ndim = len(kernel_size)
        self.in_channels, self.out_channels, self.multiplier = in_channels, out_channels, multiplier
        self.kernel_size = per_axis(kernel_size, ndim, who, "kernel_size")
        self.stride = per_axis(stride, ndim, who, "stride")
        self.dilation = per_axis(dilation, ndim, who, "dilation")
        self.padding = resolve_padding(padding, self.kernel_size, self.dilation, who=who)
        self.padding_mode = check_boundary(padding_mode, who)
        between = in_channels * multiplier
        self.depthwise_weight = nn.Parameter(torch.empty(between, 1, *self.kernel_size, device=device, dtype=dtype))
        self.pointwise_weight = nn.Parameter(
            torch.empty(out_channels, between, *[1] * ndim, device=device, dtype=dtype)
        )
        self.bias = nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and bias anew."""
        for weight in (self.depthwise_weight, self.pointwise_weight):
            bound = weight[0].numel() ** -0.5
            nn.init.uniform_(weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, *in_size) → (batch, out_channels, *out_size)."""
        return depthwise_separable_correlate(
            x,
            self.depthwise_weight,
            self.pointwise_weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            boundary=self.padding_mode,
        )

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, multiplier={self.multiplier}, "
            f"bias={self.bias is not None}, padding_mode={self.padding_mode!r}"
        )


class DepthwiseSeparableConv1d(DepthwiseSeparableConv):
    """`DepthwiseSeparableConv` for signals: (batch, in_channels, length)."""

    ndim = 1


class DepthwiseSeparableConv2d(DepthwiseSeparableConv):
    """`DepthwiseSeparableConv` for images: (batch, in_channels, height, width)."""

    ndim = 2


class DepthwiseSeparableConv3d(DepthwiseSeparableConv):
    """`DepthwiseSeparableConv` for volumes: (batch, in_channels, depth, height, width)."""

    ndim = 3
