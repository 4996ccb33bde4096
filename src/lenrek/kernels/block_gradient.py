"""The gradient of the fused block: what it keeps, and the twin that gives the gradient of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import grad
from torch.nn import functional as F

import lenrek.kernels.block_operators  # noqa: F401, defines the operators below
from lenrek.kernels.layout import dense
from lenrek.kernels.pool import Pool
from lenrek.kernels.reference import ACTIVATIONS, act_pool, add_bias, spread

_NUMBERS = {name: number for number, name in enumerate(ACTIVATIONS)}
_CLIPS = ("none", "relu", "relu6")  # after them the arg-max bytes of a max-pool also tell where they are flat

_forward = torch.ops.lenrek.block_forward.default
_backward = torch.ops.lenrek.block_backward.default


def apply(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    normalise: bool,
    eps: float,
    activation: str,
    slope: float,
    pool: Pool | None,
    update: Callable[[Tensor], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """y and the statistics of `block_forward`, with the gradients of the first four arguments.

    `update` is given the statistics before anything is saved for the gradient: gradient checkpointing stops there.
    """
    if residual is not None:
        residual = dense(residual)
    arguments = (x, residual, weight, bias, running_mean, running_var, normalise, eps, activation, slope, pool)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in arguments[:4]):
        return _Block.apply(*arguments, update)
    y, _, statistics = _forward(*arguments[:8], _NUMBERS[activation], slope, pool.code if pool else [])
    if update is not None:
        update(statistics)
    return y, statistics


class _Block(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        residual: Tensor | None,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        normalise: bool,
        eps: float,
        activation: str,
        slope: float,
        pool: Pool | None,
        update: Callable[[Tensor], None] | None,
    ) -> tuple[Tensor, Tensor]:
        settings = _NUMBERS[activation], slope, pool.code if pool else []
        y, index, statistics = _forward(x, residual, weight, bias, running_mean, running_var, normalise, eps, *settings)
        if update is not None:
            update(statistics)
        ctx.from_batch = normalise and running_mean is None
        ctx.size, ctx.settings = tuple(x.shape), settings
        ctx.eps, ctx.activation, ctx.slope, ctx.pool = eps, activation, slope, pool
        values_matter = ctx.from_batch or (normalise and ctx.needs_input_grad[2])  # x itself, beside its gradient
        ctx.flat_known = activation == "none" or (pool is not None and pool.kind == "max" and activation in _CLIPS)
        ctx.sign_tells = not (normalise or pool or ctx.flat_known) and (
            activation in _CLIPS or (activation == "leaky_relu" and slope >= 0)
        )
        kept: tuple[Tensor | None, ...] = (x, residual)
        if ctx.flat_known:
            kept = (x if values_matter else None, None)
        elif ctx.sign_tells:
            kept = (y, None)  # which the next layer keeps anyway
        ctx.save_for_backward(*kept, bias, weight, index, statistics)
        ctx.mark_non_differentiable(statistics)
        return y, statistics

    @staticmethod
    def backward(ctx: Any, dy: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # the gradient of this gradient will be asked for
            return (*_differentiable(ctx, dy), *[None] * 8)
        x, residual, bias, weight, index, statistics = ctx.saved_tensors
        added = None if ctx.sign_tells else bias
        wanted = list(ctx.needs_input_grad[:4])
        gradients = _backward(
            dense(dy), x, residual, index, weight, added, statistics, ctx.size, ctx.from_batch, *ctx.settings, wanted
        )
        return (*(g if w else None for g, w in zip(gradients, wanted, strict=True)), *[None] * 8)


def _differentiable(ctx: Any, dy: Tensor) -> list[Tensor | None]:
    """The four gradients in PyTorch's operators, as functions of dy and of what was kept."""
    x, residual, bias, weight, index, statistics = ctx.saved_tensors
    values_kept = x is not None and not ctx.sign_tells
    source = x if values_kept else dy.new_zeros(ctx.size).requires_grad_()  # otherwise all is linear in x
    z = _normalised(ctx, source, weight, bias, statistics)
    if ctx.flat_known and index.numel():
        dz = spread(dy, index, ctx.size[2:], ctx.pool)
    else:
        before = x.detach().requires_grad_() if ctx.sign_tells else z if residual is None else z + residual
        y = act_pool(before, ctx.activation, ctx.slope, ctx.pool)
        (dz,) = grad(y, before, dy, create_graph=True)
    inputs: tuple[Any, ...] = (source, None, weight, bias)
    wanted = [i for i, w in enumerate(ctx.needs_input_grad[:4]) if w and i != 1]
    gradients: list[Tensor | None] = [None, dz if ctx.needs_input_grad[1] else None, None, None]
    if wanted:
        found = grad(z, [inputs[i] for i in wanted], dz, create_graph=True)
        for i, gradient in zip(wanted, found, strict=True):
            gradients[i] = gradient
    return gradients


def _normalised(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, statistics: Tensor) -> Tensor:
    if ctx.from_batch:
        return F.batch_norm(x, None, None, weight, bias, True, 0.0, ctx.eps)
    if not statistics.numel():
        return add_bias(x, bias)
    columns = statistics.reshape(4, -1, *[1] * (x.ndim - 2))
    z = (x - columns[0] - columns[1]) * columns[2]
    if weight is not None:
        z = z * weight.reshape(columns.shape[1:])
    return add_bias(z, bias).to(x.dtype)
