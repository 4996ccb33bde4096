"""Transposed convolutional layers: PyTorch's, for any number of axes, any padding and any linear boundary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lenrek.geometry import Boundary, Padding
from lenrek.nn.conv_module import ConvModule
from lenrek.ops.method import Method
from lenrek.ops.transposed import check_adjoint, correlate_transposed


class ConvTranspose(ConvModule):
    """A layer of `correlate_transposed`, with one axis for each entry of kernel_size: the exact adjoint of `Conv`.

    `ConvTranspose1d`, `ConvTranspose2d` and `ConvTranspose3d` replace PyTorch's unchanged, which know zeros only.

    Args:
        in_channels, out_channels: of this layer; the forward `Conv` has them the other way round.
        kernel_size, stride, padding, groups, dilation, padding_mode: those of the forward `Conv`, so that padding makes
            this output smaller; a `padding_mode` other than zeros folds back what the forward one reads outside.
        output_padding: samples by which the output is larger than the smallest that fits, below max(stride, dilation).
        bias, device, dtype: as in `torch.nn.ConvTranspose2d`.
        method: how to compute it, see `correlate`.
    Attributes:
        weight: (in_channels, out_channels/groups, *kernel_size): the forward layer's.
        bias: (out_channels,) or None.
    Raises:
        ShapeError: not one value per axis, channels that groups do not divide.
        OptionError: an unknown name, a value out of range, a boundary that is not linear.
    Example: back to the size of the forward layer's input.
        >>> down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        >>> up = ConvTranspose2d(8, 3, 3, stride=2, padding=1)
        >>> x = torch.zeros(1, 3, 14, 15)
        >>> up(down(x), output_size=x.shape).shape
        torch.Size([1, 3, 14, 15])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        padding_mode: Boundary = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        method: Method = "auto",
    ) -> None:
        check_adjoint(padding_mode, type(self).__name__)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            True,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            method,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(batch, in_channels, *in_size) → (batch, out_channels, *out_size), or both without the batch.

        Args:
            output_size: instead of `output_padding`, the size wanted: of the axes, or of the whole output as its shape.
        """
        if output_size is not None and len(output_size) == input.ndim:
            output_size = output_size[-len(self.kernel_size) :]
        return correlate_transposed(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding if output_size is None else 0,
            self.groups,
            self.dilation,
            output_size=output_size,
            boundary=self.padding_mode,
            method=self.method,
        )


class ConvTranspose1d(ConvTranspose, nn.ConvTranspose1d):
    """`ConvTranspose` for signals: (batch, in_channels, length)."""

    ndim = 1


class ConvTranspose2d(ConvTranspose, nn.ConvTranspose2d):
    """`ConvTranspose` for images: (batch, in_channels, height, width)."""

    ndim = 2


class ConvTranspose3d(ConvTranspose, nn.ConvTranspose3d):
    """`ConvTranspose` for volumes: (batch, in_channels, depth, height, width)."""

    ndim = 3
