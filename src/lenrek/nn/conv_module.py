"""What convolutional modules share: PyTorch's constructor, for any number of axes, any padding and any boundary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch.nn.modules.conv import _ConvNd

from lenrek.geometry import Boundary, Padding, check_boundary, per_axis, resolve_padding
from lenrek.geometry.axes import sizes_of
from lenrek.nn.channels import check_channels
from lenrek.ops.method import Method, check_method


class ConvModule(_ConvNd):
    """A convolution that PyTorch takes for one of its own: its attributes, initial weights, state dict, representation.

    Attributes:
        ndim: the axes it is for, None where kernel_size says it.
        padding: a name, or per axis the samples on both sides, (before, after) where they differ.
    """

    ndim: ClassVar[int | None] = None
    # wider than in PyTorch's classes, which the checker would not allow
    padding: Any
    padding_mode: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int],
        padding: Padding,
        dilation: int | Sequence[int],
        transposed: bool,
        output_padding: int | Sequence[int],
        groups: int,
        bias: bool,
        padding_mode: Boundary,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        method: Method,
    ) -> None:
        who = type(self).__name__
        check_channels(in_channels, out_channels, groups, who)
        if self.ndim is None:
            kernel = sizes_of(kernel_size, who, "kernel_size")  # type: ignore[arg-type]
        else:
            kernel = per_axis(kernel_size, self.ndim, who, "kernel_size")
        ndim = len(kernel)
        spacing = per_axis(dilation, ndim, who, "dilation")
        sides = resolve_padding(padding, kernel, spacing, who=who)
        _ConvNd.__init__(  # not super(): PyTorch's class of the same name would want its own arguments
            self,
            in_channels,
            out_channels,
            kernel,
            per_axis(stride, ndim, who, "stride"),
            (0,) * ndim,
            spacing,
            transposed,
            per_axis(output_padding, ndim, who, "output_padding", minimum=0),
            groups,
            bias,
            "zeros",
            device,
            dtype,
        )
        self.padding = padding if isinstance(padding, str) else tuple(b if b == a else (b, a) for b, a in sides)
        self._reversed_padding_repeated_twice = [n for side in reversed(sides) for n in side]  # as PyTorch keeps it
        self.padding_mode = check_boundary(padding_mode, who)
        check_method(method, self.weight, who)
        self.method: Method = method

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.method == "auto" else f", method={self.method}")
