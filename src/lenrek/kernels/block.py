"""Normalise, add, activate and pool in one: what stands between two convolutions, in one pass over memory.

On CPU tensors of float32 or bfloat16 in channels-last layout the compiled kernels do the work, forward and backward;
everywhere else, and wherever a second gradient is asked for, the twin in `reference.py` does.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor
from torch._C._functorch import peek_interpreter_stack

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry.axes import axes
from lenrek.kernels import library, reference
from lenrek.kernels.block_gradient import apply
from lenrek.kernels.block_operators import TYPES
from lenrek.kernels.layout import is_dense
from lenrek.kernels.pool import Pool
from lenrek.kernels.reference import ACTIVATIONS

_PLACES = 255  # in a window that an arg-max byte can name; one more means that nobody receives the gradient


def norm_act_pool(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    activation: str = "none",
    negative_slope: float = 0.01,
    residual: Tensor | None = None,
    pool: Pool | None = None,
) -> Tensor:
    """pool(activation(batch_norm(x) + residual)).

    Args:
        x: (batch, channels, *size).
        weight, bias: (channels,), or None for 1 and 0.
        running_mean, running_var: (channels,). In training they are updated, unless None; otherwise they normalise.
        training: whether the batch's own mean and (biased) variance normalise.
        momentum: the share of this batch in the running statistics; the running variance is of the unbiased one.
        eps: added to the variance.
        activation: one of `ACTIVATIONS`; gelu is the exact one.
        negative_slope: of `leaky_relu`.
        residual: added before the activation; the shape of x.
        pool: how to pool at the end, if at all.
    Returns:
        (batch, channels, *out_size), of the type of x; computed in float32 where x is bfloat16.
    Raises:
        OptionError: an unknown activation, or no running statistics outside training.
        ShapeError: a pool of other axes than those of x, or whose window does not fit.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    Example:
        >>> import torch
        >>> x = torch.arange(8.0).reshape(1, 1, 8)
        >>> norm_act_pool(x, None, None, None, None, training=True, activation="relu", pool=Pool("max", (4,)))
        tensor([[[0.0000, 1.5275]]])
    """
    _check("norm_act_pool", x, activation, pool)
    if not training and (running_mean is None or running_var is None):
        raise OptionError(
            "norm_act_pool: training=False normalises by running_mean and running_var, but one of them is None.\n"
            "  Hint: without running statistics every batch is its own: pass training=True."
        )
    parameters = (weight, bias, running_mean, running_var)
    if not _supported(x, residual, parameters, pool) or (training and x.numel() == x.shape[1]):
        return reference.norm_act_pool(
            x, *parameters, training=training, momentum=momentum, eps=eps, activation=activation,
            negative_slope=negative_slope, residual=residual, pool=pool,
        )  # fmt: skip
    used = (None, None) if training else (running_mean, running_var)

    def update(statistics: Tensor) -> None:
        for running, row in ((running_mean, 0), (running_var, 3)):
            if training and running is not None:
                running.lerp_(statistics[row].to(running.dtype), momentum)

    return apply(x, residual, weight, bias, *used, True, eps, activation, negative_slope, pool, update)[0]


def bias_act_pool(
    x: Tensor,
    bias: Tensor | None = None,
    *,
    activation: str = "none",
    negative_slope: float = 0.01,
    residual: Tensor | None = None,
    pool: Pool | None = None,
) -> Tensor:
    """pool(activation(x + bias + residual)): the block of networks without norm, and with `pool` alone that pooling.

    Arguments, result and errors are those of `norm_act_pool`. What the gradient needs of x is kept, and no more: of a
    max-pool after ReLU one byte per output.

    Example:
        >>> import torch
        >>> bias_act_pool(torch.tensor([[[1.0, 5.0, 2.0, 3.0]]]), torch.tensor([-2.5]), pool=Pool("max", (2,)))
        tensor([[[2.5000, 0.5000]]])
    """
    _check("bias_act_pool", x, activation, pool)
    if not _supported(x, residual, (bias,), pool):
        return reference.bias_act_pool(
            x, bias, activation=activation, negative_slope=negative_slope, residual=residual, pool=pool
        )
    return apply(x, residual, None, bias, None, None, False, 0.0, activation, negative_slope, pool)[0]


def _check(who: str, x: Tensor, activation: str, pool: Pool | None) -> None:
    if activation not in ACTIVATIONS:
        raise OptionError(f"{who}: activation {activation!r}, expected one of {', '.join(ACTIVATIONS)}.")
    if pool is not None and pool.kernel_size and len(pool.kernel_size) != x.ndim - 2:
        raise ShapeError(
            f"{who}: {pool} is for {axes(len(pool.kernel_size))}, "
            f"but x {tuple(x.shape)} has {x.ndim} − 2 = {x.ndim - 2}."
        )


def _supported(x: Tensor, residual: Tensor | None, parameters: tuple[Tensor | None, ...], pool: Pool | None) -> bool:
    if not torch.compiler.is_compiling() and peek_interpreter_stack() is not None:
        return False  # inside torch.func, which transforms PyTorch's own operators only
    if not (library.available() and x.is_cpu and x.dtype in TYPES and 2 <= x.ndim <= 5 and x.numel() and is_dense(x)):
        return False
    if residual is not None and (residual.shape != x.shape or residual.dtype != x.dtype):
        return False
    for parameter in parameters:
        if parameter is not None and not (parameter.is_cpu and parameter.shape == x.shape[1:2]):
            return False
    return pool is None or (x.ndim > 2 and (pool.kind != "max" or prod(pool.kernel_size) <= _PLACES))
