"""A convolution layer's result in the fastest of the ways that equal it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.kernels.depthwise import depthwise
from lenrek.kernels.layout import dense
from lenrek.ops.compiled import FEWEST
from lenrek.optimization.layers import convolution_axes
from lenrek.optimization.trace import has_hooks

_TYPES = (torch.float32, torch.bfloat16)
_CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)


def convolve(x: Tensor, layer: Any) -> Tensor:
    """`layer(x)`; the layer is looked at anew on every call: changed or given hooks, it does what it then says."""
    return layer(x) if has_hooks(layer) or not convolution_axes(layer) else correlate(x, layer, layer.bias)


def correlate(x: Tensor, layer: Any, bias: Tensor | None) -> Tensor:
    """What the layer computes without its hooks, with this bias.

    Depthwise layers run on the compiled kernels; one axis is run as two, for which PyTorch has a channels-last layout;
    and one channel is given the strides by which PyTorch recognises that layout.
    """
    weight = layer.weight
    if not _is_ours(x, weight, layer):
        return layer._conv_forward(x, weight, bias)
    if is_depthwise(layer):
        sides = tuple((p, p) for p in layer.padding)
        return depthwise(x, weight, bias, stride=layer.stride, padding=sides, dilation=layer.dilation)
    x = dense(x)
    if weight.shape[1] == 1:
        weight = dense(weight)
    if x.ndim > 3:
        return _CONVOLUTIONS[x.ndim - 3](
            x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
        )  # fmt: skip
    stride, padding, dilation = (1, *layer.stride), (0, *layer.padding), (1, *layer.dilation)
    return F.conv2d(x.unsqueeze(2), weight.unsqueeze(2), bias, stride, padding, dilation, layer.groups).squeeze(2)


def is_depthwise(layer: Any) -> bool:
    """Whether a convolution has one kernel per channel, and channels enough for the compiled kernels."""
    return layer.groups == layer.in_channels == layer.out_channels >= FEWEST


def _is_ours(x: Tensor, weight: Tensor, layer: Any) -> bool:
    """Whether the layer can be run another way: PyTorch's words for an unfit input, too, are left to PyTorch."""
    return (
        x.device.type == weight.device.type == "cpu"
        and x.ndim == weight.ndim
        and x.shape[1] == layer.in_channels
        and x.dtype in _TYPES
        and x.numel() > 0
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )
