"""The norm of each window."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from numbers import Real

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.geometry import Boundary, Padding, check_boundary
from lenrek.ops.pooling.arguments import check_type, pooling_windows
from lenrek.ops.pooling.max import max_pool
from lenrek.ops.pooling.sums import window_sums
from lenrek.ops.tensors import in_format_of


def lp_pool(
    x: Tensor,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    *,
    boundary: Boundary = "zeros",
) -> Tensor:
    """The p-norm of each window: y[p] = (Σ_k |x[stride·p + dilation·k − before]|^norm_type)^(1/norm_type).

    A true norm: PyTorch's `lp_pool2d` sums x^p without the absolute value, so that with an odd p the samples of a
    window can cancel, and its derivative at a window of zeros is NaN; here it is 0.

    Args:
        x: (batch, channels, *size), floating or complex; or (channels, *size) if `kernel_size` is a sequence.
        norm_type: p ≥ 1; 1 sums the absolute values, infinity takes the largest one.
        kernel_size, stride, dilation: in samples; an int for every axis, or one per axis. stride: the kernel's size.
        padding: samples before and after each axis, as for `geometry.resolve_padding`.
        ceil_mode: where samples remain after the last whole window, add one more, of the samples there are.
        boundary: what the padding holds.
    Returns:
        (batch, channels, *out_size), real; float16 and bfloat16 are summed in float32.
    Raises:
        ShapeError: a window that does not fit.
        OptionError: an integer type, or a value out of range.
    Source: Gulcehre et al. 2014, arXiv:1311.1780, without its learned parts.
    Example:
        >>> lp_pool(torch.tensor([[3.0, -4.0, 0.0, 1.0]]), 2, (2,))
        tensor([[5., 1.]])
    """
    who = "lp_pool"
    check_type(x, who, complex_numbers=True)
    check_boundary(boundary, who)
    if not isinstance(norm_type, Real) or not norm_type >= 1:
        raise OptionError(f"{who}: norm_type is {norm_type!r}, expected a number of at least 1.")
    found = pooling_windows(x, kernel_size, stride, padding, dilation, ceil_mode, who)
    if norm_type == inf:
        outside = boundary if isinstance(boundary, str) else abs(boundary)
        return max_pool(x.abs(), kernel_size, stride, padding, dilation, ceil_mode, boundary=outside)
    sizes = x.abs()
    precise = sizes.float() if sizes.dtype in (torch.float16, torch.bfloat16) else sizes
    outside = boundary if isinstance(boundary, str) else abs(boundary) ** norm_type
    sums = window_sums(precise**norm_type, found, outside, who)
    # the root has an infinite derivative at 0, of which the norm there takes none
    norms = torch.where(sums == 0, 0, torch.where(sums == 0, 1, sums) ** (1 / norm_type))
    return in_format_of(x, norms.to(sizes.dtype))
