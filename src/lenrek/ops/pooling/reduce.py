"""Any number drawn from each window: a norm, or whatever a function of the samples gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.geometry import AxisWindow, Boundary, Padding, check_boundary
from lenrek.ops.pooling.arguments import check_type, extended, in_format_of, pooling_windows
from lenrek.ops.windows import windows_of


def pool(
    x: Tensor,
    kernel_size: int | Sequence[int],
    reduce: Callable[[Tensor, int], Tensor],
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    *,
    boundary: Boundary = "zeros",
) -> Tensor:
    """One number for each window, by any function of its samples: y[p] = reduce of x[stride·p + dilation·k − before].

    Args:
        x: (batch, channels, *size), any type; or (channels, *size) if `kernel_size` is a sequence.
        kernel_size, stride, dilation: in samples; an int for every axis, or one per axis. stride: the kernel's size.
        reduce: called as `reduce(windows, -1)` with (batch, channels, *out_size, samples of a window in row-major
            order), gives (batch, channels, *out_size): `torch.std`, `torch.logsumexp`, a function of your own. The
            windows are laid out in memory, each with all its samples.
        padding: samples before and after each axis, as for `geometry.resolve_padding`.
        boundary: what the padding holds.
    Returns:
        (batch, channels, *out_size), what `reduce` gave.
    Raises:
        ShapeError: a window that does not fit.
        OptionError: a value out of range, or a `reduce` that gives something else.
    Example:
        >>> pool(torch.tensor([[1.0, 9.0, 2.0, 3.0]]), (3,), lambda w, dim: w.median(dim).values, stride=1)
        tensor([[2., 3.]])
    """
    samples = flat_windows(x, kernel_size, stride, padding, dilation, boundary, "pool")
    y = reduce(samples, -1)
    if not isinstance(y, Tensor) or y.shape != samples.shape[:-1]:
        given = f"a tensor {tuple(y.shape)}" if isinstance(y, Tensor) else f"a {type(y).__name__}"
        message = f"pool: reduce gave {given}, expected a tensor {tuple(samples.shape[:-1])}: one number per window."
        if isinstance(y, tuple) and hasattr(y, "values"):
            message += "\n  Hint: it gives indices too: take its .values, as lambda w, dim: w.median(dim).values."
        raise OptionError(message)
    return in_format_of(x, y)


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
        norm_type: p > 0; 1 sums the absolute values, infinity takes the largest one.
        kernel_size, stride, dilation: in samples; an int for every axis, or one per axis. stride: the kernel's size.
        padding: samples before and after each axis, as for `geometry.resolve_padding`.
        ceil_mode: where samples remain after the last whole window, add one more, of the samples there are.
        boundary: what the padding holds.
    Returns:
        (batch, channels, *out_size), real.
    Raises:
        ShapeError: a window that does not fit.
        OptionError: an integer type, or a value out of range.
    Source: Gulcehre et al. 2014, arXiv:1311.1780, without its learned parts.
    Example:
        >>> lp_pool(torch.tensor([[3.0, -4.0, 0.0, 1.0]]), 2, (2,))
        tensor([[5., 1.]])
    """
    check_type(x, "lp_pool", complex_numbers=True)
    check_boundary(boundary, "lp_pool")
    if not isinstance(norm_type, Real) or not norm_type > 0:
        raise OptionError(f"lp_pool: norm_type is {norm_type!r}, expected a number above 0.")
    found = pooling_windows(x, kernel_size, stride, padding, dilation, ceil_mode, "lp_pool")
    axes = tuple(range(-len(found), 0))
    return in_format_of(x, torch.linalg.vector_norm(_windows(x, found, boundary, "lp_pool"), norm_type, axes))


def flat_windows(
    x: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: Padding,
    dilation: int | Sequence[int],
    boundary: Boundary,
    who: str,
) -> Tensor:
    """(…, *out_size, samples of a window in row-major order); the arguments are those of `pool`."""
    check_boundary(boundary, who)
    found = pooling_windows(x, kernel_size, stride, padding, dilation, False, who)
    return _windows(x, found, boundary, who).flatten(-len(found))


def _windows(x: Tensor, found: Sequence[AxisWindow], boundary: Boundary, who: str) -> Tensor:
    """(…, *out_size, *kernel_size), a view of the padded input; zeros beyond the padding."""
    kernel, stride, dilation = ([getattr(w, name) for w in found] for name in ("kernel_size", "stride", "dilation"))
    return windows_of(extended(x, found, boundary, who, beyond=0.0), kernel, stride, dilation)
