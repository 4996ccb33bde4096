"""Correlations that keep channels apart, that only mix them, and one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lenrek.errors import ShapeError
from lenrek.geometry import Boundary, Padding
from lenrek.ops.correlate import run
from lenrek.ops.layout import shape
from lenrek.ops.method import Method


def depthwise_correlate(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    *,
    boundary: Boundary = "zeros",
    method: Method = "auto",
) -> Tensor:
    """Every channel correlated with kernels of its own: `correlate` with as many groups as channels.

    Args:
        x: (batch, channels, *in_size), or without batch.
        weight: (channels · multiplier, 1, *kernel_size); output o reads channel ⌊o / multiplier⌋.
        bias: (channels · multiplier,).
        stride, padding, dilation, boundary, method: as in `correlate`.
    Returns:
        (batch, channels · multiplier, *out_size).
    Raises:
        ShapeError: weight is not for one channel each, or not for a multiple of the channels of x.
        OptionError: as `correlate`.
    Example: two channels, the sum of neighbours in one and their difference in the other.
        >>> import torch
        >>> x = torch.tensor([[[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]])
        >>> depthwise_correlate(x, torch.tensor([[[1.0, 1.0]], [[-1.0, 1.0]]]))
        tensor([[[3., 6.],
                 [1., 2.]]])
    """
    return _depthwise(x, weight, bias, stride, padding, dilation, boundary, method, "depthwise_correlate")


def pointwise_correlate(x: Tensor, weight: Tensor, bias: Tensor | None = None, groups: int = 1) -> Tensor:
    """The channels mixed at every position alone: a 1×1 convolution.

    Args:
        x: (batch, in_channels, *in_size), or without batch.
        weight: (out_channels, in_channels/groups, 1, …).
        bias: (out_channels,).
    Returns:
        (batch, out_channels, *in_size).
    Raises:
        ShapeError: a kernel of more than one sample, or channels that do not fit.
        OptionError: as `correlate`.
    Source: Lin, Chen & Yan 2013, "Network in network", arXiv:1312.4400.
    Example:
        >>> import torch
        >>> pointwise_correlate(torch.tensor([[[1.0, 2.0], [3.0, 5.0]]]), torch.tensor([[[2.0], [-1.0]]]))
        tensor([[[-1., -1.]]])
    """
    return _pointwise(x, weight, bias, groups, "pointwise_correlate", "weight")


def depthwise_separable_correlate(
    x: Tensor,
    depthwise_weight: Tensor,
    pointwise_weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    *,
    depthwise_bias: Tensor | None = None,
    boundary: Boundary = "zeros",
    method: Method = "auto",
) -> Tensor:
    """`depthwise_correlate`, then `pointwise_correlate`: first space, then channels.

    For kernels of K samples it needs 1/out_channels + 1/K of the multiplications of a dense correlation (multiplier 1).

    Args:
        x: (batch, in_channels, *in_size), or without batch.
        depthwise_weight: (in_channels · multiplier, 1, *kernel_size).
        pointwise_weight: (out_channels, in_channels · multiplier, 1, …).
        bias: (out_channels,), added last; depthwise_bias: (in_channels · multiplier,), added between.
        stride, padding, dilation, boundary, method: of the depthwise correlation.
    Returns:
        (batch, out_channels, *out_size).
    Raises:
        ShapeError, OptionError: as the two.
    Source: Howard et al. 2017, MobileNets, arXiv:1704.04861, §3.1.
    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]])
        >>> depthwise = torch.tensor([[[1.0, 1.0]], [[-1.0, 1.0]]])
        >>> depthwise_separable_correlate(x, depthwise, torch.tensor([[[1.0], [10.0]]]))
        tensor([[[13., 26.]]])
    """
    who = "depthwise_separable_correlate"
    x = _depthwise(x, depthwise_weight, depthwise_bias, stride, padding, dilation, boundary, method, who)
    return _pointwise(x, pointwise_weight, bias, 1, who, "pointwise_weight")


def _depthwise(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    boundary: Boundary,
    method: Method,
    who: str,
) -> Tensor:
    ndim = weight.ndim - 2
    if ndim < 1 or x.ndim not in (ndim + 1, ndim + 2):
        raise ShapeError(
            f"{who}: x {shape(x)} and weight {shape(weight)} do not fit, expected (batch, channels, *in_size), "
            "or without batch, and (channels · multiplier, 1, *kernel_size)."
        )
    channels = x.shape[-ndim - 1]
    if weight.shape[1] != 1 or not channels or weight.shape[0] % channels:
        raise ShapeError(
            f"{who}: weight {shape(weight)}, expected (channels · multiplier, 1, *kernel_size) "
            f"with a multiple of {channels} channels."
        )
    return run(x, weight, bias, stride, padding, dilation, channels, boundary, method, who)


def _pointwise(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, who: str, name: str) -> Tensor:
    if weight.ndim < 3 or any(k != 1 for k in weight.shape[2:]):
        raise ShapeError(
            f"{who}: {name} {shape(weight)}, expected kernels of one sample: (out_channels, in_channels/groups, 1, …)."
        )
    return run(x, weight, bias, 1, 0, 1, groups, "zeros", "auto", who)
