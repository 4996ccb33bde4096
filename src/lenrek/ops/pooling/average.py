"""The mean of each window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.errors import OptionError
from lenrek.geometry import AxisWindow, Boundary, Padding, check_boundary
from lenrek.geometry.axes import is_integer
from lenrek.geometry.window import clip
from lenrek.ops.pooling.arguments import check_inside, check_type, is_native, is_traced, padded, pooling_windows
from lenrek.ops.pooling.sums import window_sums
from lenrek.ops.tensors import in_format_of, is_channels_last


def average_pool(
    x: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    *,
    boundary: Boundary | Literal["ignore"] = "zeros",
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window: y[p] = mean over k of x[stride·p + dilation·k − before].

    Args:
        x: (batch, channels, *size), floating or complex; or (channels, *size) if `kernel_size` is a sequence.
        kernel_size, stride, dilation: in samples; an int for every axis, or one per axis. stride: the kernel's size.
        padding: samples before and after each axis, as for `geometry.resolve_padding`.
        ceil_mode: where samples remain after the last whole window, add one more; what it reads beyond the padding
            does not count.
        boundary: what the padding holds, and counts; `ignore`: nothing, the mean is that of the samples of `x`
            (PyTorch's `count_include_pad=False`).
        divisor_override: divide the sums by this number instead; with 1, the result is the sums.
    Returns:
        (batch, channels, *out_size) of the type of `x`.
    Raises:
        ShapeError: a window that does not fit, or that has no sample to average.
        OptionError: an integer type, or a value out of range.
    Source: PyTorch's `avg_pool2d`, for what counts in `ceil_mode`.
    Example:
        >>> average_pool(torch.tensor([[1.0, 2.0, 6.0]]), (2,), stride=1, padding=1, boundary="ignore")
        tensor([[1.0000, 1.5000, 4.0000, 6.0000]])
    """
    who = "average_pool"
    check_type(x, who, complex_numbers=True)
    check_boundary(boundary, who, also=("ignore",))
    if divisor_override is not None and (not is_integer(divisor_override) or divisor_override == 0):
        raise OptionError(f"{who}: divisor_override is {divisor_override!r}, expected an integer other than 0.")
    found = pooling_windows(x, kernel_size, stride, padding, dilation, ceil_mode, who)
    if boundary == "ignore":
        check_inside(found, who)
    # As for max_pool: without a derivative the separable sums are quicker than PyTorch's own, except for channels-last.
    if _is_native(x, found, boundary, divisor_override) and (is_traced(x) or is_channels_last(x)):
        return _native(x, found, ceil_mode, boundary != "ignore", divisor_override)
    total = window_sums(x, found, "zeros" if boundary == "ignore" else boundary, who)
    if divisor_override is not None:
        mean = total / divisor_override
    else:
        mean = _divided(total, found if boundary == "ignore" else padded(found))
    return in_format_of(x, mean.to(x.dtype))


def _is_native(x: Tensor, found: Sequence[AxisWindow], boundary: Boundary | str, divisor_override: int | None) -> bool:
    """Whether PyTorch has it: neither dilation, nor complex numbers, nor halves in 3-D, nor a divisor in 1-D."""
    return (
        is_native(found)
        and boundary in ("zeros", "ignore")
        and all(window.dilation == 1 for window in found)
        and x.is_floating_point()
        and not (len(found) == 3 and x.dtype in (torch.float16, torch.bfloat16))
        and not (len(found) == 1 and divisor_override is not None)
    )


def _native(x: Tensor, found: Sequence[AxisWindow], ceil_mode: bool, count_include_pad: bool, divisor: int | None):
    kernel, stride, padding = ([getattr(w, name) for w in found] for name in ("kernel_size", "stride", "before"))
    if len(found) == 1:
        return F.avg_pool1d(x, kernel, stride, padding, ceil_mode, count_include_pad)
    compute = F.avg_pool2d if len(found) == 2 else F.avg_pool3d
    return compute(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor)


def _divided(total: Tensor, found: Sequence[AxisWindow]) -> Tensor:
    """The sums by how many samples each window reads; the numbers of the axes multiply."""
    for axis, window in enumerate(found, total.ndim - len(found)):
        counts = [len(clip(window.reads(p), window.in_size)) for p in range(window.out_size)]
        if min(counts) == window.kernel_size:
            total = total / window.kernel_size
        else:
            total = total / torch.tensor(counts, device=total.device).reshape(-1, *[1] * (total.ndim - 1 - axis))
    return total
