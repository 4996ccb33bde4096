"""Convolutional layers: PyTorch's, for any number of axes, any padding, any boundary, and by the fastest way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lenrek.geometry import Boundary, Padding
from lenrek.nn.conv_module import ConvModule
from lenrek.ops.correlate import correlate
from lenrek.ops.method import Method


class Conv(ConvModule):
    """A layer of `correlate`, with one axis for each entry of kernel_size.

    `Conv1d`, `Conv2d` and `Conv3d` replace PyTorch's unchanged: arguments, initial weights for a seed, state dict and
    `isinstance` are the same. As there, it correlates; where the weights are learned, a true convolution would learn
    them flipped, and nothing else would change.

    Args:
        in_channels, out_channels, kernel_size, stride, dilation, groups, bias, device, dtype: as in `torch.nn.Conv2d`.
        padding: as in `correlate`: an int, a name (`valid`, `same`, `same_lower`, `full`, `causal`), or per axis
            an int, a name or (before, after). A stride keeps every stride-th output, also of "same".
        padding_mode: what the padding holds: zeros, a number, reflect, symmetric, replicate or circular.
        method: how to compute it, see `correlate`.
    Attributes:
        weight: (out_channels, in_channels/groups, *kernel_size).
        bias: (out_channels,) or None.
    Both start uniform in ±1/√fan_in, fan_in = in_channels/groups · ∏kernel_size.
    Raises:
        ShapeError: not one value per axis, channels that groups do not divide.
        OptionError: an unknown name, a value out of range.
    Example:
        >>> Conv2d(1, 8, (5, 3), padding=("causal", 0), bias=False)
        Conv2d(1, 8, kernel_size=(5, 3), stride=(1, 1), padding=((4, 0), 0), bias=False)
        >>> Conv(1, 2, (3, 3, 3, 3), padding="same", padding_mode="circular")(torch.zeros(1, 4, 5, 6, 7)).shape
        torch.Size([2, 4, 5, 6, 7])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Boundary = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        method: Method = "auto",
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            False,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            method,
        )

    def forward(self, input: Tensor) -> Tensor:
        """(batch, in_channels, *in_size) → (batch, out_channels, *out_size), or both without the batch."""
        return correlate(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            boundary=self.padding_mode,
            method=self.method,
        )


class Conv1d(Conv, nn.Conv1d):
    """`Conv` for signals: (batch, in_channels, length)."""

    ndim = 1


class Conv2d(Conv, nn.Conv2d):
    """`Conv` for images: (batch, in_channels, height, width)."""

    ndim = 2


class Conv3d(Conv, nn.Conv3d):
    """`Conv` for volumes: (batch, in_channels, depth, height, width)."""

    ndim = 3
