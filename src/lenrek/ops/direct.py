"""Correlation window by window, through PyTorch's own convolutions; beyond 3-D as a sum over the first axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.ops.boundary import extend
from lenrek.ops.layout import Layout

_FORWARD = (F.conv1d, F.conv2d, F.conv3d)
_TRANSPOSED = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)


def correlate_direct(x: Tensor, weight: Tensor, layout: Layout, bias: Tensor | None = None) -> Tensor:
    """x (batch, in_channels, *in_size) → (batch, out_channels, *out_size), zeros outside."""
    if layout.ndim > 3:
        return _sum_over_first_axis(x, weight, layout, bias)
    shared = [min(side) for side in layout.sides]
    rest = [(before - p, after - p) for (before, after), p in zip(layout.sides, shared, strict=True)]
    x = extend(x, rest, "zeros", "correlate")  # PyTorch pads both sides alike
    return _FORWARD[layout.ndim - 1](x, weight, bias, layout.stride, shared, layout.dilation, layout.groups)


def transposed_direct(
    y: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int], bias: Tensor | None = None
) -> Tensor:
    """The adjoint of `correlate_direct`: y (batch, out_channels, *out_size) → (batch, in_channels, *in_size)."""
    if layout.ndim > 3:
        return _spread_over_first_axis(y, weight, layout, in_size, bias)
    cut, keep, extra = [], [], []
    for n, m, s, d, k, (before, after) in zip(
        in_size, y.shape[2:], layout.stride, layout.dilation, weight.shape[2:], layout.sides, strict=True
    ):
        missing = n - ((m - 1) * s + d * (k - 1) + 1 - before - after)
        extra.append(missing if before == after else 0)
        # PyTorch cuts both ends alike, so an uneven cut is part PyTorch's and part ours.
        cut.append(before if before == after else max(0, min(before, after - missing)))
        keep.append((before - cut[-1], n))
    x = _TRANSPOSED[layout.ndim - 1](y, weight, bias, layout.stride, cut, extra, layout.groups, layout.dilation)
    for axis, (start, n) in enumerate(keep, 2):
        lacking = start + n - x.shape[axis]
        if lacking > 0:  # samples that no window reads
            x = _append(x, axis, lacking, bias)
        if start or x.shape[axis] != n:
            x = x.narrow(axis, start, n)
    return x


def transposed_flipped(y: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int]) -> Tensor:
    """As `transposed_direct` with stride 1: a correlation with the flipped kernel, in and out channels exchanged.

    PyTorch's transposed convolution has no fast path on a CPU for few channels and for volumes, and is up to 50 times
    slower there.
    """
    sides, cuts = [], []
    for (before, after), extent in zip(layout.sides, layout.extents(weight.shape[2:]), strict=True):
        sides.append((max(0, extent - 1 - before), max(0, extent - 1 - after)))
        cuts.append((max(0, before - extent + 1), max(0, after - extent + 1)))
    for axis, (before, after) in enumerate(cuts, 2):
        if before or after:  # windows that lie in the padding alone
            y = y.narrow(axis, before, y.shape[axis] - before - after)
    flipped = weight.flip(tuple(range(2, weight.ndim)))
    flipped = flipped.unflatten(0, (layout.groups, -1)).transpose(1, 2).flatten(0, 1)
    return correlate_direct(y, flipped, layout._replace(sides=tuple(sides)))


def weight_gradient_direct(x: Tensor, y: Tensor, layout: Layout, kernel: Sequence[int]) -> Tensor:
    """Σ over batch and windows of y[b,o,p] · x[b,i, what window p reads]: the gradient of ⟨correlate(x, w), y⟩ by w."""
    shared = [min(side) for side in layout.sides]
    rest = [(before - p, after - p) for (before, after), p in zip(layout.sides, shared, strict=True)]
    x = extend(x, rest, "zeros", "correlate")
    weight = x.new_empty((y.shape[1], x.shape[1] // layout.groups, *kernel))
    zeros = [0] * layout.ndim
    return torch.ops.aten.convolution_backward(
        y, x, weight, None, layout.stride, shared, layout.dilation, False, zeros, layout.groups, [False, True, False]
    )[1]


def _append(x: Tensor, axis: int, count: int, bias: Tensor | None) -> Tensor:
    rows = list(x.shape)
    rows[axis] = count
    fill = x.new_zeros(rows) if bias is None else bias.to(x.dtype).reshape(-1, *[1] * (x.ndim - 2)).expand(rows)
    return torch.cat([x, fill], axis)


def _sum_over_first_axis(x: Tensor, weight: Tensor, layout: Layout, bias: Tensor | None) -> Tensor:
    """One correlation with one axis fewer for each kernel sample of the first axis; its positions join the batch."""
    stride, dilation, inner = layout.stride[0], layout.dilation[0], _inner(layout)
    out_size = layout.out_size(x.shape[2:], weight.shape[2:])
    x = extend(x, (layout.sides[0], *((0, 0),) * (layout.ndim - 1)), "zeros", "correlate")
    total = None
    for k in range(weight.shape[2]):
        rows = x[:, :, k * dilation : k * dilation + stride * (out_size[0] - 1) + 1 : stride].movedim(2, 1)
        part = correlate_direct(rows.flatten(0, 1), weight[:, :, k], inner)
        total = part if total is None else total + part
    assert total is not None  # a kernel has at least one sample
    y = total.unflatten(0, (x.shape[0], out_size[0])).movedim(1, 2)
    return y if bias is None else y + bias.reshape(-1, *[1] * layout.ndim)


def _spread_over_first_axis(
    y: Tensor, weight: Tensor, layout: Layout, in_size: Sequence[int], bias: Tensor | None
) -> Tensor:
    stride, dilation, inner = layout.stride[0], layout.dilation[0], _inner(layout)
    before, count, size = layout.sides[0][0], y.shape[2], in_size[0]
    rows = y.movedim(2, 1).flatten(0, 1)
    x: Tensor | None = None
    for k in range(weight.shape[2]):
        part = transposed_direct(rows, weight[:, :, k], inner, in_size[1:])
        part = spread(part.unflatten(0, (y.shape[0], count)).movedim(1, -1), (stride,))
        start = k * dilation - before
        lost = max(0, -start), max(0, start + part.shape[-1] - size)  # what falls outside
        part = part[..., min(lost[0], part.shape[-1]) : max(0, part.shape[-1] - lost[1])]
        start = min(max(0, start), size)
        part = F.pad(part, (start, size - start - part.shape[-1])).movedim(-1, 2)
        x = part if x is None else x + part
    assert x is not None
    return x if bias is None else x + bias.reshape(-1, *[1] * layout.ndim)


def spread(x: Tensor, steps: Sequence[int]) -> Tensor:
    """Put step − 1 zeros between neighbours along each of the last axes: `x[..., ::step]` undoes it.

    >>> spread(torch.tensor([1, 2, 3]), (3,))
    tensor([1, 0, 0, 2, 0, 0, 3])
    """
    for axis, step in enumerate(steps, x.ndim - len(steps)):
        if step > 1:
            gaps = [0, 0] * (x.ndim - 1 - axis) + [0, step - 1]
            x = F.pad(x.unsqueeze(axis + 1), gaps).flatten(axis, axis + 1)
            x = x.narrow(axis, 0, x.shape[axis] - step + 1)
    return x


def _inner(layout: Layout) -> Layout:
    return Layout(layout.stride[1:], layout.sides[1:], layout.dilation[1:], layout.groups)
