"""Pooling to a size: the windows are those that share the input out evenly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.errors import ShapeError
from lenrek.geometry import per_axis
from lenrek.ops.pooling.arguments import check_type, pooled_ndim
from lenrek.ops.pooling.largest import largest
from lenrek.ops.tensors import in_format_of

OutputSize = int | None | Sequence[int | None]

_MAX: dict[int, Callable[..., Any]] = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
_AVERAGE: dict[int, Callable[..., Any]] = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


def adaptive_max_pool(
    x: Tensor, output_size: OutputSize, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest of the samples ⌊p·in/out⌋ to ⌈(p + 1)·in/out⌉ − 1 for each output p, on every axis.

    The derivative and the NaN are those of `max_pool`.

    Args:
        x: (batch, channels, *size), floating or integer; or (channels, *size) if `output_size` is a sequence.
        output_size: samples per axis, fewer than `x` has or more; an int for every axis, or one per axis; None keeps
            the size of `x`.
        return_indices: also where each maximum is, as for `max_pool`.
    Returns:
        (batch, channels, *output_size) of the type of `x`; with `return_indices` also as many int64.
    Raises:
        ShapeError: not one entry per axis, or an axis without samples.
        OptionError: a type without order, or a size below 1.
    Source: PyTorch's `adaptive_max_pool2d`.
    Example:
        >>> adaptive_max_pool(torch.tensor([[3, 1, 2, 5, 4]]), (3,), return_indices=True)
        (tensor([[3, 5, 5]]), tensor([[0, 3, 3]]))
    """
    who = "adaptive_max_pool"
    check_type(x, who, integers=True)
    out_size = _out_size(x, output_size, who)
    in_size = x.shape[-len(out_size) :]
    if len(out_size) in _MAX and x.is_floating_point():
        return _MAX[len(out_size)](x, out_size, return_indices)
    selections = []
    for n, m in zip(in_size, out_size, strict=True):
        shares = _shares(n, m)
        longest = max(map(len, shares))
        # the last sample stands for those that a shorter share has not, which changes nothing
        selections.append([[share[min(k, len(share) - 1)] for share in shares] for k in range(longest)])
    values, indices = largest(x, selections, [range(n) for n in in_size], in_size, return_indices)
    values = in_format_of(x, values)
    return values if indices is None else (values, in_format_of(x, indices))


def adaptive_average_pool(x: Tensor, output_size: OutputSize) -> Tensor:
    """The mean of the samples ⌊p·in/out⌋ to ⌈(p + 1)·in/out⌉ − 1 for each output p, on every axis.

    Args:
        x: (batch, channels, *size), floating or complex; or (channels, *size) if `output_size` is a sequence.
        output_size: samples per axis, fewer than `x` has or more; an int for every axis, or one per axis; None keeps
            the size of `x`.
    Returns:
        (batch, channels, *output_size) of the type of `x`.
    Raises:
        ShapeError: not one entry per axis, or an axis without samples.
        OptionError: an integer type, or a size below 1.
    Source: PyTorch's `adaptive_avg_pool2d`.
    Example:
        >>> adaptive_average_pool(torch.tensor([[3.0, 1.0, 2.0, 5.0, 4.0]]), (3,))
        tensor([[2.0000, 2.6667, 4.5000]])
    """
    who = "adaptive_average_pool"
    check_type(x, who, complex_numbers=True)
    out_size = _out_size(x, output_size, who)
    if len(out_size) in _AVERAGE and x.is_floating_point():
        return _AVERAGE[len(out_size)](x, out_size)
    return in_format_of(x, means_of_shares(x, out_size))


def means_of_shares(x: Tensor, out_size: Sequence[int]) -> Tensor:
    """`adaptive_average_pool` in PyTorch's elementary operations, over the last axes of x.

    >>> means_of_shares(torch.tensor([3.0, 1.0, 2.0, 5.0, 4.0]), (3,))
    tensor([2.0000, 2.6667, 4.5000])
    """
    for axis, m in enumerate(out_size, x.ndim - len(out_size)):
        means = [x.narrow(axis, share.start, len(share)).mean(axis) for share in _shares(x.shape[axis], m)]
        x = torch.stack(means, axis)
    return x


def _out_size(x: Tensor, output_size: OutputSize, who: str) -> tuple[int, ...]:
    """One size per axis; None, alone or on an axis, is the size of `x`."""
    ndim = pooled_ndim(x, output_size, who, "output_size")
    in_size = tuple(x.shape[-ndim:])
    if min(in_size) < 1:
        raise ShapeError(f"{who}: x {tuple(x.shape)} has the size {in_size}, expected at least 1 sample on each axis.")
    if output_size is None:
        return in_size
    if isinstance(output_size, int):
        return per_axis(output_size, ndim, who, "output_size")
    wanted = [n if m is None else m for m, n in zip(output_size, in_size, strict=True)]
    return per_axis(wanted, ndim, who, "output_size")


def _shares(in_size: int, out_size: int) -> list[range]:
    """The samples that each output of an axis is made of.

    >>> _shares(5, 3)
    [range(0, 2), range(1, 4), range(3, 5)]
    """
    return [range(p * in_size // out_size, -(-(p + 1) * in_size // out_size)) for p in range(out_size)]
