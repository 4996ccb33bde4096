"""The largest sample of each window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch import Tensor
from torch.nn import functional as F

from lenrek.errors import OptionError
from lenrek.geometry import AxisWindow, Boundary, Padding, check_boundary, sources
from lenrek.geometry.window import clip
from lenrek.ops.boundary import check_holds
from lenrek.ops.pooling.arguments import (
    check_inside,
    check_type,
    extended,
    is_native,
    is_traced,
    padded,
    pooling_windows,
)
from lenrek.ops.pooling.largest import Selection, largest
from lenrek.ops.tensors import in_format_of, is_channels_last

_NATIVE: dict[int, Callable[..., Any]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def max_pool(
    x: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    boundary: Boundary | Literal["ignore"] = "ignore",
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest sample of each window: y[p] = max over k of x[stride·p + dilation·k − before].

    The derivative is 1 at the largest sample, the first in row-major order among equals, and 0 elsewhere. A NaN in the
    window is the result.

    Args:
        x: (batch, channels, *size), floating or integer; or (channels, *size) if `kernel_size` is a sequence.
        kernel_size, stride, dilation: in samples; an int for every axis, or one per axis. stride: the kernel's size.
        padding: samples before and after each axis, as for `geometry.resolve_padding`.
        ceil_mode: where samples remain after the last whole window, add one more, of the samples there are.
        return_indices: also where each maximum is.
        boundary: what the padding holds; `ignore`: nothing, so that only samples of `x` take part.
    Returns:
        (batch, channels, *out_size) of the type of `x`; with `return_indices` also as many int64, each the row-major
        position in *size; in a padding that repeats samples, the position of the sample repeated.
    Raises:
        ShapeError: a window that does not fit, or that has no sample to choose from.
        OptionError: a type without order, a value out of range, or indices into a constant boundary.
    Source: PyTorch's `max_pool2d`, for the indices, the NaN and `ceil_mode`.
    Example:
        >>> import torch
        >>> max_pool(torch.tensor([[3, 1, 2, 5, 4]]), (3,), stride=2, return_indices=True)
        (tensor([[3, 5]]), tensor([[0, 3]]))
    """
    who = "max_pool"
    check_type(x, who, integers=True)
    check_boundary(boundary, who, also=("ignore",))
    found = pooling_windows(x, kernel_size, stride, padding, dilation, ceil_mode, who)
    if boundary == "ignore":
        check_inside(found, who)
        # PyTorch's own is the better one where the indices are kept too; else the slower one by far, but for 1-D and
        # channels-last.
        kept = return_indices or is_traced(x)
        if x.is_floating_point() and is_native(found) and (kept or len(found) == 1 or is_channels_last(x)):
            return _native(x, found, ceil_mode, return_indices)
    else:
        constant = boundary == "zeros" or not isinstance(boundary, str)
        if constant and return_indices and any(window.before or window.after for window in found):
            raise OptionError(
                f"{who}: boundary is {boundary!r} and return_indices is True, but a constant outside x has no position "
                'in it.\n  Hint: boundary="ignore" chooses among the samples of x only.'
            )
        check_holds(x.dtype, boundary, who)
    return _separable(x, found, boundary, return_indices, who)


def _native(x: Tensor, found: Sequence[AxisWindow], ceil_mode: bool, return_indices: bool):
    return _NATIVE[len(found)](
        x,
        [w.kernel_size for w in found],
        [w.stride for w in found],
        [w.before for w in found],
        [w.dilation for w in found],
        ceil_mode=ceil_mode,
        return_indices=return_indices,
    )


def _separable(x: Tensor, found: Sequence[AxisWindow], boundary: Boundary | str, return_indices: bool, who: str):
    """One axis after the other: as many comparisons as the kernel has samples along each, not in all."""
    origins = None
    samples, inside = x, found
    if boundary != "ignore":
        samples = extended(x, found, boundary, who)  # type: ignore[arg-type]
        inside = padded(found)
        if return_indices:
            origins = [sources(w.in_size, w.before, w.after, boundary) for w in found]  # type: ignore[arg-type]
    values, indices = largest(
        samples,
        [[_selection(window, k) for k in range(window.kernel_size)] for window in inside],
        origins or [range(window.in_size) for window in found],
        [window.in_size for window in found],
        return_indices,
    )
    values = in_format_of(x, values)
    return values if indices is None else (values, in_format_of(x, indices))


def _selection(window: AxisWindow, k: int) -> Selection:
    """The k-th sample of every window; where that is outside, the first or the last one inside, which changes nothing:
    neither the maximum, nor the first to reach it, nor the last NaN."""
    start = window.dilation * k - window.before
    stop = start + (window.out_size - 1) * window.stride + 1
    if start >= 0 and stop <= window.in_size:
        return slice(start, stop, window.stride)
    chosen = []
    for p, position in enumerate(range(start, stop, window.stride)):
        if not 0 <= position < window.in_size:
            position = clip(window.reads(p), window.in_size)[0 if position < 0 else -1]
        chosen.append(position)
    return chosen
