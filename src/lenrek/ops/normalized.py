"""Normalised cross-correlation: how like a template every window is, whatever its gain and offset."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.geometry import Boundary, Padding
from lenrek.ops.boundary import extend
from lenrek.ops.correlate import run
from lenrek.ops.layout import Layout, check_fit, read_layout
from lenrek.ops.method import Method

# A sum of squares around the mean counts as zero below this share of the sum of squares itself: what float64 rounding
# leaves of exactly constant samples, with room to spare.
_FLAT = 64 * torch.finfo(torch.float64).eps


def normalized_correlate(
    x: Tensor,
    template: Tensor,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    boundary: Boundary = "zeros",
    method: Method = "auto",
) -> Tensor:
    """Pearson's correlation of every window with every template: 1 where they match up to gain and offset.

    y[b,o,p] = Σ (window − its mean)·(template − its mean) / (‖window − its mean‖ · ‖template − its mean‖), where a
    window is all samples that output p reads, from all channels of the group together.

    Where a window or the template is constant, y is 0 and so is its gradient. Whatever the type of x, sums are taken
    in float64, window by window: an offset, or samples elsewhere that are 10⁴ times larger, cost no accuracy.

    Args:
        x: (batch, in_channels, *in_size), or without batch.
        template: (out_channels, in_channels/groups, *kernel_size).
        stride, padding, dilation, groups, boundary, method: as in `correlate`; what lies outside belongs to the window.
    Returns:
        (batch, out_channels, *out_size) in [−1, 1], in the type of x; integers give PyTorch's default type.
    Raises:
        ShapeError: channels that do not fit, or a window wider than the padded input.
        OptionError: an option out of range, types that differ, or complex ones.
    Source: Lewis 1995, "Fast normalized cross-correlation", Vision Interface.
    Example: the same step three times, but at the second place upside down, and at the third twice as high.
        >>> x = torch.tensor([[[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 2.0, 2.0]]])
        >>> normalized_correlate(x, torch.tensor([[[5.0, 6.0]]])).round()
        tensor([[[ 0.,  1.,  0., -1.,  0.,  1.,  0.]]])
    """
    who = "normalized_correlate"
    layout = read_layout(x, template, None, stride, padding, dilation, groups, 1, who)
    check_fit(x, template.shape[2:], layout, who)
    if x.is_complex():
        raise OptionError(
            f"{who}: x is {x.dtype}, expected a real type.\n  Hint: pass the real and imaginary part as two channels."
        )
    batched, dtype = x.ndim == template.ndim, x.dtype if x.is_floating_point() else torch.get_default_dtype()
    x = extend(x if batched else x.unsqueeze(0), layout.sides, boundary, who).double().unflatten(1, (groups, -1))
    if x.shape[0]:
        # No score depends on this centre, so neither does a gradient; it only keeps the squares small.
        x = x - x.detach().mean(tuple(range(2, x.ndim)), keepdim=True)
    layout, kernel = layout.without_padding(), template.shape[2:]
    unit = _normalize(template.double())
    products = run(x.flatten(1, 2), unit, None, layout.stride, 0, layout.dilation, groups, "zeros", method, who)
    sums = window_sums(x.sum(2), kernel, layout)
    squares = window_sums(x.square().sum(2), kernel, layout)
    variation = squares - sums.square() / template[0].numel()
    flat = variation <= _FLAT * squares
    scale = torch.where(flat, 0.0, torch.where(flat, 1.0, variation).rsqrt())
    y = (products.unflatten(1, (groups, -1)) * scale.unsqueeze(2)).flatten(1, 2).clamp(-1.0, 1.0).to(dtype)
    return y if batched else y.squeeze(0)


def window_sums(x: Tensor, kernel: Sequence[int], layout: Layout) -> Tensor:
    """Σ_k x[…, stride·p + dilation·k] over the last axes: sums of 1, 2, 4, … samples, each from two of half the length.

    A sum of k samples takes about 2·log₂ k additions for all windows at once, and unlike differences of running sums it
    holds rounding errors of its own samples only.

    Example:
        >>> window_sums(torch.arange(6), (3,), Layout((1,), ((0, 0),), (1,), 1))
        tensor([ 3,  6,  9, 12])
    """
    first = x.ndim - len(kernel)
    for axis, (k, s, d) in enumerate(zip(kernel, layout.stride, layout.dilation, strict=True), first):
        count = x.shape[axis] - d * (k - 1)
        total, done, power, length = None, 0, x, 1
        while True:
            if k & length:
                part = power.narrow(axis, done * d, count)
                total = part if total is None else total + part
                done += length
            if done == k:
                break
            rest = power.shape[axis] - length * d
            power = power.narrow(axis, 0, rest) + power.narrow(axis, length * d, rest)
            length *= 2
        assert total is not None  # a kernel has at least one sample
        x = total[(slice(None),) * axis + (slice(None, None, s),)] if s > 1 else total
    return x


def _normalize(template: Tensor) -> Tensor:
    """Centred and of norm 1, per output channel; 0 where it is constant."""
    axes = tuple(range(1, template.ndim))
    centred = template - template.mean(axes, keepdim=True)
    energy = centred.square().sum(axes, keepdim=True)
    flat = energy <= _FLAT**2 * template.square().sum(axes, keepdim=True)
    return torch.where(flat, 0.0, centred * torch.where(flat, 1.0, energy).rsqrt())
