"""The sum of each window, one axis after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lenrek.geometry import AxisWindow, Boundary
from lenrek.ops.pooling.arguments import extended, padded


def window_sums(x: Tensor, found: Sequence[AxisWindow], boundary: Boundary, who: str) -> Tensor:
    """As many additions as the kernel has samples along each axis, not in all; float16 and bfloat16 give float32.

    >>> from lenrek.geometry import windows
    >>> window_sums(torch.tensor([[1, 2, 3, 4]]), windows((4,), 2, stride=2), "zeros", "here")
    tensor([[3, 7]])
    """
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    if boundary != "zeros":
        x, found = extended(x, found, boundary, who), padded(found)
    for axis, window in reversed(list(enumerate(found, x.ndim - len(found)))):
        shape = list(x.shape)
        shape[axis] = window.out_size
        nothing = x.narrow(axis, 0, 0).sum(axis, keepdim=True)  # zeros, with a derivative even where no window meets x
        total = nothing.expand(shape).clone()
        for k in range(window.kernel_size):
            start = window.dilation * k - window.before  # of window 0; the first and the last ones may reach outside
            first = max(0, -(start // window.stride))
            count = min(window.out_size, (window.in_size - 1 - start) // window.stride + 1) - first
            if count > 0:
                start += first * window.stride
                inside = slice(start, start + (count - 1) * window.stride + 1, window.stride)
                total.narrow(axis, first, count).add_(x[(slice(None),) * axis + (inside,)])
        x = total
    return x
