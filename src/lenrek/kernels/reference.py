"""The twins of the kernels in plain PyTorch: what they must equal, and what runs where they cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.kernels.pool import Pool

# In the order of csrc/activation.h.
ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "none": lambda z: z,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "relu6": F.relu6,
    "gelu": F.gelu,
    "silu": F.silu,
    "hardswish": F.hardswish,
}
_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def norm_act_pool(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *,
    training: bool,
    momentum: float,
    eps: float,
    activation: str,
    negative_slope: float,
    residual: Tensor | None,
    pool: Pool | None,
) -> Tensor:
    """`block.norm_act_pool` in PyTorch's operators, for any type, device and layout."""
    z = F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    return act_pool(z if residual is None else z + residual, activation, negative_slope, pool)


def bias_act_pool(
    x: Tensor,
    bias: Tensor | None,
    *,
    activation: str,
    negative_slope: float,
    residual: Tensor | None,
    pool: Pool | None,
) -> Tensor:
    """`block.bias_act_pool` in PyTorch's operators, for any type, device and layout."""
    z = add_bias(x, bias)
    return act_pool(z if residual is None else z + residual, activation, negative_slope, pool)


def add_bias(x: Tensor, bias: Tensor | None) -> Tensor:
    """One number per channel, if any, in the type of x."""
    return x if bias is None else x + bias.to(x.dtype).reshape(-1, *[1] * (x.ndim - 2))


def act_pool(z: Tensor, activation: str, negative_slope: float, pool: Pool | None) -> Tensor:
    """The last two steps of a block."""
    act = ACTIVATIONS[activation]
    return pooled(act(z, negative_slope) if activation == "leaky_relu" else act(z), pool)


def pooled(x: Tensor, pool: Pool | None) -> Tensor:
    """Any of the poolings."""
    if pool is None:
        return x
    if pool.kind == "global_average":
        return x.mean(tuple(range(2, x.ndim)), keepdim=True)
    if pool.kind == "max":
        return _MAX[x.ndim - 2](x, pool.kernel_size, pool.stride, pool.padding, ceil_mode=pool.ceil_mode)
    wide = x.float() if x.dtype == torch.bfloat16 else x  # PyTorch has no average of bfloat16 volumes
    return _AVERAGE[x.ndim - 2](wide, pool.kernel_size, pool.stride, pool.padding).to(x.dtype)


def spread(dy: Tensor, index: Tensor, size: tuple[int, ...], pool: Pool) -> Tensor:
    """The gradient (batch, channels, *size) of a max-pool's input: each dy where `index` says, in its window.

    Places of a window are numbered row by row; a number beyond them names none.
    """
    ends = zip(size, pool.padding, dy.shape[2:], pool.stride, pool.kernel_size, strict=True)
    padded = [max(n + p, (out - 1) * s + k) for n, p, out, s, k in ends]
    dx = dy.new_zeros((*dy.shape[:2], *padded))
    places = torch.cartesian_prod(*(torch.arange(k) for k in pool.kernel_size)).reshape(-1, len(size)).tolist()
    for number, place in enumerate(places):
        steps = zip(place, pool.stride, dy.shape[2:], strict=True)
        read: Any = (..., *(slice(first, first + s * (out - 1) + 1, s) for first, s, out in steps))
        dx[read] = dx[read] + torch.where(index == number, dy, 0)
    inside: Any = (..., *(slice(p, p + n) for n, p in zip(size, pool.padding, strict=True)))
    return dx[inside]
