"""Every window of a signal, image or volume as one view: no sample is copied."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lenrek.errors import ShapeError
from lenrek.geometry import windows
from lenrek.geometry.axes import axes, sizes_of


def windows_of(
    x: Tensor, kernel_size: Sequence[int], stride: int | Sequence[int] = 1, dilation: int | Sequence[int] = 1
) -> Tensor:
    """The samples under each position of a sliding window, w[…, *p, *k] = x[…, stride·p + dilation·k].

    A view of `x`, not a copy: where windows overlap, their samples are the same memory, so write into a clone.

    Args:
        x: (…, *size), any type; the window slides over the last axes, one for each entry of `kernel_size`.
        kernel_size: samples of the window per axis.
        stride, dilation: distance between windows, and between the samples of one window; an int for every axis, or
            one per axis.
    Returns:
        (…, *out_size, *kernel_size) with ⌊(size − dilation·(kernel_size − 1) − 1)/stride⌋ + 1 windows per axis.
    Raises:
        ShapeError: `x` has too few axes, or the window does not fit.
        OptionError: a value out of range.
    Example:
        >>> import torch
        >>> windows_of(torch.arange(5), (2,), dilation=2)
        tensor([[0, 2],
                [1, 3],
                [2, 4]])
    """
    kernel = sizes_of(kernel_size, "windows_of", "kernel_size")
    first = x.ndim - len(kernel)
    if first < 0:
        raise ShapeError(f"windows_of: kernel_size {kernel} is for {axes(len(kernel))}, but x has {x.ndim}.")
    found = windows(x.shape[first:], kernel, stride=stride, dilation=dilation, who="windows_of")
    for axis, window in enumerate(found):
        x = x.unfold(first + axis, window.reach + 1, window.stride)
        if window.dilation > 1:
            x = x[..., :: window.dilation]
    return x
