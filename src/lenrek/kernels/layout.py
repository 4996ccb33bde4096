"""The one memory layout of the kernels: (batch, *size, channels), which PyTorch calls channels-last."""

from __future__ import annotations

import torch
from torch import Tensor

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def is_dense(x: Tensor) -> bool:
    """Whether the channels (axis 1) lie next to each other in memory, then the last axis, …, and last the batch.

    >>> is_dense(torch.zeros(2, 4, 3).movedim(-1, 1)), is_dense(torch.zeros(2, 3, 4))
    (True, False)
    """
    if x.ndim in _FORMATS:
        return x.is_contiguous(memory_format=_FORMATS[x.ndim])
    return x.movedim(1, -1).is_contiguous()


def dense(x: Tensor) -> Tensor:
    """`x`, copied where it is not dense.

    One channel is dense in any strides; it is viewed in those that tell: PyTorch's convolutions go by them.

    >>> dense(torch.zeros(2, 3, 4)).stride(), dense(torch.zeros(2, 1, 5, 4)).stride()
    ((12, 1, 3), (20, 1, 4, 1))
    """
    if x.ndim > 2 and x.shape[1] == 1:
        return x if x.stride(1) == 1 and is_dense(x) else x.contiguous().squeeze(1).unsqueeze(-1).movedim(-1, 1)
    if x.ndim in _FORMATS:
        return x.contiguous(memory_format=_FORMATS[x.ndim])
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


def empty_dense(like: Tensor, batch: int, channels: int, size: tuple[int, ...]) -> Tensor:
    """An unfilled dense tensor (batch, channels, *size) of the type and device of `like`.

    >>> empty_dense(torch.zeros(1), 2, 3, (4, 5)).stride()
    (60, 1, 15, 3)
    """
    strides, step = [], channels
    for samples in reversed(size):
        strides.append(step)
        step *= samples
    return like.new_empty_strided((batch, channels, *size), (step, 1, *reversed(strides)))
