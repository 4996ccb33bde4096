"""In which type and memory format the methods compute, so that what comes out matches what PyTorch's own ops do."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
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
    """y (batch, out_channels, *out_size) with its bias, in the memory format of x."""
    return in_format_of(x, y if bias is None else y + bias.reshape(-1, *[1] * (y.ndim - 2)))


def in_format_of(x: Tensor, y: Tensor) -> Tensor:
    """y with its channels innermost in memory where those of x are."""
    return y.contiguous(memory_format=_CHANNELS_LAST[x.ndim]) if is_channels_last(x) else y


def is_channels_last(x: Tensor) -> bool:
    """Whether x (batch, channels, *size) has its channels innermost in memory, and could not as well have them outside.

    >>> is_channels_last(torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last))
    True
    """
    return x.ndim in _CHANNELS_LAST and not x.is_contiguous() and x.is_contiguous(memory_format=_CHANNELS_LAST[x.ndim])
