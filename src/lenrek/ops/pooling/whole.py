"""One number for each whole channel."""

from __future__ import annotations

from torch import Tensor

from lenrek.errors import ShapeError
from lenrek.ops.pooling.arguments import check_type, is_traced


def global_max_pool(x: Tensor, keepdim: bool = False) -> Tensor:
    """The largest sample of each channel; the derivative is 1 at the first such sample and 0 elsewhere.

    Args:
        x: (batch, channels, *size), floating or integer.
        keepdim: keep the pooled axes, with one sample each.
    Returns:
        (batch, channels), what a linear layer takes; with `keepdim` (batch, channels, 1, …).
    Raises:
        ShapeError: no axis to pool over, or no sample on one.
        OptionError: a type without order.
    Source: Oquab et al. 2015, "Is object localization for free?", CVPR.
    Example:
        >>> import torch
        >>> global_max_pool(torch.arange(12.0).reshape(1, 2, 2, 3))
        tensor([[ 5., 11.]])
    """
    check_type(x, "global_max_pool", integers=True)
    axes = _axes(x, "global_max_pool")
    if not is_traced(x):
        return x.amax(axes, keepdim)  # the quickest, but it shares the derivative among equals
    largest = x.flatten(2).max(-1).values
    return largest[(..., *[None] * len(axes))] if keepdim else largest


def global_average_pool(x: Tensor, keepdim: bool = False) -> Tensor:
    """The mean of each channel.

    Args:
        x: (batch, channels, *size), floating or complex.
        keepdim: keep the pooled axes, with one sample each.
    Returns:
        (batch, channels), what a linear layer takes; with `keepdim` (batch, channels, 1, …).
    Raises:
        ShapeError: no axis to pool over, or no sample on one.
        OptionError: an integer type.
    Source: Lin et al. 2013, arXiv:1312.4400, §3.2.
    Example:
        >>> import torch
        >>> global_average_pool(torch.arange(12.0).reshape(1, 2, 2, 3))
        tensor([[2.5000, 8.5000]])
    """
    check_type(x, "global_average_pool", complex_numbers=True)
    return x.mean(_axes(x, "global_average_pool"), keepdim)


def _axes(x: Tensor, who: str) -> tuple[int, ...]:
    size = tuple(x.shape[2:])
    if not size or min(size) < 1:
        raise ShapeError(
            f"{who}: x {tuple(x.shape)}, expected (batch, channels, *size) with at least 1 axis after the channels, "
            "and at least 1 sample on each."
        )
    return tuple(range(2, x.ndim))
