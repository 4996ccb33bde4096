"""Whatever a function makes of the samples of each window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from lenrek.errors import OptionError
from lenrek.geometry import Boundary, Padding, check_boundary
from lenrek.ops.pooling.arguments import extended, pooling_windows
from lenrek.ops.tensors import in_format_of
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
        >>> import torch
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
    kernel, steps, spacing = ([getattr(w, name) for w in found] for name in ("kernel_size", "stride", "dilation"))
    return windows_of(extended(x, found, boundary, who), kernel, steps, spacing).flatten(-len(found))
