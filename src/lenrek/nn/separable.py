"""Layers whose kernels are products of 1-D kernels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lenrek.errors import ShapeError
from lenrek.geometry import Boundary, Padding, check_boundary, per_axis, resolve_padding
from lenrek.ops.factor import SeparableKernel, factor_kernel
from lenrek.ops.separable import spatially_separable_correlate


class SpatiallySeparableConv(nn.Module):
    """A layer of `spatially_separable_correlate`: what a convolution with `weight` becomes in `rank` terms per kernel.

    Its parameters are the 1-D kernels, so it can be trained on, to win back what the factoring lost.

    Args:
        weight: (out_channels, in_channels/groups, *kernel_size), as of a trained convolution; two axes or more.
        bias: (out_channels,) or None; copied, as is weight.
        rank: terms per kernel, see `factor_kernel`.
        stride, padding, dilation, groups, padding_mode: as in `torch.nn.Conv2d`; padding and padding_mode take all that
            `correlate` takes as padding and boundary.
    Attributes:
        factors: per axis (out_channels, in_channels/groups, rank, kernel_size).
        bias: (out_channels,) or None.
        error: (out_channels, in_channels/groups), relative distance of each kernel from what it was factored from.
    Raises:
        ShapeError, OptionError: as `factor_kernel` and `correlate`.
    Source: Rigamonti et al. 2013, "Learning separable filters", doi:10.1109/CVPR.2013.355.
    Example: with all 3 terms nothing is lost.
        >>> import torch
        >>> conv = torch.nn.Conv2d(2, 4, (3, 5), stride=2, padding=1)
        >>> layer = SpatiallySeparableConv(conv.weight, conv.bias, rank=3, stride=2, padding=1)
        >>> x = torch.randn(1, 2, 9, 9)
        >>> torch.allclose(layer(x), conv(x), atol=1e-5)
        True
    """

    error: Tensor

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        rank: int = 1,
        stride: int | Sequence[int] = 1,
        padding: Padding = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        padding_mode: Boundary = "zeros",
    ) -> None:
        super().__init__()
        who, ndim = type(self).__name__, weight.ndim - 2
        if ndim < 2:
            raise ShapeError(
                f"{who}: weight {tuple(weight.shape)} has {weight.ndim} axes, expected at least 4: "
                "(out_channels, in_channels/groups, *kernel_size) with two kernel axes to separate."
            )
        found = factor_kernel(weight.detach(), rank, ndim=ndim)
        self.factors = nn.ParameterList(found.factors)
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self.register_buffer("error", found.error)
        self.kernel_size, self.groups = tuple(weight.shape[2:]), groups
        self.stride = per_axis(stride, ndim, who, "stride")
        self.dilation = per_axis(dilation, ndim, who, "dilation")
        self.padding = resolve_padding(padding, self.kernel_size, self.dilation, who=who)
        self.padding_mode = check_boundary(padding_mode, who)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, *in_size) → (batch, out_channels, *out_size)."""
        return spatially_separable_correlate(
            x,
            SeparableKernel(tuple(self.factors), self.error),
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            boundary=self.padding_mode,
        )

    def extra_repr(self) -> str:
        out_channels, per_group, rank = self.factors[0].shape[:3]
        return (
            f"{per_group * self.groups}, {out_channels}, kernel_size={self.kernel_size}, rank={rank}, "
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation}, groups={self.groups}, "
            f"bias={self.bias is not None}, padding_mode={self.padding_mode!r}"
        )
