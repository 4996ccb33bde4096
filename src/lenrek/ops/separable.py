"""Correlation with a kernel of few separable terms: short 1-D passes, one axis after the other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry import Boundary, Padding
from lenrek.ops.boundary import extend
from lenrek.ops.correlate import run
from lenrek.ops.factor import SeparableKernel
from lenrek.ops.layout import Layout, check_fit, read_layout
from lenrek.ops.method import Method


def spatially_separable_correlate(
    x: Tensor,
    kernel: SeparableKernel,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    boundary: Boundary = "zeros",
    method: Method = "auto",
) -> Tensor:
    """`correlate` with `kernel.kernel()`, computed as one 1-D correlation per axis and term.

    A kernel without leading axes filters every channel of x alike. Pays for large kernels and few terms: per output,
    input channel and term Σ kernel_size multiplications instead of ∏ kernel_size.

    Args:
        x: (batch, in_channels, *in_size), or without batch.
        kernel: of leading () or (out_channels, in_channels/groups).
        bias, stride, padding, dilation, groups, boundary, method: as in `correlate`; no groups without leading axes.
    Returns:
        (batch, out_channels, *out_size).
    Raises:
        ShapeError, OptionError: as `correlate`.
    Example:
        >>> import torch
        >>> from lenrek.ops.factor import factor_kernel
        >>> blur = factor_kernel(torch.ones(2, 3))
        >>> spatially_separable_correlate(torch.ones(1, 3, 4), blur).round(decimals=4)
        tensor([[[6., 6.],
                 [6., 6.]]])
    """
    who, ndim = "spatially_separable_correlate", len(kernel.factors)
    factors, leading = kernel.factors, kernel.factors[0].shape[:-2]
    if not leading:
        if groups != 1:
            raise OptionError(f"{who}: groups={groups} has no effect, as the kernel filters every channel alone.")
        groups = x.shape[-ndim - 1] if x.ndim > ndim else 1
        factors = tuple(f.expand(groups, 1, *f.shape) for f in factors)
    elif len(leading) != 2:
        raise ShapeError(
            f"{who}: kernel has leading axes {tuple(leading)}, expected none or (out_channels, in_channels/groups)."
        )
    size = tuple(f.shape[-1] for f in factors)
    like = factors[0].new_empty(()).expand(*factors[0].shape[:2], *size)  # the weight's shape and type, no memory
    layout = read_layout(x, like, bias, stride, padding, dilation, groups, 1, who)
    check_fit(x, size, layout, who)
    batched = x.ndim == ndim + 2
    x = extend(x if batched else x.unsqueeze(0), layout.sides, boundary, who)
    y = _passes(x, factors, bias, layout, method, who)
    return y if batched else y.squeeze(0)


def _passes(
    x: Tensor, factors: tuple[Tensor, ...], bias: Tensor | None, layout: Layout, method: Method, who: str
) -> Tensor:
    """One correlation per axis: first every input channel for every output and term, at last each output's sum."""

    def along(axis: int, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        stride, dilation, size = [1] * ndim, [1] * ndim, [1] * ndim
        stride[axis], dilation[axis], size[axis] = layout.stride[axis], layout.dilation[axis], weight.shape[-1]
        weight = weight.reshape(*weight.shape[:2], *size)
        return run(x, weight, bias, stride, 0, dilation, groups, "zeros", method, who)

    ndim, groups = len(factors), layout.groups
    out_channels, per_group, rank = factors[0].shape[:3]
    if ndim == 1:  # one term, the kernel itself
        return along(0, x, factors[0].flatten(1, 2), bias, groups)
    by_input = factors[0].unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 3).unsqueeze(1)
    x = along(0, x, by_input, None, groups * per_group)  # channels are (group, input, output, term)
    x = x.unflatten(1, (groups, per_group, out_channels // groups, rank)).transpose(2, 3).flatten(1, 4)
    for axis in range(1, ndim - 1):
        x = along(axis, x, factors[axis].flatten(0, 2).unsqueeze(1), None, x.shape[1])
    return along(ndim - 1, x, factors[-1].flatten(1, 2), bias, out_channels)
