"""In which type and memory format the methods compute, so that what comes out matches what PyTorch's own ops do."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

MaybeTensor = TypeVar("MaybeTensor", Tensor, Tensor | None)


def needs_gradient(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def autocasts(tensor: Tensor) -> bool:
    device = tensor.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def as_computed(tensor: MaybeTensor) -> MaybeTensor:
    """Integers as int64, in which they are summed; under autocast its type, as PyTorch's convolutions are cast."""
    if tensor is None:
        return tensor
    if tensor.is_floating_point():
        if tensor.dtype != torch.float64 and autocasts(tensor):
            return tensor.to(torch.get_autocast_dtype(tensor.device.type))
        return tensor
    return tensor if tensor.is_complex() else tensor.to(torch.int64)


def finished(y: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """y (batch, out_channels, *out_size) with its bias, channels-last if x is."""
    if bias is not None:
        y = y + bias.reshape(-1, *[1] * (y.ndim - 2))
    if x.ndim in (4, 5) and not x.is_contiguous():
        channels_last = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
        if x.is_contiguous(memory_format=channels_last):
            return y.contiguous(memory_format=channels_last)
    return y
