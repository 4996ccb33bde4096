"""Locally connected layers: convolutional windows, but weights of their own at every position."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import Boundary, Padding, check_boundary, per_axis, resolve_padding, windows
from lenrek.geometry.axes import sizes_of
from lenrek.nn.channels import check_channels
from lenrek.ops.local import local_correlate


class LocallyConnected(nn.Module):
    """A layer of `local_correlate` for inputs of one size, with as many axes as `in_size` has.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode: as in
            `torch.nn.Conv2d`; padding and padding_mode take all that `correlate` takes as padding and boundary.
        in_size: samples per axis of every input, as there are weights for each position.
        bias: whether a bias is added.
        shared_bias: one bias per output channel instead of one per output channel and position.
    Attributes:
        weight: (*out_size, out_channels, in_channels/groups, *kernel_size), in_channels innermost in memory.
        bias: (out_channels, *out_size), (out_channels,) if shared, or None.
        out_size: positions per axis.
    Weights and biases start uniform in ±1/√fan_in, fan_in = in_channels/groups · ∏kernel_size, as PyTorch's
    convolutions do.
    Raises:
        ShapeError: a window wider than the padded input, groups that do not divide the channels.
        OptionError: an option out of range; `shared_bias` without a bias.
    Example: one 5×5 filter for each of 246×246 positions.
        >>> LocallyConnected(1, 1, 5, in_size=(250, 250), bias=False).weight.numel()
        1512900
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
        groups: int = 1,
        bias: bool = True,
        padding_mode: Boundary = "zeros",
        *,
        in_size: int | Sequence[int],
        shared_bias: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        who = type(self).__name__
        self.in_size = (
            sizes_of(in_size, who, "in_size")  # type: ignore[arg-type]
            if self.ndim is None
            else per_axis(in_size, self.ndim, who, "in_size")
        )
        ndim = len(self.in_size)
        check_channels(in_channels, out_channels, groups, who)
        if shared_bias and not bias:
            raise OptionError(f"{who}: shared_bias=True has no effect with bias=False.")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = per_axis(kernel_size, ndim, who, "kernel_size")
        self.stride = per_axis(stride, ndim, who, "stride")
        self.dilation = per_axis(dilation, ndim, who, "dilation")
        self.padding = resolve_padding(padding, self.kernel_size, self.dilation, who=who)
        self.padding_mode = check_boundary(padding_mode, who)
        found = windows(
            self.in_size, self.kernel_size, stride=self.stride, padding=self.padding, dilation=self.dilation, who=who
        )
        self.out_size = tuple(window.out_size for window in found)
        weight = torch.empty(
            *self.out_size, out_channels, *self.kernel_size, in_channels // groups, device=device, dtype=dtype
        )
        self.weight = nn.Parameter(weight.movedim(-1, ndim + 1))
        per_position = () if shared_bias else self.out_size
        self.bias = nn.Parameter(torch.empty(out_channels, *per_position, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and biases anew."""
        bound = (self.in_channels // self.groups * prod(self.kernel_size)) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, *in_size) → (batch, out_channels, *out_size)."""
        if x.shape[-len(self.in_size) :] != self.in_size:
            raise ShapeError(
                f"{type(self).__name__}: x {tuple(x.shape)}, expected (batch, in_channels, *in_size) with "
                f"in_size={self.in_size}, as every position has weights of its own."
            )
        return local_correlate(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            boundary=self.padding_mode,
        )

    def extra_repr(self) -> str:
        bias = self.bias is not None and ("shared" if self.bias.ndim == 1 else "unshared")
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, in_size={self.in_size}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={bias}, padding_mode={self.padding_mode!r}"
        )


class LocallyConnected1d(LocallyConnected):
    """`LocallyConnected` for signals: (batch, in_channels, length)."""

    ndim = 1


class LocallyConnected2d(LocallyConnected):
    """`LocallyConnected` for images: (batch, in_channels, height, width)."""

    ndim = 2


class LocallyConnected3d(LocallyConnected):
    """`LocallyConnected` for volumes: (batch, in_channels, depth, height, width)."""

    ndim = 3
