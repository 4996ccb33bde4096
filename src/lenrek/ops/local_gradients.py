"""Correlation with weights of its own at every position, and its two gradients.

Position by position it is a matrix product of the window with the weights found there, so a batch of small products
computes it.

The weights are by far the largest operand (one kernel bank per position), and are read where they lie: the windows are
copied in the order of the weights, not the weights in the order of the windows.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from lenrek.ops.layout import Layout, Sizes
from lenrek.ops.windows import windows_of


class LocalPlan(NamedTuple):
    """Maps of `lenrek.ops.bilinear`: x (batch, in_channels, *in_size), y (batch, out_channels, *out_size).

    layout without padding; sizes of the (extended) input, the output and the kernel; how the weights lie in memory.

    channels_last: in_channels vary fastest, after the kernel's axes. Windows then are copied in longer runs.
    """

    layout: Layout
    in_size: Sizes
    out_size: Sizes
    kernel: Sizes
    channels_last: bool

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return _join(torch.bmm(_columns(x, self), _rows(weight, self).mT), self)

    def input_gradient(self, y: Tensor, weight: Tensor) -> Tensor:
        return _fold(torch.bmm(_split(y, self), _rows(weight, self)), y.shape[0], self)

    def weight_gradient(self, x: Tensor, y: Tensor) -> Tensor:
        return _as_weight(torch.bmm(_split(y, self).mT, _columns(x, self)), self)


# What the products see: one matrix for each position and group, (∏out_size · groups, ·, ·).


def _columns(x: Tensor, plan: LocalPlan) -> Tensor:
    """The windows: (positions · groups, batch, in_channels/groups · ∏kernel)."""
    ndim, groups = plan.layout.ndim, plan.layout.groups
    batch, per_group = x.shape[0], x.shape[1] // groups
    x = x.permute(*range(2, 2 + ndim), 0, 1).contiguous().permute(ndim, ndim + 1, *range(ndim))  # channels innermost
    read = windows_of(x, plan.kernel, plan.layout.stride, plan.layout.dilation).unflatten(1, (groups, per_group))
    out, kernel = range(3, 3 + ndim), range(3 + ndim, 3 + 2 * ndim)  # of (batch, groups, per_group, *out, *kernel)
    window = (*kernel, 2) if plan.channels_last else (2, *kernel)
    return read.permute(*out, 1, 0, *window).reshape(prod(plan.out_size) * groups, batch, per_group * prod(plan.kernel))


def _fold(columns: Tensor, batch: int, plan: LocalPlan) -> Tensor:
    """The adjoint of `_columns`: every window added where it was read."""
    ndim, groups = plan.layout.ndim, plan.layout.groups
    per_group = columns.shape[2] // prod(plan.kernel)
    window = (*plan.kernel, per_group) if plan.channels_last else (per_group, *plan.kernel)
    parts = columns.reshape(*plan.out_size, groups, batch, *window).transpose(ndim, ndim + 1)
    if not plan.channels_last:
        parts = parts.movedim(ndim + 2, -1)
    x = columns.new_zeros(*plan.in_size, batch, groups, per_group)
    for place in product(*map(range, plan.kernel)):
        read = tuple(
            slice(k * d, k * d + s * (n - 1) + 1, s)
            for k, d, s, n in zip(place, plan.layout.dilation, plan.layout.stride, plan.out_size, strict=True)
        )
        x[read] += parts[(slice(None),) * (ndim + 2) + place]
    return x.flatten(ndim + 1).permute(ndim, ndim + 1, *range(ndim))


def _rows(weight: Tensor, plan: LocalPlan) -> Tensor:
    """The weights: (positions · groups, out_channels/groups, in_channels/groups · ∏kernel), a view."""
    ndim, groups = plan.layout.ndim, plan.layout.groups
    out_channels, per_group = weight.shape[ndim : ndim + 2]
    if plan.channels_last:
        weight = weight.movedim(ndim + 1, -1)
    return weight.reshape(prod(plan.out_size) * groups, out_channels // groups, per_group * prod(plan.kernel))


def _as_weight(rows: Tensor, plan: LocalPlan) -> Tensor:
    """The adjoint of `_rows`."""
    ndim, out_channels = plan.layout.ndim, plan.layout.groups * rows.shape[1]
    per_group = rows.shape[2] // prod(plan.kernel)
    if plan.channels_last:
        return rows.reshape(*plan.out_size, out_channels, *plan.kernel, per_group).movedim(-1, ndim + 1)
    return rows.reshape(*plan.out_size, out_channels, per_group, *plan.kernel)


def _split(y: Tensor, plan: LocalPlan) -> Tensor:
    """The outputs: (positions · groups, batch, out_channels/groups)."""
    ndim, groups = plan.layout.ndim, plan.layout.groups
    batch, per_group = y.shape[0], y.shape[1] // groups
    y = y.unflatten(1, (groups, per_group)).permute(*range(3, 3 + ndim), 1, 0, 2)
    return y.reshape(prod(plan.out_size) * groups, batch, per_group)


def _join(products: Tensor, plan: LocalPlan) -> Tensor:
    """The adjoint of `_split`."""
    ndim, groups = plan.layout.ndim, plan.layout.groups
    y = products.unflatten(0, (*plan.out_size, groups)).permute(ndim + 1, ndim, ndim + 2, *range(ndim))
    return y.flatten(1, 2)
